"""Finds where a cursor has to begin: by a mark, by an outbox position, at one of the ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import anyio.lowlevel
from aiokafka import TopicPartition

from backbone.domain.hashing import partition_of
from backbone.stream.errors import PositionGone, StreamUnavailable
from backbone.stream.kafka.marks import Spot, passed_of, spots_of
from backbone.stream.kafka.standing import Identity, Offsets
from backbone.stream.kafka.tail import Tail
from backbone.stream.records import Place

__all__ = ["Keys", "Stand", "at_the_end", "at_the_oldest", "at_the_place", "keys_of"]

Keys = Mapping[TopicPartition, tuple[str | None, ...]]
"""What is wanted of each partition: symbols, or None for all."""

_HASHED_AT_ONCE: Final = 500
_MADE_ANEW: Final = "topics were made anew just now, or got other partitions; ask again"
_NAMED: Final = 64  # symbols of one partition; who wants more looks at each record


class Stand(NamedTuple):
    """Where a cursor stands in a stream.

    Attributes:
        identity: of the stream.
        spots: in each of its partitions.
        position: whatever matches up to this outbox position was handed out.
        gone: records that it wants may be in the outbox only; None: all are here.
    """

    identity: Identity
    spots: Mapping[TopicPartition, Spot]
    position: int
    gone: PositionGone | None = None


async def keys_of(identity: Identity, topics: Sequence[str], symbols: frozenset[str]) -> Keys:
    """The partitions in which the symbols lie (none: all partitions), and which of them in which."""
    found: dict[TopicPartition, list[str]] = {}
    for topic in topics:
        partitions = identity.topics[topic].partitions
        if not symbols:
            found |= {TopicPartition(topic, each): [] for each in range(partitions)}
        for number, symbol in enumerate(symbols):
            found.setdefault(TopicPartition(topic, partition_of(symbol, partitions)), []).append(symbol)
            if number % _HASHED_AT_ONCE == _HASHED_AT_ONCE - 1:
                await anyio.lowlevel.checkpoint()
    return {at: tuple(named) if 0 < len(named) <= _NAMED else (None,) for at, named in found.items()}


async def at_the_end(tail: Tail, partitions: Sequence[TopicPartition]) -> Stand:
    """After the newest record."""
    identity = tail.identity
    await tail.look()
    if identity.topics != tail.identity.topics:
        raise StreamUnavailable(_MADE_ANEW)
    newest = _of(tail.newest, partitions)
    spots = {at: Spot(tail.recent.end(at), position) for at, position in newest.items()}
    return Stand(tail.identity, spots, tail.frontier)


async def at_the_oldest(tail: Tail, partitions: Sequence[TopicPartition]) -> Stand:
    """Before the oldest record that is here."""
    identity, standing = tail.identity, tail.standing
    begins, ends = await standing.begins(identity), await standing.ends()
    firsts = await standing.first_positions(_of(begins, partitions), ends)
    position = max(0, min(firsts.values(), default=tail.frontier + 1) - 1)
    return Stand(identity, {at: Spot(offset, 0) for at, offset in _of(begins, partitions).items()}, position)


async def at_the_place(
    tail: Tail, partitions: Sequence[TopicPartition], place: Place, seen: Mapping[TopicPartition, int]
) -> Stand:
    """Where a mark of this stream says, else after its position, and without what it had of more.

    Args:
        tail: of the stream.
        partitions: to stand in.
        place: where to.
        seen: of each partition the outbox position up to which all was handed out, where that is known.
    """
    identity = tail.identity
    marked = spots_of(place.mark, identity.generation) or {}
    spots = {at: marked[at] for at in partitions if at in marked and marked[at].offset <= tail.recent.end(at)}
    unmarked = [at for at in partitions if at not in spots]  # behind the end, what comes there may be lost and others
    if not unmarked:
        return Stand(identity, spots, place.position)
    begins, ends = await tail.standing.begins(identity), await tail.standing.ends()
    offsets = await tail.standing.after(place.position, _of(begins, unmarked), _of(ends, unmarked))
    seen = {**passed_of(place.mark, identity.line, identity.counts), **seen}
    spots |= {at: Spot(offset, max(place.position, seen.get(at, 0))) for at, offset in offsets.items()}
    gone = await _gone(tail, place.position, [at for at in unmarked if offsets[at] == begins[at]], begins, ends)
    return Stand(identity, spots, place.position, gone)


async def _gone(
    tail: Tail, position: int, oldest: Sequence[TopicPartition], begins: Offsets, ends: Offsets
) -> PositionGone | None:
    """Whether something after the position may have been here and be so no more.

    A topic that was made anew holds what the outbox still had, whose first record may come long after the position;
    Kafka deletes the oldest records of each partition by itself; and where the stream began again, what it had of
    before counts no more, also while nothing has come since. What was between, only the outbox knows.
    """
    if not oldest:
        return None
    firsts = await tail.standing.first_positions(begins, ends)
    first = min(firsts.values(), default=0)
    deleted = [firsts[at] for at in oldest if at in firsts and begins[at] > tail.identity.marker(at)]
    first = max([first, *deleted, tail.identity.began_after + 1])
    return PositionGone(position, first) if first > position + 1 else None


def _of(offsets: Offsets, partitions: Sequence[TopicPartition]) -> Offsets:
    if any(at not in offsets for at in partitions):
        raise StreamUnavailable(_MADE_ANEW)
    return {at: offsets[at] for at in partitions}
