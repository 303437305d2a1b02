"""What the relay does with rows that the store hands it as they are committed; on the virtual clock."""

from __future__ import annotations

import random

import anyio
import pytest

from actors import ActorRef
from backbone.store.messages import OutboxGrew, ReadOutbox
from backbone.stream.errors import StreamUnavailable
from backbone.stream.hints import Hints
from backbone.stream.relay import RelayActor
from tests.backbone.stream.kit import MOMENT, House, house, row


async def relaying(made: House, poll_interval: float = 3600) -> ActorRef:
    return await made.start("relay", RelayActor, poll_interval=poll_interval)


def sent(made: House) -> list[int]:
    return [position for batch in made.stream.sent for position in batch]


async def test_what_comes_with_a_hint_is_published_without_a_read() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(1)
        made.commit(row(1), row(2), after=0)
        await made.stream.holds(2)
        made.commit(row(3), after=2)
        await made.stream.holds(3)
        assert sent(made) == [1, 2, 3]
        assert made.outbox.reads() == []  # at the start it is seen that nothing is there


async def test_hints_that_follow_each_other_are_taken_together_and_the_cursor_moves_once() -> None:
    async with house() as made:
        await relaying(made)
        made.stream.gate = anyio.Event()
        await anyio.sleep(1)
        made.commit(row(1), after=0)
        await anyio.sleep(1)
        for position in range(2, 40):
            made.commit(row(position), after=position - 1)
        await anyio.sleep(1)
        made.stream.gate.set()
        await made.outbox.published(39)
        assert made.stream.sent == [[1], list(range(2, 40))]
        assert made.outbox.advanced() == [1, 39]


async def test_the_cursor_is_moved_twice_a_second_at_most() -> None:
    async with house() as made:
        await relaying(made)
        for position in range(1, 201):
            made.commit(row(position), after=position - 1)
            await anyio.sleep(0.01)
        await made.outbox.published(200)
        assert sent(made) == list(range(1, 201))
        assert 3 <= len(made.outbox.advanced()) <= 6


async def test_a_gap_between_two_hints_is_read() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(1)
        made.commit(row(1), after=0)
        made.outbox.rows.append(row(2))  # by another process
        made.commit(row(3), after=2)
        await made.stream.holds(3)
        assert sent(made) == [1, 2, 3]


async def test_a_lost_hint_and_hints_out_of_order_cost_a_read_and_no_row() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(1)
        rows = [row(position) for position in range(1, 6)]
        made.outbox.rows.extend(rows)
        for position in (3, 1, 5, 4):  # that of 2 is lost
            made.hint(rows[position - 1], after=position - 1)
        await made.stream.holds(5)
        assert sent(made) == [1, 2, 3, 4, 5]


async def test_a_hint_without_rows_is_read_once_and_not_looked_at_twice() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(1)
        made.commit(row(1), row(2))
        await made.stream.holds(2)
        await anyio.sleep(1)
        assert made.outbox.reads() == [0]


async def test_a_hint_of_what_was_read_meanwhile_is_no_reason_to_look() -> None:
    async with house() as made:
        await relaying(made)
        made.stream.gate = anyio.Event()
        await anyio.sleep(1)
        made.outbox.rows = [row(1), row(2)]
        made.hint(row(1))
        await anyio.sleep(1)
        made.hint(row(2))
        made.stream.gate.set()
        await made.outbox.published(2)
        await anyio.sleep(1)
        assert made.outbox.reads() == [0]


@pytest.mark.parametrize("rows", [[row(n) for n in range(1, 601)], [row(n, payload=b"x" * 2**20) for n in range(1, 9)]])
async def test_a_read_that_may_have_left_something_out_is_followed_by_another(rows: list[object]) -> None:
    async with house() as made:
        made.outbox.rows = [*rows]  # type: ignore[list-item]
        await relaying(made)
        await made.outbox.published(len(rows))
        await anyio.sleep(1)
        assert len(made.outbox.reads()) == 2


async def test_what_was_handed_out_before_a_crash_is_read_after_it() -> None:
    async with house() as made:
        relay = await relaying(made)
        await anyio.sleep(1)
        made.stream.failing = [RuntimeError("a bug")]
        made.commit(row(1), after=0)
        await made.outbox.published(1)
        made.commit(row(2), after=1)
        await made.stream.holds(2)
        assert sent(made) == [1, 2]
        assert relay.incarnation == 2


async def test_hints_of_another_backbone_in_this_system_are_not_ours() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(1)
        made.system.publish(OutboxGrew, "/test/other/store", position=1, outbox=(row(1),), after=0)
        made.commit(row(1, "GBPUSD"), after=0)
        await made.stream.holds(1)
        assert sent(made) == [1]


async def test_what_was_published_is_noted_on_leaving() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(1)
        made.commit(row(1), after=0)
        await made.stream.holds(1)
        made.commit(row(2), after=1)
        await made.stream.holds(2)
        await made.system.terminate_child("relay")
        assert made.outbox.cursor == 2


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_becomes_of_hints_each_change_is_published_once_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    async with house() as made:
        await relaying(made, poll_interval=1.0)
        position, held = 0, list[tuple[int, int]]()
        for step in range(120):
            after, position = position, position + chance.randint(1, 3)
            made.outbox.rows.append(row(position))
            fate = chance.random()
            if fate < 0.6:
                made.hint(row(position), after=after)
            elif fate < 0.7:
                made.hint(row(position))
            elif fate < 0.85:
                held.append((after, position))
            if held and chance.random() < 0.2:
                earlier, of = held.pop(chance.randrange(len(held)))
                made.hint(row(of), after=earlier)
            if step == 60:
                made.stream.failing = [RuntimeError("a bug")]
            elif chance.random() < 0.05:
                made.stream.failing = [StreamUnavailable("no broker")]
            await anyio.sleep(chance.choice([0, 0, 0.001, 0.2, 1.5]))
        await made.outbox.published(position)
        first_sent = list(dict.fromkeys(sent(made)))
        assert first_sent == [each.position for each in made.outbox.rows]


def test_more_hints_than_are_kept_are_read_instead() -> None:
    known = Hints()
    for position in range(1, 70):
        known.note(OutboxGrew(path="/store", at=MOMENT, position=position, outbox=(row(position),), after=position - 1))
    assert known.take(0, 500) == []
    assert known.look(0)
    assert not known.look(0)


def test_larger_hints_than_are_kept_are_read_instead() -> None:
    known, large = Hints(), b"x" * 2**20
    for position in range(1, 6):
        hint = (row(position, payload=large),)
        known.note(OutboxGrew(path="/store", at=MOMENT, position=position, outbox=hint, after=position - 1))
    assert known.take(0, 500) == []
    assert known.look(0)


def test_what_was_taken_makes_room_for_further_hints() -> None:
    known, large = Hints(), b"x" * 2**20
    for position in range(1, 20):
        hint = (row(position, payload=large),)
        known.note(OutboxGrew(path="/store", at=MOMENT, position=position, outbox=hint, after=position - 1))
        if position == 4:  # a gap: what is kept is of no use
            assert known.take(9, 500) == []
        elif position > 4:
            assert [each.position for each in known.take(position - 1, 500)] == [position]
    assert not known.look(20)


def test_hints_that_are_taken_together_are_no_more_than_a_batch_for_readers_look_back_over_one() -> None:
    known = Hints()
    rows = [row(n, payload=b"") for n in range(1, 701)]
    for first in (0, 300):
        hint = tuple(rows[first : first + 300 + first // 3])
        known.note(OutboxGrew(path="/store", at=MOMENT, position=hint[-1].position, outbox=hint, after=first))
    assert [each.position for each in known.take(0, 500)] == list(range(1, 301))
    assert [each.position for each in known.take(300, 500)] == list(range(301, 701))


async def test_what_is_committed_and_not_to_be_seen_yet_is_looked_for_before_the_next_poll() -> None:
    """A server shows nothing of what is committed before all older transactions have ended, of which nobody tells."""
    async with house() as made:
        await relaying(made)
        await anyio.sleep(1)
        made.hint(row(1))
        await anyio.sleep(0.5)
        made.outbox.rows.append(row(1))
        committed = anyio.current_time()
        await made.stream.holds(1)
        assert anyio.current_time() < committed + 1
        looks = len(made.outbox.reads())
        await anyio.sleep(600)
        assert len(made.outbox.reads()) == looks  # once it was seen, that is the end of it


async def test_it_is_looked_for_ever_less_often_and_no_more_once_the_database_was_set_back() -> None:
    async with house() as made:
        made.outbox.rows.append(row(1))
        await relaying(made)
        await made.outbox.published(1)
        made.hint(row(9))
        await anyio.sleep(60)
        looks = len(made.outbox.reads())
        assert 40 < looks < 120
        made.outbox.cursor, made.outbox.rows = 0, []
        await anyio.sleep(10)
        looks = len(made.outbox.reads())
        await anyio.sleep(600)
        assert len(made.outbox.reads()) == looks


async def test_a_look_at_the_outbox_is_one_question_that_says_where_the_stored_cursor_was() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(1)
        made.commit(row(1))
        await made.outbox.published(1)
        made.outbox.asked.clear()
        made.commit(row(2))
        await made.stream.holds(2)
        assert [(type(each), each.known) for each in made.outbox.asked] == [(ReadOutbox, 1)]


async def test_a_database_that_was_set_back_is_noticed_by_the_read_itself() -> None:
    async with house() as made:
        await relaying(made)
        await anyio.sleep(1)
        made.commit(row(1), row(2), row(3))
        await made.outbox.published(3)
        made.outbox.cursor, made.outbox.rows = 1, [row(1)]
        made.commit(row(2, "GBPUSD"), row(4))
        await made.outbox.published(4)
        assert sent(made) == [1, 2, 3, 2, 4]
        assert made.stream.begun_again == [1]


def test_where_some_of_it_was_seen_the_rest_is_looked_for_at_once_again() -> None:
    known = Hints()
    known.note(OutboxGrew(path="/store", at=MOMENT, position=9, outbox=()))
    first, *longer = [known.unseen(1) for _ in range(20)]
    assert longer == sorted(longer)
    assert longer[-1] > 10 * first
    assert known.unseen(5) == first
    assert known.unseen(9) == 0
