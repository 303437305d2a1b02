"""The cache is down: who reads and who commits never notices, and nothing stale is served once it is back."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest

from actors import AskRejected, HealthChanged
from backbone.cache.messages import ForgetWindows, ProbeCache, ReadCacheMetrics
from backbone.domain.probe import ProbeAnswer
from tests.backbone.cache.kit import KEY, Caching, SharedCache, caching, query_of, settled

WHY = "no route to the cache"


async def read_from_store(room: Caching, position: int) -> None:
    answer = await room.ask()
    (await room.desk.next()).answer(position)
    fetched = await answer.get()
    assert (fetched.hit, fetched.position, fetched.frame.num_rows) == (False, position, position)


async def test_a_cache_that_is_not_up_yet_is_passed_by_and_used_once_it_is() -> None:
    cache = SharedCache()
    cache.down = WHY
    async with caching(cache) as room:
        assert (room.health.level, room.health.why) == ("degraded", WHY)
        assert room.health.since is not None
        assert room.health.next == "looks again at least every 0.5 s; every read goes to the store meanwhile"
        await read_from_store(room, 5)
        await read_from_store(room, 5)
        await room.cache_up()
        assert room.health.level == "ok"
        await room.loaded(5)
        assert (await (await room.ask()).get()).hit


async def test_an_outage_is_told_once_and_looked_at_ever_less_often() -> None:
    async with caching() as room:
        events = room.system.events.subscribe(HealthChanged)
        looks: list[float] = []
        reach = room.cache.reach

        def counted() -> None:
            looks.append(anyio.current_time())
            reach()

        room.cache.down = WHY
        await read_from_store(room, 5)
        room.cache.reach = counted  # type: ignore[method-assign]
        await anyio.sleep(20)  # virtual
        gaps = [round(after - before, 1) for before, after in pairwise(looks)]
        assert gaps[:3] == [0.2, 0.4, 0.5]
        assert set(gaps[3:]) == {0.5}
        assert (await anext(events)).level == "degraded"
        room.cache.down = None
        await anyio.sleep(2.5)
        assert (await anext(events)).level == "ok"


async def test_who_joins_while_the_cache_is_down_shares_a_read_all_the_same() -> None:
    async with caching() as room:
        room.cache.down = WHY
        answers = [await room.ask(), await room.ask(), await room.ask(7)]
        (await room.desk.next()).answer(5)
        (await room.desk.next()).answer(7)
        assert [(await answer.get()).position for answer in answers] == [5, 5, 7]


async def test_who_asks_after_a_change_shares_no_read_of_before_it_even_while_the_cache_is_down() -> None:
    async with caching() as room:
        room.cache.down = WHY
        before = await room.ask()
        read = await room.desk.next()
        await room.invalidate(6)
        after = await room.ask()
        read.answer(5)
        assert (await before.get()).position == 5
        (await room.desk.next()).answer(6)
        assert (await after.get()).position == 6


async def test_who_asks_after_a_drop_shares_no_read_of_before_it_even_while_the_cache_is_down() -> None:
    async with caching() as room:
        room.cache.down = WHY
        before = await room.ask()
        read = await room.desk.next()
        await room.ref.ask(ForgetWindows(), 1.0)
        after = await room.ask()
        read.answer(5, rows=100)
        assert (await before.get()).frame.num_rows == 100
        (await room.desk.next()).answer(5, rows=65)
        assert (await after.get()).frame.num_rows == 65


async def test_a_cache_that_goes_down_while_the_store_is_read_harms_nobody() -> None:
    async with caching() as room:
        answer = await room.ask()
        read = await room.desk.next()
        room.cache.down = WHY
        read.answer(5)
        assert (await answer.get()).position == 5
        assert room.health.level == "degraded"
        await room.cache_up()
        assert room.health.level == "ok"


async def test_a_cache_that_goes_down_while_the_store_is_down_leaves_the_refusal_of_the_store() -> None:
    async with caching() as room:
        answer = await room.ask()
        read = await room.desk.next()
        room.cache.down = WHY
        read.refuse()
        assert await answer.refusal() == "unavailable"


async def test_reads_that_pass_a_cache_by_do_not_swamp_the_store() -> None:
    async with caching() as room:
        room.cache.down = WHY
        answers = [await room.ask(query=query_of(f"S{n}")) for n in range(40)]
        assert len(room.desk.reads) == 16
        for done, _ in enumerate(answers, start=1):
            (await room.desk.next()).answer(1)
            await settled()
            assert len(room.desk.reads) == min(40, 16 + done)
        assert [(await answer.get()).position for answer in answers] == [1] * 40


async def test_what_changed_while_the_cache_was_down_is_not_served_once_it_is_back() -> None:
    async with caching() as room:
        await room.loaded(5)
        room.cache.down = WHY
        await room.invalidate(6)
        await room.cache_up()
        assert room.health.level == "ok"
        await read_from_store(room, 6)
        assert (await (await room.ask()).get()).hit


async def test_what_was_dropped_while_the_cache_was_down_is_not_served_once_it_is_back() -> None:
    async with caching() as room:
        await room.loaded(5)
        room.cache.down = WHY
        await room.ref.ask(ForgetWindows(), 1.0)
        await room.cache_up()
        answer = await room.ask()
        (await room.desk.next()).answer(5, rows=2)
        assert (await answer.get()).frame.num_rows == 2


async def test_what_was_read_before_an_outage_with_changes_is_not_kept_after_it() -> None:
    async with caching() as room:
        answer = await room.ask()
        read = await room.desk.next()
        room.cache.down = WHY
        await room.invalidate(6)
        await room.cache_up()
        read.answer(5)
        assert (await answer.get()).position == 5
        await read_from_store(room, 6)


async def test_a_cache_that_missed_nothing_keeps_what_it_has() -> None:
    async with caching() as room:
        await room.loaded(5)
        room.cache.down = WHY
        await read_from_store(room, 5)
        await room.cache_up()
        assert (await (await room.ask()).get()).hit


async def test_a_cache_that_is_down_again_before_it_forgot_is_not_trusted() -> None:
    async with caching() as room:
        await room.loaded(5)
        room.cache.down = WHY
        await room.invalidate(6)
        clear = room.cache.clear

        async def lost() -> None:
            room.cache.down = "gone again"
            room.cache.reach()

        room.cache.clear = lost  # type: ignore[method-assign]
        await room.cache_up()
        assert (room.health.level, room.health.why) == ("degraded", "gone again")
        await read_from_store(room, 6)
        room.cache.clear = clear  # type: ignore[method-assign]
        await room.cache_up()
        await read_from_store(room, 6)


async def test_while_it_is_found_out_whether_a_cache_is_back_nobody_waits_for_that() -> None:
    async with caching() as room:
        await room.loaded(5)
        probe, found_out = room.cache.probe, anyio.Event()

        async def slow() -> ProbeAnswer:
            await found_out.wait()
            return await probe()

        room.cache.probe = slow  # type: ignore[method-assign]
        room.cache.down = WHY
        await read_from_store(room, 5)
        room.cache.down = None
        await anyio.sleep(1)  # virtual: it is being asked
        await read_from_store(room, 5)
        found_out.set()
        await settled()
        assert room.health.level == "ok"
        assert (await (await room.ask()).get()).hit


async def test_what_changes_while_a_cache_forgets_what_it_missed_is_not_served_either() -> None:
    async with caching() as room:
        await room.loaded(5)
        clear, cleared = room.cache.clear, 0

        async def slow() -> None:
            nonlocal cleared
            await clear()
            cleared += 1
            if cleared == 1:
                assert await room.cache.load(6)  # another process
                await anyio.sleep(1)  # virtual

        room.cache.clear = slow  # type: ignore[method-assign]
        room.cache.down = WHY
        await room.invalidate(6)
        room.cache.down = None
        await anyio.sleep(1)  # virtual: it is back, and forgets
        assert cleared == 1
        await room.invalidate(7)
        await anyio.sleep(2.5)
        assert (room.health.level, cleared) == ("ok", 2)
        await read_from_store(room, 7)


async def test_a_cache_that_outlived_its_actor_is_not_trusted_with_what_nobody_told_it() -> None:
    async with caching() as room:
        await room.loaded(5)
        room.cache.bug = RuntimeError("a bug, injected")
        (await room.ask()).scope.cancel()
        await anyio.sleep(5)  # virtual: it is restarted
        assert room.ref.incarnation == 2
        await read_from_store(room, 6)


async def test_a_first_start_finds_what_other_processes_have_cached() -> None:
    cache = SharedCache()
    await cache.server.open()
    assert await cache.load(5)
    async with caching(cache) as room:
        fetched = await (await room.ask()).get()
        assert (fetched.hit, fetched.position) == (True, 5)


async def test_a_server_that_was_emptied_meanwhile_takes_nothing_that_was_read_before() -> None:
    async with caching() as room:
        answer = await room.ask()
        read = await room.desk.next()
        await room.cache.server.clear()
        read.answer(5)
        await answer.get()
        assert await room.cache.peek(KEY) is None


async def test_a_probe_and_counters_of_a_cache_that_is_down_are_refused_with_its_reason() -> None:
    async with caching() as room:
        room.cache.down = WHY
        for request in (ProbeCache(), ReadCacheMetrics()):
            with pytest.raises(AskRejected, match=WHY) as caught:
                await room.ref.ask(request, 1.0)
            assert caught.value.code == "cache_unavailable"


async def test_what_was_missed_is_observed_as_such() -> None:
    seen: list[tuple[str, str]] = []
    async with caching(observe=lambda what, _, outcome: seen.append((what, outcome))) as room:
        room.cache.down = WHY
        await room.invalidate(6)
        await room.ref.ask(ForgetWindows(), 1.0)
        await read_from_store(room, 6)
    assert seen == [("Invalidate", "missed"), ("ForgetWindows", "missed"), ("Fetch", "miss")]
