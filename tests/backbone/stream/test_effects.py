"""Effects of changes, once each, whatever falls in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from actors import ChildSpec, handles
from backbone.store.messages import CommitOffsets, KeepDeadLetters, ReadOffsets, ReadSeen, RecordSeen
from backbone.stream.effects import EffectsActor
from backbone.stream.errors import StreamUnavailable
from backbone.stream.feed import Change
from tests.backbone.stream.kit import House, Outbox, Store, house, row


class Inbox(Store):
    """A store that knows what consumers have done."""

    def __init__(self, outbox: Outbox, seen: set[str], offsets: dict[tuple[str, int], int]) -> None:
        super().__init__(outbox)
        self._seen = seen
        self._offsets = offsets

    @handles
    def seen(self, message: ReadSeen) -> set[str]:
        self._met(message)
        return self._seen & set(message.event_ids)

    @handles
    def record(self, message: RecordSeen) -> int:
        self._met(message)
        self._seen |= set(message.event_ids)
        return len(message.event_ids)

    @handles
    def offsets(self, message: ReadOffsets) -> dict[tuple[str, int], int]:
        self._met(message)
        return self._offsets

    @handles
    def commit(self, message: CommitOffsets) -> None:
        self._met(message)
        self._offsets.update(message.offsets)


class Made:
    """A house, what was done in it, and what is to go wrong."""

    def __init__(self, plain: House) -> None:
        self.house = plain
        self.effects: list[str] = []
        self.rows: dict[str, Change] = {}
        self.seen: set[str] = set()
        self.offsets: dict[tuple[str, int], int] = {}
        self.before: Callable[[Change], None] = lambda change: None
        self.after: Callable[[Change], None] = lambda change: None

    async def effect(self, change: Change) -> None:
        """As a store writes: what is there under this identity already is not written again."""
        self.before(change)
        self.effects.append(change.event_id)
        self.rows.setdefault(change.event_id, change)
        self.after(change)

    async def publish(self, *positions: int) -> None:
        rows = [row(position) for position in positions]
        self.house.outbox.rows += rows
        publisher = self.house.stream.inner.publisher()
        await publisher.open()
        await publisher.publish(rows)

    async def has(self, *positions: int) -> None:
        """Wait until exactly these had their effect, and all of it is noted."""
        await anyio.sleep(30)
        assert sorted(self.rows) == sorted(f"event-{position}" for position in positions)
        assert self.seen == set(self.rows)
        assert self.offsets == {("outbox", 0): max(positions)}


@asynccontextmanager
async def made(*, shared: bool = False) -> AsyncIterator[Made]:
    async with house(shared=shared) as plain:
        each = Made(plain)
        await plain.system.terminate_child("store")
        await plain.system.delete_child("store")
        await plain.system.start_child(ChildSpec("store", Inbox, args=(plain.outbox, each.seen, each.offsets)))
        yield each


async def test_each_change_has_its_effect_once_also_where_it_is_published_again() -> None:
    async with made() as each:
        await each.house.start("effects", EffectsActor, "sink", each.effect)
        await each.publish(1, 2, 3)
        await each.publish(2, 3, 4)
        await each.has(1, 2, 3, 4)
        assert each.effects == [f"event-{n}" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_before_an_effect_or_between_it_and_its_note_none_is_lost_or_doubled(when: str) -> None:
    async with made() as each:
        falls = [2, 3, 3]

        def fall(change: Change) -> None:
            if falls and change.position == falls[0]:
                falls.pop(0)
                raise RuntimeError("killed")

        setattr(each, when, fall)
        await each.house.start("effects", EffectsActor, "sink", each.effect)
        await each.publish(1, 2, 3, 4)
        await each.has(1, 2, 3, 4)
        assert falls == []
        repeated = [f"event-{n}" for n in (2, 3, 3)] if when == "after" else []
        assert sorted(each.effects) == sorted([f"event-{n}" for n in (1, 2, 3, 4)] + repeated)


async def test_another_process_goes_on_where_the_group_noted_last() -> None:
    async with made() as each:
        await each.house.start("effects", EffectsActor, "sink", each.effect)
        await each.publish(1, 2)
        await each.has(1, 2)
        await each.house.system.terminate_child("effects")
        await each.publish(3, 4)
        await each.house.start("another", EffectsActor, "sink", each.effect)
        await each.has(1, 2, 3, 4)
        assert each.effects == [f"event-{n}" for n in (1, 2, 3, 4)]


async def test_with_the_store_or_the_stream_away_it_waits_and_loses_nothing() -> None:
    async with made() as each:
        each.house.stream.failing = [StreamUnavailable("no broker")] * 3
        ref = await each.house.start("effects", EffectsActor, "sink", each.effect)
        await each.publish(1, 2)
        await each.has(1, 2)
        each.house.outbox.down = "no room"
        await each.publish(3)
        await anyio.sleep(30)
        entry = each.house.system.roster().find(ref.path)
        assert entry is not None
        assert entry.health.level == "degraded"
        each.house.outbox.down = None
        await each.has(1, 2, 3)


async def test_what_is_no_change_has_no_effect_and_stops_none_behind_it() -> None:
    async with made(shared=True) as each:
        ref = await each.house.start("effects", EffectsActor, "sink", each.effect)
        publisher = each.house.stream.inner.publisher()
        await publisher.open()
        await publisher.publish([row(1), row(2, payload=b"no frame"), row(3)])
        await each.house.outbox.kept(1)
        await anyio.sleep(30)
        assert each.effects == ["event-1", "event-3"]
        entry = each.house.system.roster(detail=True).find(ref.path)
        assert entry is not None
        assert entry.detail == {"position": 3, "effects": 2, "dead_letters": 1, "dead_letters_lost": 0}


async def test_changes_that_were_pruned_before_their_effect_are_told_and_not_passed_over() -> None:
    async with made() as each:
        each.offsets["outbox", 0] = 1
        each.house.outbox.pruned_to = 5
        publisher = each.house.stream.inner.publisher()
        await publisher.open()
        await publisher.resume(5)
        await each.publish(6)
        ref = await each.house.start("effects", EffectsActor, "sink", each.effect)
        await anyio.sleep(30)
        entry = each.house.system.roster().find(ref.path)
        assert entry is not None
        assert (entry.health.level, each.effects) == ("failed", [])


async def test_a_dead_letter_is_safe_before_it_is_noted_that_all_up_to_it_was_taken() -> None:
    async with made(shared=True) as each:
        await each.house.start("effects", EffectsActor, "sink", each.effect)
        publisher = each.house.stream.inner.publisher()
        await publisher.open()
        await publisher.publish([row(1, payload=b"no frame")])
        await anyio.sleep(30)
        assert each.offsets == {("outbox", 0): 1}
        asked = [type(message) for message in each.house.outbox.asked]
        assert asked.index(KeepDeadLetters) < asked.index(CommitOffsets)
