"""A database that goes back in time under the relay: restored, or failed over to one that lagged; virtual clock."""

from __future__ import annotations

import anyio
import pytest

from actors import AskRejected
from backbone.cache.messages import ForgetWindows, Invalidate
from backbone.store.messages import OutboxState
from backbone.stream.consumer import ConsumerActor
from backbone.stream.errors import StreamUnavailable
from backbone.stream.last import LastActor, Newest
from backbone.stream.messages import DatabaseSetBack, NextUpdates
from backbone.stream.relay import RelayActor
from tests.backbone.facade.kit import BARS
from tests.backbone.stream.kit import House, house, row
from tests.backbone.stream.test_relay import health


async def relaying(made: House, poll_interval: float = 1.0) -> None:
    await made.start("relay", RelayActor, poll_interval=poll_interval)
    made.commit(*(row(n) for n in range(1, 6)))
    await made.outbox.published(5)
    await anyio.sleep(0.5)


def set_back(made: House, position: int) -> None:
    made.outbox.rows = made.outbox.rows[:position]
    made.outbox.cursor = position


async def published_and_half_noted(made: House) -> None:
    """Changes 6 and 7 are published; the cursor was noted at 6, and that of 7 is due."""
    made.commit(row(6), after=5)
    await made.stream.holds(6)
    made.commit(row(7), after=6)
    await made.stream.holds(7)
    assert made.outbox.cursor == 6


async def test_changes_of_a_database_that_was_set_back_are_published_though_their_positions_are_not_new() -> None:
    async with house() as made:
        await relaying(made)
        set_back(made, 2)
        await anyio.sleep(1.5)
        made.commit(row(3, "GBPUSD"), row(4, "GBPUSD"))
        await made.outbox.published(4)
        assert made.stream.sent[-1] == [3, 4]
        assert any(isinstance(each, ForgetWindows) for each in made.cache.messages)


async def test_a_standby_that_lags_and_still_recovers_is_waited_for_also_where_nobody_noticed_that_it_answers() -> None:
    async with house() as made:
        await relaying(made)
        made.outbox.cursor, made.outbox.server = 2, "server/"
        made.commit(row(6))
        await anyio.sleep(0.3)
        assert health(made).level == "degraded"
        made.outbox.cursor, made.outbox.server = 5, "server/1"
        await made.outbox.published(6)
        assert made.stream.sent == [[1, 2, 3, 4, 5], [6]]
        assert not any(isinstance(each, ForgetWindows) for each in made.cache.messages)


async def test_a_standby_that_has_caught_up_when_it_is_looked_at_costs_no_poll() -> None:
    async with house() as made:
        await relaying(made, poll_interval=3600.0)

        class CatchingUp(list[object]):
            def append(self, each: object) -> None:
                super().append(each)
                if isinstance(each, OutboxState):
                    made.outbox.cursor = 5

        made.outbox.cursor, made.outbox.asked = 2, CatchingUp()
        made.commit(row(6))
        await made.outbox.published(6)
        assert made.stream.sent == [[1, 2, 3, 4, 5], [6]]


async def test_they_are_also_where_they_come_before_anybody_looked() -> None:
    async with house() as made:
        await relaying(made)
        set_back(made, 2)
        made.commit(row(3, "GBPUSD"), row(4, "GBPUSD"))
        await made.outbox.published(4)
        assert made.stream.sent[-1] == [3, 4]


async def test_what_is_not_published_yet_of_a_restored_database_is_not_passed_over() -> None:
    async with house() as made:
        await relaying(made)
        set_back(made, 2)
        made.commit(*(row(n, "GBPUSD") for n in range(3, 9)))
        await made.outbox.published(8)
        assert made.stream.sent == [[1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8]]  # and nothing behind 5 before that


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_cursor_that_was_not_noted_yet_is_not_noted_in_a_database_that_was_set_back_meanwhile(
    leaves: bool,
) -> None:
    async with house() as made:
        await relaying(made)
        await published_and_half_noted(made)
        set_back(made, 2)
        made.outbox.rows += [row(n, "GBPUSD") for n in range(3, 9)]
        if leaves:
            await made.system.terminate_child("relay")
            assert made.outbox.cursor == 2
        else:
            await made.outbox.published(8)
            assert made.stream.sent[-1] == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_database_set_back_between_the_last_look_and_the_move_of_the_cursor_keeps_its_own(leaves: bool) -> None:
    """It has grown past where the relay stood: noting that would pass over what nobody has published."""
    async with house() as made:
        await relaying(made)

        def restored() -> None:
            set_back(made, 2)
            made.outbox.rows += [row(n, "GBPUSD") for n in range(3, 9)]

        await published_and_half_noted(made)
        made.outbox.before_advance.append(restored)
        if leaves:
            await made.system.terminate_child("relay")
            assert made.outbox.cursor == 2
        else:
            await made.outbox.published(8)
            assert made.stream.sent[-1] == [3, 4, 5, 6, 7, 8]


async def test_a_database_of_another_generation_is_begun_with_from_its_own_cursor() -> None:
    async with house() as made:
        await relaying(made)
        made.outbox.down = "restoring"
        await anyio.sleep(1.5)
        made.outbox.generation, made.outbox.rows = "another", [row(n, "GBPUSD") for n in range(1, 8)]
        made.outbox.cursor, made.outbox.down = 6, None
        await made.outbox.published(7)
        assert made.stream.sent[-1] == [7]
        assert any(isinstance(each, ForgetWindows) for each in made.cache.messages)


@pytest.mark.parametrize("grown", [False, True])
async def test_a_standby_that_takes_over_without_what_was_published_last_is_begun_with_from_its_cursor(
    grown: bool,
) -> None:
    """Its cursor is the one that was noted; what it commits comes at positions that were published already."""
    async with house() as made:
        await relaying(made)
        await published_and_half_noted(made)
        made.outbox.down = "failing over"
        await anyio.sleep(1.5)
        assert made.outbox.cursor == 6
        set_back(made, 6)
        made.outbox.down, made.outbox.server = None, "server/2" if grown else "server/1"
        if not grown:
            await anyio.sleep(2.5)
        made.commit(row(7, "GBPUSD"))
        await made.outbox.published(7)
        assert made.stream.sent[-2:] == [[7], [7]]
        assert any(isinstance(each, ForgetWindows) for each in made.cache.messages)


async def test_a_standby_that_still_recovers_is_waited_for_and_begun_with_once_when_it_is_promoted() -> None:
    """What it shows while it recovers is not yet the life that it takes up: both would be begun with, one by one."""
    async with house() as made:
        await relaying(made)
        made.outbox.down = "failing over"
        await anyio.sleep(1.5)
        set_back(made, 2)
        made.outbox.down, made.outbox.server = None, "server/"
        await anyio.sleep(5)
        assert made.stream.sent == [[1, 2, 3, 4, 5]]
        assert not any(isinstance(each, ForgetWindows) for each in made.cache.messages)
        assert "still recovers" in health(made).why
        made.outbox.server = "server/2"
        made.commit(row(3, "GBPUSD"))
        await made.outbox.published(3)
        assert made.stream.sent[1:] == [[3]]
        assert sum(isinstance(each, ForgetWindows) for each in made.cache.messages) == 1


async def test_a_standby_that_was_read_from_the_beginning_is_read_on() -> None:
    async with house() as made:
        made.outbox.server = "server/"
        await relaying(made)
        made.commit(row(6))
        await made.outbox.published(6)
        assert not any(isinstance(each, ForgetWindows) for each in made.cache.messages)


@pytest.mark.parametrize("more", [0, 1])
async def test_a_standby_that_takes_over_while_no_request_is_under_way_notes_nothing_that_it_does_not_have(
    more: int,
) -> None:
    async with house() as made:
        await relaying(made, 1.3)  # the next look is after the move of the cursor
        await published_and_half_noted(made)
        set_back(made, 6)
        made.outbox.server = "server/2"
        made.commit(*(row(n, "GBPUSD") for n in range(7, 8 + more)))
        await made.outbox.published(7 + more)
        assert made.stream.sent[-1] == list(range(7, 8 + more))
        assert len(made.system.recorded(DatabaseSetBack)) == 1


async def test_a_second_standby_that_takes_over_right_after_the_first_notes_nothing_that_it_does_not_have() -> None:
    async with house() as made:
        await relaying(made, 5.0)  # looks by the clock are after all of this
        await published_and_half_noted(made)

        def second() -> None:
            set_back(made, 6)
            made.outbox.rows += [row(n, "USDJPY") for n in (7, 8)]
            made.outbox.server = "server/3"

        set_back(made, 6)
        made.outbox.server = "server/2"
        made.commit(row(7, "GBPUSD"))
        made.outbox.before_advance += [second, lambda: None]  # the second move is that to 7 of server/2
        await made.outbox.published(8)
        assert made.stream.sent == [[1, 2, 3, 4, 5], [6], [7], [7], [7, 8]]
        assert len(made.system.recorded(DatabaseSetBack)) == 2


async def test_it_is_begun_with_anew_also_where_the_stream_is_down_when_that_is_noticed() -> None:
    async with house() as made:
        await relaying(made)
        made.outbox.down = "restoring"
        await anyio.sleep(1.5)
        made.stream.failing = [StreamUnavailable("no broker")]
        made.outbox.generation, made.outbox.rows = "another", [row(n, "GBPUSD") for n in range(1, 8)]
        made.outbox.cursor, made.outbox.down = 6, None
        await made.outbox.published(7)
        assert made.stream.sent[-1] == [7]
        assert any(isinstance(each, ForgetWindows) for each in made.cache.messages)


async def test_the_cache_forgets_before_subscribers_are_told_who_then_fetch() -> None:
    async with house() as made:
        await relaying(made)
        before, note = made.stream.inner.subscriber().generation, made.cache.note
        seen = []

        def noted(message: object) -> None:
            if isinstance(message, ForgetWindows):
                told = made.system.recorded(DatabaseSetBack)
                seen.append((made.stream.inner.subscriber().generation == before, len(told)))
            note(message)

        made.cache.note = noted  # type: ignore[method-assign]
        set_back(made, 2)
        made.commit(row(3, "GBPUSD"))
        await made.outbox.published(3)
        assert seen == [(True, 1)]
        assert made.stream.inner.subscriber().generation != before


async def test_subscribers_of_before_are_told_and_those_who_come_afterwards_get_what_is_new() -> None:
    async with house() as made:
        await relaying(made)
        consumer = await made.start("consumer", ConsumerActor)
        await consumer.ask(NextUpdates("before", BARS, after="latest", timeout=0.0), 60)
        set_back(made, 2)
        await anyio.sleep(1.5)
        with pytest.raises(AskRejected, match="set back") as told:
            await consumer.ask(NextUpdates("before", BARS, after="latest"), 60)
        assert told.value.code == "position_lost"
        began = await consumer.ask(NextUpdates("after", BARS, after="latest", timeout=0.0), 60)
        made.commit(row(3, "GBPUSD"))
        answer = await consumer.ask(NextUpdates("after", BARS, after=began.place), 60)
        assert [(each.position, each.symbol) for each in answer.items] == [(3, "GBPUSD")]


@pytest.mark.parametrize("looked", [False, True])
async def test_the_newest_rows_of_before_are_forgotten_and_those_of_since_are_not_missed(looked: bool) -> None:
    async with house() as made:
        newest = Newest()
        await made.start("last", LastActor, newest)
        await relaying(made)
        assert newest.row(BARS, "EURUSD") is not None
        set_back(made, 2)
        if looked:
            await anyio.sleep(1.5)
        made.commit(row(3, "GBPUSD"))
        await made.outbox.published(3)
        await anyio.sleep(5)
        assert newest.row(BARS, "EURUSD") is None
        found = newest.row(BARS, "GBPUSD")
        assert found is not None
        assert found["close"] == 1.003


async def test_a_subscriber_of_before_is_told_also_by_a_consumer_that_fell_meanwhile_and_knows_it_no_more() -> None:
    async with house() as made:
        await relaying(made)
        consumer = await made.start("consumer", ConsumerActor)
        place = (await consumer.ask(NextUpdates("before", BARS, after="latest", timeout=0.0), 60)).place
        set_back(made, 2)
        await made.system.terminate_child("consumer")
        consumer = await made.system.restart_child("consumer")
        await anyio.sleep(1.5)
        with pytest.raises(AskRejected, match="position 5 given; this database has only come to 2") as told:
            await consumer.ask(NextUpdates("before", BARS, after=place), 60)
        assert told.value.code == "position_lost"


async def test_rows_that_another_process_published_and_pruned_are_not_passed_over_in_silence() -> None:
    async with house() as made:
        await relaying(made)
        consumer = await made.start("consumer", ConsumerActor)
        began = await consumer.ask(NextUpdates("mine", BARS, after="latest", timeout=0.0), 60)
        made.outbox.rows = [row(9)]
        made.outbox.cursor = made.outbox.pruned_to = 8
        await made.outbox.published(9)
        assert any(isinstance(each, ForgetWindows) for each in made.cache.messages)
        with pytest.raises(AskRejected) as told:
            await consumer.ask(NextUpdates("mine", BARS, after=began.place), 60)
        assert told.value.code == "position_lost"


async def test_rows_dropped_by_another_process_are_forgotten_by_this_ones_cache_at_the_next_look() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(2)
        assert not any(isinstance(each, ForgetWindows) for each in made.cache.messages)
        made.outbox.drops += 1
        await made.cache.expect(ForgetWindows)
        forgotten = len([each for each in made.cache.messages if isinstance(each, ForgetWindows)])
        await anyio.sleep(5)
        assert len([each for each in made.cache.messages if isinstance(each, ForgetWindows)]) == forgotten


async def test_rows_dropped_before_the_first_look_by_the_clock_are_forgotten_too() -> None:
    async with house() as made:
        await made.start("relay", RelayActor, poll_interval=1.0)
        await anyio.sleep(0.5)
        made.outbox.drops += 1
        await made.cache.expect(ForgetWindows)


async def test_who_holds_publishing_back_is_named_until_they_have_ended() -> None:
    async with house() as made:
        await relaying(made)
        made.outbox.held_by = "transaction of pid 4711 (psql), open since 2026-01-01 00:00:00 UTC (60 s)"
        await anyio.sleep(1.5)
        assert health(made).level == "degraded"
        assert "pid 4711" in health(made).why
        made.commit(row(6))
        await made.outbox.published(6)
        assert "pid 4711" in health(made).why
        made.outbox.held_by = None
        await anyio.sleep(1.5)
        assert health(made).level == "ok"


async def test_a_look_by_the_clock_reads_no_outbox_where_nothing_is_new() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(2)
        before = len(made.outbox.reads())
        await anyio.sleep(10)
        assert len(made.outbox.reads()) == before
        made.outbox.rows.append(row(6))  # by another process
        await made.outbox.published(6)


async def published_beyond_the_cursor(made: House) -> None:
    """Up to 7, and noted up to 6."""
    await relaying(made)
    made.commit(row(6), after=5)
    await made.stream.holds(6)
    made.commit(row(7), after=6)
    await made.stream.holds(7)
    assert made.outbox.cursor == 6


async def failed_over(made: House) -> None:
    """A standby that has what was noted, and nothing of what was published after that, has taken over and goes on."""
    made.outbox.down = "failing over"
    await anyio.sleep(1.5)
    set_back(made, 6)
    made.outbox.rows.append(row(7, "GBPUSD"))
    made.outbox.down, made.outbox.server = None, "server/2"


@pytest.mark.parametrize("noting", [False, True])
async def test_that_it_was_set_back_is_not_forgotten_where_another_process_moves_the_cursor_before_subscribers_are_told(
    noting: bool,
) -> None:
    async with house() as made:
        await published_beyond_the_cursor(made)
        before = made.stream.inner.subscriber().generation

        def restored() -> None:
            set_back(made, 2)
            made.outbox.rows += [row(n, "GBPUSD") for n in range(3, 10)]
            made.stream.failing = [StreamUnavailable("no broker")]

        if noting:
            made.outbox.before_advance.append(restored)
        else:
            restored()
        await made.cache.expect(ForgetWindows)
        made.outbox.cursor = 8
        await made.outbox.published(9)
        assert made.stream.sent[-1] == [*range(3, 10)]  # what this one stands before, whoever else published it
        assert made.stream.inner.subscriber().generation != before


async def test_who_leaves_before_looking_at_a_database_that_is_back_notes_nothing_in_it() -> None:
    """It may be a standby, which has changes at these positions that nobody has published."""
    async with house() as made:
        await published_beyond_the_cursor(made)
        await failed_over(made)
        await made.system.terminate_child("relay")
        assert made.outbox.cursor == 6


async def test_a_hint_that_goes_on_where_the_relay_stands_is_not_believed_before_the_database_was_looked_at() -> None:
    """Its 7 is another one than that which was published."""
    async with house() as made:
        await published_beyond_the_cursor(made)
        await failed_over(made)
        made.commit(row(8, "GBPUSD"), after=7)
        await made.outbox.published(8)
        await anyio.sleep(5)
        assert [position for batch in made.stream.sent for position in batch] == [*range(1, 8), 7, 8]


async def test_set_back_noticed_while_a_batch_is_noted_is_told_to_the_cache_first_and_then_to_subscribers() -> None:
    """From the hint on: published, noted, refused; cache and subscriber hear of it in this order, then what is new."""
    async with house() as made:
        await relaying(made, poll_interval=600.0)
        consumer = await made.start("consumer", ConsumerActor)
        await consumer.ask(NextUpdates("before", BARS, after="latest", timeout=0.0), 60)
        await anyio.sleep(0.5)  # so that the cursor may be moved again
        made.outbox.before_advance.append(lambda: set_back(made, 2))
        made.cache.messages.clear()
        made.commit(row(6), after=5)
        await made.stream.holds(6)
        await made.cache.expect(ForgetWindows)
        assert [type(each) for each in made.cache.messages] == [Invalidate, ForgetWindows]
        with pytest.raises(AskRejected, match="set back") as told:
            await consumer.ask(NextUpdates("before", BARS, after="latest"), 60)
        assert told.value.code == "position_lost"
        began = await consumer.ask(NextUpdates("after", BARS, after="latest", timeout=0.0), 60)
        made.commit(row(3, "GBPUSD"), after=2)
        answer = await consumer.ask(NextUpdates("after", BARS, after=began.place), 60)
        assert [(each.position, each.symbol) for each in answer.items] == [(3, "GBPUSD")]
        assert made.outbox.cursor in (2, 3)
