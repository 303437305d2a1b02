"""What the cache's actor promises to those who read: one load, never older than asked for, nothing stale unmarked."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import pyarrow as pa
import pytest

from actors import ActorDead
from backbone import Dimension, Frame
from backbone.cache.messages import Fetch, ForgetWindows, Invalidate, ProbeCache, ReadCacheMetrics
from backbone.domain import encode
from backbone.domain.codec import checksum_of
from backbone.store.records import Query
from tests.backbone.cache.kit import KEY, QUERY, caching, query_of, settled
from tests.backbone.facade.kit import BARS, bars

PAST = Query(BARS, ("EURUSD",), "1h", as_of=datetime(2020, 1, 1, tzinfo=UTC))


async def test_however_many_ask_for_a_window_the_store_is_read_once() -> None:
    async with caching() as room:
        answers = [await room.ask() for _ in range(10)]
        (await room.desk.next()).answer(5)
        assert {(await answer.get()).position for answer in answers} == {5}
        later = await (await room.ask()).get()
        assert (later.hit, later.position, later.frame.num_rows) == (True, 5, 5)
        assert len(room.desk.reads) == 1


async def test_all_who_ask_at_once_and_soon_after_are_answered_by_the_same_read() -> None:
    async with caching() as room:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(room.ask)
        late = await room.ask()
        (await room.desk.next()).answer(5)
        assert not (await late.get()).hit
        assert (await room.ref.ask(ReadCacheMetrics(), 1.0)).hits == 0
        assert len(room.desk.reads) == 1


async def test_who_needs_a_newer_position_than_a_read_began_with_gets_a_read_that_begins_later() -> None:
    async with caching() as room:
        old, new = await room.ask(5), await room.ask(7)
        (await room.desk.next()).answer(5)
        assert (await old.get()).position == 5
        assert not new.is_there
        (await room.desk.next()).answer(7)
        fetched = await new.get()
        assert (fetched.position, fetched.frame.num_rows) == (7, 7)
        assert len(room.desk.reads) == 2


async def test_the_later_read_answers_all_who_wait_for_one_and_each_as_new_as_asked_for() -> None:
    async with caching() as room:
        answers = [await room.ask(at_least) for at_least in (5, 7, 9, 6)]
        (await room.desk.next()).answer(5)
        (await room.desk.next()).answer(6, rows=6)  # of these symbols nothing newer was committed up to 9
        fetched = [await answer.get() for answer in answers]
        assert [each.position for each in fetched] == [5, 9, 9, 9]
        assert [each.frame.num_rows for each in fetched] == [5, 6, 6, 6]
        assert (await (await room.ask(9)).get()).hit
        assert len(room.desk.reads) == 2


async def test_who_can_do_with_less_takes_part_in_the_read_under_way() -> None:
    async with caching() as room:
        first, second, third = await room.ask(5), await room.ask(5), await room.ask()
        (await room.desk.next()).answer(5)
        assert [(await each.get()).position for each in (first, second, third)] == [5, 5, 5]
        assert len(room.desk.reads) == 1


async def test_a_window_is_kept_at_the_position_up_to_which_no_change_is_missing() -> None:
    """A writer that committed out of turn makes a change of a smaller position visible later."""
    async with caching() as room:
        answer = await room.ask()
        (await room.desk.next()).answer(9, complete=5)
        assert (await answer.get()).position == 9
        kept = await room.cache.peek(KEY)
        assert kept is not None
        assert kept.position == 5
        assert (await (await room.ask(5)).get()).hit
        await room.invalidate(7)
        again = await room.ask()
        (await room.desk.next()).answer(9, complete=9)
        assert not (await again.get()).hit


async def test_a_read_that_began_before_a_change_answers_who_asked_before_it_and_is_not_kept() -> None:
    async with caching() as room:
        before = await room.ask()
        read = await room.desk.next()
        await room.invalidate(6)
        after = await room.ask()
        read.answer(5)
        assert (await before.get()).position == 5
        (await room.desk.next()).answer(6)
        fetched = await after.get()
        assert (fetched.position, fetched.frame.num_rows, fetched.hit) == (6, 6, False)
        assert (await (await room.ask()).get()).position == 6
        assert len(room.desk.reads) == 2


async def test_a_change_of_other_symbols_concerns_no_read_under_way() -> None:
    async with caching() as room:
        before = await room.ask()
        await room.invalidate(6, symbol="GBPUSD")
        after = await room.ask()
        (await room.desk.next()).answer(5)
        assert (await before.get()).position == (await after.get()).position == 5


async def test_rows_read_before_they_were_dropped_are_neither_kept_nor_served_to_who_asks_later() -> None:
    async with caching() as room:
        before = await room.ask()
        read = await room.desk.next()
        await room.ref.ask(ForgetWindows(), 1.0)
        after = await room.ask()
        read.answer(5, rows=100)
        assert (await before.get()).frame.num_rows == 100
        (await room.desk.next()).answer(5, rows=65)
        assert (await after.get()).frame.num_rows == 65
        later = await (await room.ask()).get()
        assert (later.frame.num_rows, later.hit) == (65, True)


async def test_windows_are_forgotten_where_rows_were_dropped() -> None:
    async with caching() as room:
        await room.loaded(5)
        await room.ref.ask(ForgetWindows(), 1.0)
        answer = await room.ask()
        (await room.desk.next()).answer(5, rows=2)
        assert (await answer.get()).frame.num_rows == 2


async def test_a_change_is_acknowledged_while_the_store_is_slow() -> None:
    async with caching() as room:
        await room.loaded(5)
        answers = [await room.ask(query=query_of(f"S{n}")) for n in range(40)]
        assert len(room.desk.reads) == 1 + 16
        await room.invalidate(6)
        assert (await room.ref.ask(ReadCacheMetrics(), 1.0)).invalidations == 1
        for _ in answers:
            (await room.desk.next()).answer(5)
        assert [(await answer.get()).position for answer in answers] == [5] * 40


async def test_reads_of_former_times_are_bounded_as_well_and_never_cached() -> None:
    async with caching() as room:
        answers = [await room.ask(query=PAST) for _ in range(20)]
        assert len(room.desk.reads) == 16
        for _ in answers:
            (await room.desk.next()).answer(1)
        assert not any([(await answer.get()).hit for answer in answers])
        refused = await room.ask(query=PAST)
        (await room.desk.next()).refuse("unsupported")
        assert await refused.refusal() == "unsupported"
        assert (await room.ref.ask(ReadCacheMetrics(), 1.0)).sets == 0


async def test_more_than_can_be_read_in_a_while_is_refused_as_busy() -> None:
    async with caching() as room:
        answers = [await room.ask(query=query_of(f"S{n}")) for n in range(1024)]
        assert await (await room.ask(query=query_of("ONE MORE"))).refusal() == "busy"
        assert await (await room.ask(query=PAST)).refusal() == "busy"
        joined = await room.ask(query=query_of("S0"))
        for _ in answers:
            (await room.desk.next()).answer(1)
        assert [(await answer.get()).position for answer in [*answers, joined]] == [1] * 1025
        admitted = await room.ask(query=query_of("ONE MORE"))
        (await room.desk.next()).answer(1)
        assert (await admitted.get()).position == 1


async def test_what_is_served_while_the_store_is_down_is_marked_stale() -> None:
    async with caching() as room:
        await room.loaded(5)
        assert not (await (await room.ask()).get()).frame.stale
        await room.store_is("failed")
        fetched = await (await room.ask()).get()
        assert (fetched.frame.stale, fetched.hit, fetched.position) == (True, True, 5)
        await room.store_is("ok")
        assert not (await (await room.ask()).get()).frame.stale


@pytest.mark.parametrize("code", ["unavailable", "busy"])
async def test_a_store_that_gives_no_answer_leaves_what_the_cache_had_marked_stale(code: str) -> None:
    async with caching() as room:
        await room.loaded(5)
        await room.invalidate(6)
        first, second, newer = await room.ask(), await room.ask(), await room.ask(9)
        (await room.desk.next()).refuse(code)
        for answer in (first, second, newer):
            fetched = await answer.get()
            assert (fetched.frame.stale, fetched.position) == (True, 5)
        assert len(room.desk.reads) == 2


async def test_a_question_that_the_store_refuses_is_refused_whatever_the_cache_had() -> None:
    async with caching() as room:
        await room.loaded(5)
        await room.invalidate(6)
        answer = await room.ask()
        (await room.desk.next()).refuse("invalid")
        assert await answer.refusal() == "invalid"


async def test_without_store_and_without_window_all_who_wait_are_refused_and_the_next_may_try() -> None:
    async with caching() as room:
        answers = [await room.ask(), await room.ask(), await room.ask(7)]
        (await room.desk.next()).refuse()
        assert [await answer.refusal() for answer in answers] == ["unavailable"] * 3
        await room.cache.server.release(KEY, await room.cache.lease())  # it was given back
        await room.loaded(5)


async def test_who_leaves_takes_the_read_from_nobody() -> None:
    async with caching() as room:
        leaves, stays = await room.ask(), await room.ask()
        leaves.scope.cancel()
        await settled()
        (await room.desk.next()).answer(5)
        assert (await stays.get()).position == 5
        assert (await (await room.ask()).get()).hit


async def test_a_read_that_nobody_waits_for_any_more_is_kept() -> None:
    async with caching() as room:
        leaves = await room.ask()
        leaves.scope.cancel()
        await settled()
        (await room.desk.next()).answer(5)
        await settled()
        assert (await (await room.ask()).get()).hit


async def test_a_stop_tells_all_who_wait_and_leaves_nothing_behind() -> None:
    async with caching() as room:
        answers = [await room.ask(query=query_of(f"S{n}")) for n in range(20)]
        answers += [await room.ask(9, query=query_of("S1")), await room.ask(query=PAST)]
        with anyio.fail_after(1):
            await room.system.terminate_child("cache")
        for answer in answers:
            with pytest.raises(ActorDead):
                await answer.get()


async def test_a_window_that_another_process_loads_is_waited_for() -> None:
    async with caching() as room:
        lease = await room.cache.lease()
        answer = await room.ask()
        assert await room.cache.load(5, lease)
        fetched = await answer.get()
        assert (fetched.hit, fetched.position) == (True, 5)
        assert room.desk.reads == []


async def test_where_the_other_process_fails_or_brings_what_is_too_old_this_one_reads() -> None:
    async with caching() as room:
        lease = await room.cache.lease()
        answers = [await room.ask(), await room.ask()]
        await room.cache.release(KEY, lease)
        (await room.desk.next()).answer(5)
        assert [(await answer.get()).hit for answer in answers] == [False, False]
        await room.invalidate(6)
        lease = await room.cache.lease()
        answer = await room.ask(8)
        assert await room.cache.load(6, lease)
        (await room.desk.next()).answer(8)
        assert (await answer.get()).position == 8
        assert (await (await room.ask(8)).get()).hit


async def test_a_process_that_loads_for_ever_is_not_waited_for_for_ever() -> None:
    async with caching() as room:
        lease = await room.cache.lease()
        began = anyio.current_time()
        answer = await room.ask()
        (await room.desk.next()).answer(5)
        assert not (await answer.get()).hit
        assert 2.0 <= anyio.current_time() - began <= 2.2  # virtual
        assert await room.cache.peek(KEY) is None  # it is still the other one's to keep
        assert await room.cache.load(6, lease)


async def test_a_window_that_would_push_out_many_others_is_served_and_not_kept() -> None:
    rows = 150_001
    prices = {
        "symbol": ["EURUSD"] * rows,
        "ts": pa.array(range(rows), pa.timestamp("us", "UTC")),
        "price": [1.0] * rows,
    }
    large = Frame.from_arrow(Dimension.TRADES, pa.table(prices))
    async with caching() as room:
        answer = await room.ask()
        (await room.desk.next()).answer_by(large, 5)
        assert (await answer.get()).frame.num_rows == rows
        assert await room.cache.peek(KEY) is None
        assert await room.cache.load(5)  # nobody else has to wait for the end of a lease


async def test_a_damaged_window_is_passed_by() -> None:
    async with caching() as room:
        await room.cache.server.open()
        assert await room.cache.load(5, payload=b"no frame")
        answer = await room.ask()
        (await room.desk.next()).answer(5)
        fetched = await answer.get()
        assert (fetched.hit, fetched.frame.num_rows) == (False, 5)
        again = await room.ask()
        (await room.desk.next()).refuse()
        assert await again.refusal() == "unavailable"


async def test_a_window_whose_values_have_changed_on_the_server_is_passed_by() -> None:
    async with caching() as room:
        await room.cache.server.open()
        assert await room.cache.load(5, payload=encode(bars(4)), checksum=checksum_of(encode(bars(5))))
        answer = await room.ask()
        (await room.desk.next()).answer(5)
        fetched = await answer.get()
        assert (fetched.hit, fetched.frame.num_rows) == (False, 5)


async def test_each_question_is_observed_with_its_time_and_outcome() -> None:
    seen: list[tuple[str, float, str]] = []

    def observe(what: str, seconds: float, outcome: str) -> None:
        seen.append((what, round(seconds, 1), outcome))

    async with caching(observe=observe) as room:
        answer = await room.ask()
        await anyio.sleep(3)  # virtual
        (await room.desk.next()).answer(5)
        await answer.get()
        await (await room.ask()).get()
        await room.store_is("failed")
        await (await room.ask()).get()
        refused = await room.ask(query=query_of("GBPUSD"))
        (await room.desk.next()).refuse()
        await refused.refusal()
        await room.invalidate(6)
        await room.ref.ask(ForgetWindows(), 1.0)
    assert seen == [
        ("Fetch", 3.0, "miss"),
        ("Fetch", 0.0, "hit"),
        ("Fetch", 0.0, "stale"),
        ("Fetch", 0.0, "refused:unavailable"),
        ("Invalidate", 0.0, "ok"),
        ("ForgetWindows", 0.0, "ok"),
    ]


async def test_the_probe_and_the_counters_are_those_of_the_cache() -> None:
    async with caching() as room:
        await room.loaded(5)
        assert (await room.ref.ask(ProbeCache(), 1.0)).details["keys"] == "1"
        assert (await room.ref.ask(ReadCacheMetrics(reset=True), 1.0)).sets == 1
        assert (await room.ref.ask(ReadCacheMetrics(), 1.0)).sets == 0


async def test_behind_hundreds_of_reads_hits_probes_and_changes_are_answered_at_once() -> None:
    async with caching() as room:
        await room.loaded(5)
        for n in range(600):
            await room.ask(query=query_of(f"S{n}"))
        began = anyio.current_time()
        assert (await room.ref.ask(Fetch(QUERY), 1.0)).hit
        assert (await room.ref.ask(ProbeCache(), 1.0)).healthy
        assert (await room.ref.ask(ReadCacheMetrics(), 1.0)).keys == 1
        await room.ref.ask(Invalidate({BARS: {"S1": 9}}), 1.0)
        assert anyio.current_time() == began
