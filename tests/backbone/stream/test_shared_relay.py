"""Several processes on one stream: one relay publishes, the others follow, and take over; on the virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from actors import ActorRef, Health
from backbone.cache.messages import ForgetWindows, Invalidate
from backbone.domain.lapse import BEAT, HELD, TRY
from backbone.store.messages import ReadOutbox
from backbone.stream.errors import StreamUnavailable
from backbone.stream.filling import _FEWEST
from backbone.stream.outlet import Outlet
from backbone.stream.port import MOST_AT_ONCE
from backbone.stream.reach import HeldUp
from backbone.stream.relay import RelayActor
from tests.backbone.stream.kit import Faulty, House, house, row


async def relaying(made: House) -> ActorRef:
    return await made.start("relay", RelayActor, poll_interval=0.5)


def health(made: House) -> Health:
    entry = made.system.roster().find("/test/relay")
    assert entry is not None
    return entry.health


def invalidated(made: House) -> list[int]:
    asked = [each for each in made.cache.messages if isinstance(each, Invalidate)]
    return [position for each in asked for symbols in each.positions.values() for position in symbols.values()]


@asynccontextmanager
async def two() -> AsyncIterator[tuple[House, House]]:
    """Two processes: the first holds the lease."""
    async with house(shared=True) as first, house(first) as second:
        await relaying(first)
        await relaying(second)
        yield first, second


async def test_one_publishes_and_the_cache_of_the_other_forgets_what_has_changed() -> None:
    async with two() as (first, second):
        second.commit(row(1), row(2))
        await first.outbox.published(2)
        await anyio.sleep(1)
        assert first.stream.sent == [[1, 2]]
        assert (invalidated(first), invalidated(second)) == ([2], [2])
        assert (health(first).why, health(second).why) == (
            "active: this process publishes",
            "standby: another process publishes",
        )
        assert (health(first).level, health(second).level) == ("ok", "ok")


async def test_who_stops_gives_the_lease_back_and_the_other_goes_on_at_once() -> None:
    async with two() as (first, second):
        first.commit(row(1))
        await first.outbox.published(1)
        await first.system.terminate_child("relay")
        await anyio.sleep(TRY + 0.01)
        second.commit(row(2))
        await second.outbox.published(2)
        assert second.stream.sent == [[1], [2]]
        assert health(second).why == "active: this process publishes"


async def test_what_the_former_one_published_and_did_not_note_is_sent_again_and_nothing_is_left_out() -> None:
    async with two() as (first, second):
        first.outbox.refuse_advance = 1000
        first.commit(row(1), row(2))
        await first.stream.holds(2)
        first.outbox.holder = None  # its connection to the database has gone
        first.outbox.down = "gone"
        await anyio.sleep(HELD)
        first.outbox.down, first.outbox.refuse_advance = None, 0
        second.commit(row(3))
        await second.outbox.published(3)
        assert [position for sent in first.stream.sent for position in sent][-3:] in ([1, 2, 3], [2, 3, 3], [1, 2, 3])


async def test_a_holder_that_can_not_ask_stops_by_its_own_clock_before_another_may_begin() -> None:
    async with house(shared=True) as made:
        await relaying(made)
        await anyio.sleep(10 * BEAT)
        made.outbox.down = "no answer"
        await anyio.sleep(HELD + BEAT)
        relay = made.system.roster().find("/test/relay")
        assert relay is not None
        made.outbox.holder = "another process"
        made.outbox.down = None
        made.commit(row(1))
        await anyio.sleep(5)
        assert made.stream.sent == []
        assert health(made).why == "standby: another process publishes"


async def test_a_holder_of_an_older_epoch_stops_publishing() -> None:
    async with house(shared=True) as made:
        await relaying(made)
        made.outbox.holder, made.outbox.epoch = "another process", 2
        made.commit(row(1))
        await anyio.sleep(BEAT / 2)
        made.commit(row(2))
        await anyio.sleep(5)
        assert made.outbox.cursor == 0
        assert [2] not in made.stream.sent
        assert health(made).why == "standby: another process publishes"


async def test_a_part_that_was_made_anew_gets_again_what_the_outbox_holds_before_anything_new() -> None:
    async with house(shared=True) as made:
        made.stream.identities = ["quotes/1"]
        await relaying(made)
        made.commit(row(1), row(2))
        await made.outbox.published(2)
        made.stream.identities = ["quotes/2"]
        made.stream.failing = [StreamUnavailable("the topic quotes was made anew")]
        made.commit(row(3))
        await made.outbox.published(3)
        assert made.stream.sent == [[1, 2], [1, 2], [3]]
        assert (made.outbox.parts["quotes/1"], made.outbox.parts["quotes/2"]) == (0, 2)
        assert health(made).level == "ok"


async def test_what_is_new_waits_until_all_is_filled_and_the_cache_forgets_it_meanwhile() -> None:
    async with house(shared=True) as made:
        old = [row(n, payload=b"old") for n in range(1, 3 * MOST_AT_ONCE)]
        made.outbox.rows, made.outbox.cursor, made.outbox.parts = [*old], old[-1].position, {"quotes/1": 1}
        made.stream.identities = ["quotes/2"]
        made.stream.gate = anyio.Event()
        async with anyio.create_task_group() as starting:
            starting.start_soon(relaying, made)
            await anyio.sleep(1.5)
            new = old[-1].position + 1
            made.commit(row(new))
            made.stream.gate.set()
            made.stream.gate = anyio.Event()
            await anyio.sleep(0.1)
        assert new in invalidated(made)
        assert [sent[-1] for sent in made.stream.sent] == [_FEWEST]
        made.stream.gate.set()
        await made.outbox.published(new)
        assert [n for sent in made.stream.sent for n in sent] == [*range(1, new + 1)]


async def test_the_next_batch_is_read_while_the_one_ahead_of_it_is_sent() -> None:
    async with house(shared=True) as made:
        old = [row(n, payload=b"old") for n in range(1, _FEWEST + 2)]
        made.outbox.rows, made.outbox.cursor = old[:_FEWEST], old[-1].position
        made.stream.identities = ["quotes/1"]
        made.stream.gate = anyio.Event()
        async with anyio.create_task_group() as starting:
            starting.start_soon(relaying, made)
            await anyio.sleep(0.4)
            assert (made.stream.sent, made.outbox.reads()) == ([], [0, _FEWEST])
            made.outbox.rows = [*old]
            made.stream.gate.set()
        assert [len(each) for each in made.stream.sent] == [_FEWEST, 1]


async def test_ever_more_is_sent_at_once_and_half_of_what_a_slow_stream_did_not_take() -> None:
    async with house(shared=True) as made:
        old = [row(n, payload=b"old") for n in range(1, 4 * MOST_AT_ONCE)]
        made.outbox.rows, made.outbox.cursor = [*old], old[-1].position
        made.stream.identities = ["quotes/1"]
        made.stream.failing = [StreamUnavailable("no answer within 10 s")]
        await relaying(made)
        await made.stream.holds(old[-1].position)
        sizes = [len(each) for each in made.stream.sent]
        assert sizes[:5] == [_FEWEST // 2, _FEWEST, 2 * _FEWEST, 4 * _FEWEST, _FEWEST // 2]
        assert max(sizes) == MOST_AT_ONCE
        assert [n for sent in made.stream.sent for n in sent] == [*range(1, 4 * MOST_AT_ONCE)]


async def test_what_is_filled_and_how_much_is_left_is_told_until_all_is_there() -> None:
    async with house(shared=True) as made:
        old = [row(n, payload=b"old") for n in range(1, 2 * _FEWEST + 1)]
        made.outbox.rows, made.outbox.cursor = [*old], old[-1].position
        made.stream.identities = ["quotes/1", "trades/1"]
        made.stream.gate = anyio.Event()
        async with anyio.create_task_group() as starting:
            starting.start_soon(relaying, made)
            await anyio.sleep(0.4)
            assert (health(made).why or "").endswith("0 changes of the outbox gone through, about 1,000 are left")
            made.stream.gate.set()
            made.stream.gate = anyio.Event()
            await anyio.sleep(0.4)
            told = health(made)
            made.stream.gate.set()
        assert told.level == "degraded"
        assert told.why == (
            "topics were lost, or are new, and are filled from the outbox: quotes, trades: 500 changes of the outbox "
            "gone through, about 500 are left, at this pace 0 s"
        )
        assert health(made).level == "ok"


async def test_who_loses_the_lease_while_it_fills_says_that_another_one_publishes() -> None:
    async with house(shared=True) as made:
        made.outbox.rows, made.outbox.cursor = [row(n) for n in range(1, 2 * _FEWEST)], 2 * _FEWEST - 1
        made.stream.identities = ["quotes/1"]
        made.stream.gate = anyio.Event()
        async with anyio.create_task_group() as starting:
            starting.start_soon(relaying, made)
            await anyio.sleep(0.4)
            made.outbox.holder, made.outbox.epoch = "another process", 2
            await anyio.sleep(HELD)
            made.stream.gate.set()
        await anyio.sleep(TRY)
        assert (health(made).level, health(made).why) == ("ok", "standby: another process publishes")


async def test_who_took_longer_to_connect_than_the_lease_lasts_has_it_still_and_says_so() -> None:
    async with house(shared=True) as made:
        made.outbox.rows, made.outbox.cursor = [row(1)], 1
        made.stream.identities = ["quotes/1"]
        made.stream.gate = anyio.Event()
        async with anyio.create_task_group() as starting:
            starting.start_soon(relaying, made)
            await anyio.sleep(2 * HELD)
            made.stream.gate.set()
        assert "another process" not in health(made).why
        await made.stream.holds(1)
        await anyio.sleep(0.1)
        assert health(made).why == "active: this process publishes"


async def test_a_stream_that_was_made_anew_while_nobody_published_is_filled_from_what_is_left() -> None:
    async with house(shared=True) as made:
        made.outbox.rows = [row(5), row(6)]
        made.outbox.cursor, made.outbox.pruned_to = 6, 4
        made.outbox.parts = {"quotes/1": 6}
        made.stream.identities = ["quotes/2"]
        await relaying(made)
        assert made.stream.sent == [[5, 6]]
        assert made.outbox.parts["quotes/2"] == 6


async def test_filling_that_was_held_up_by_the_store_goes_on_where_it_was() -> None:
    async with house(shared=True) as made:
        made.outbox.rows = [row(1)]
        made.outbox.cursor = 1
        made.stream.identities = ["quotes/1"]
        made.stream.gate = anyio.Event()
        async with anyio.create_task_group() as starting:
            starting.start_soon(relaying, made)
            await anyio.sleep(1)
            made.outbox.down = "restarting"
            made.stream.gate.set()
        made.outbox.down = None
        made.commit(row(2))
        await made.outbox.published(2)
        assert made.stream.sent == [[1], [2]]
        assert made.outbox.parts["quotes/1"] == 1


async def test_what_is_being_sent_is_not_cut_off_where_the_store_falls_while_the_next_batch_is_read() -> None:
    async with house(shared=True) as made:

        class Falling(list[object]):
            def append(self, each: object) -> None:
                super().append(each)
                if isinstance(each, ReadOutbox) and each.after == 1:
                    made.outbox.down = "restarting"

        made.outbox.asked = Falling()
        made.outbox.rows, made.outbox.cursor = [row(1)], 1
        made.stream.identities = ["quotes/1"]
        made.stream.gate = anyio.Event()
        async with anyio.create_task_group() as starting:
            starting.start_soon(relaying, made)
            await anyio.sleep(0.4)
            assert made.outbox.down == "restarting"
            made.stream.gate.set()
        made.outbox.asked, made.outbox.down = [], None
        made.commit(row(2))
        await made.outbox.published(2)
        assert made.stream.calls.count("publish [1]") == 1
        assert made.stream.sent == [[1], [2]]


@pytest.mark.parametrize(("identity", "wanted"), [("quotes/1", [[1], [2], [3]]), ("quotes/2", [[1], [1], [2], [3]])])
async def test_filling_goes_on_with_another_publisher_unless_what_was_filled_is_lost_again(
    identity: str, wanted: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backbone.stream.filling.MOST_AT_ONCE", 1)
    monkeypatch.setattr("backbone.stream.filling._FEWEST", 1)
    async with house(shared=True) as made:
        made.outbox.rows, made.outbox.cursor = [row(1), row(2), row(3)], 3
        made.stream.identities = ["quotes/1"]
        made.stream.gate = anyio.Event()
        async with anyio.create_task_group() as starting:
            starting.start_soon(relaying, made)
            await anyio.sleep(1)
            made.stream.gate.set()
            await made.stream.holds(1)
            made.stream.identities = [identity]
            made.stream.failing = [StreamUnavailable("the broker went away")]
        await made.stream.holds(3)
        assert made.stream.sent == wanted


async def test_a_database_that_was_set_back_while_nobody_looked_makes_the_stream_begin_anew() -> None:
    async with house(shared=True) as made:
        await relaying(made)
        made.commit(row(1))
        await made.outbox.published(1)
        await made.system.terminate_child("relay")
        made.outbox.server = "server/2"
        await made.system.restart_child("relay")
        made.commit(row(2))
        await made.outbox.published(2)
        assert made.stream.begun_again == [1]


async def test_a_database_that_never_published_makes_a_stream_that_holds_something_begin_anew_and_once() -> None:
    async with house(shared=True) as made:
        former = made.stream.inner.publisher()
        await former.open()
        await former.publish([row(1000)])
        await relaying(made)
        made.commit(row(1))
        await made.outbox.published(1)
        assert made.stream.begun_again == [0]
        await made.system.terminate_child("relay")
        await made.system.restart_child("relay")
        made.commit(row(2))
        await made.outbox.published(2)
        assert made.stream.begun_again == [0]


async def test_of_a_stream_that_is_lost_and_of_a_database_that_was_set_back_it_begins_anew_before_it_is_filled() -> (
    None
):
    async with house(shared=True) as made:
        made.outbox.rows, made.outbox.cursor = [row(1)], 1
        made.outbox.parts = {"quotes/1": 1, "database/before": 1}
        made.stream.identities = ["quotes/2"]
        await relaying(made)
        assert made.stream.calls == ["begin again 1", "resume 1", "publish [1]"]


async def test_the_cache_forgets_also_what_can_not_be_published_yet() -> None:
    async with house(shared=True) as made:
        await relaying(made)
        made.stream.failing = [StreamUnavailable("no broker")] * 3
        made.commit(row(1))
        await anyio.sleep(0.2)
        made.commit(row(2))
        await made.outbox.published(2)
        assert made.stream.sent == [[1, 2]]
        seen = invalidated(made)
        assert seen.index(2) < len(seen) - 1  # before the batch that was published


async def test_a_standby_that_slept_until_changes_were_pruned_has_its_whole_cache_forget_once() -> None:
    async with two() as (first, second):
        first.outbox.pruned_to = first.outbox.cursor = 5
        second.cache.messages.clear()
        await anyio.sleep(2)
        assert [type(each) for each in second.cache.messages] == [ForgetWindows]
        second.commit(row(6))
        await anyio.sleep(1)
        assert invalidated(second) == [6]


async def test_a_standby_whose_database_was_set_back_has_its_cache_forget_and_says_nothing_on_the_stream() -> None:
    async with two() as (first, second):
        await anyio.sleep(1)
        await first.system.terminate_child("relay")
        first.outbox.holder = "a third process"
        await anyio.sleep(HELD)
        first.outbox.server = "server/2"
        second.commit(row(1))
        await anyio.sleep(1)
        assert any(isinstance(each, ForgetWindows) for each in second.cache.messages)
        assert second.stream.begun_again == []


async def test_where_the_lease_comes_while_the_stream_is_away_that_is_waited_for_and_nothing_crashes() -> None:
    outlet = Outlet(Faulty(shared=True), timeout=1.0)
    with pytest.raises(HeldUp, match="not open yet"):
        await outlet.begin_again(1)


async def test_a_database_set_back_under_the_lease_has_the_cache_forget_before_the_stream_begins_anew_once() -> None:
    async with house(shared=True) as made:
        await made.start("relay", RelayActor, poll_interval=60)
        made.commit(row(1))
        await made.outbox.published(1)
        await anyio.sleep(2)
        made.cache.messages.clear()
        made.stream.gate = anyio.Event()
        made.outbox.server, made.outbox.holder = "server/2", None  # the connection of the lease fell with the server
        await anyio.sleep(2)
        assert made.stream.calls[-1] == "begin again 1"
        assert any(isinstance(each, ForgetWindows) for each in made.cache.messages)
        made.stream.gate.set()
        made.commit(row(2))
        await made.outbox.published(2)
        await anyio.sleep(2)
        assert made.stream.begun_again == [1]
