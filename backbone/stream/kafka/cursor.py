"""A cursor over Kafka: it takes what all share, and what is behind that by a client that it is lent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import anyio
from aiokafka import TopicPartition
from msgspec.structs import replace

from backbone.stream.errors import PositionGone, StreamClosed, StreamSetBack, StreamUnavailable
from backbone.stream.kafka.fetching import Fetched, Fetcher, OffsetsGone
from backbone.stream.kafka.lending import Lending
from backbone.stream.kafka.marks import Marks, Spot
from backbone.stream.kafka.placing import Keys, Stand, at_the_place, keys_of
from backbone.stream.kafka.tail import Tail, note
from backbone.stream.letters import Letters
from backbone.stream.records import Place, Record

__all__ = ["KafkaCursor"]

_LOOK = 0.5  # seconds for a fetch behind the others, also for who only looks
_SILENT = 3.0  # seconds of it without an answer until somebody asks why


class KafkaCursor:
    """An independent cursor. Where it has all that came it rests, and costs nothing until something comes for it.

    Args:
        tail: what all share.
        lending: who gives it a client where it is behind that.
        require_open: raises where the subscriber is closed.
        topics: of the dimensions it wants.
        symbols: it wants; none: all.
        keys: what it wants of each partition.
        stand: where it begins.
        letters: get what nobody can read of what it fetches by itself.
    """

    def __init__(
        self,
        tail: Tail,
        lending: Lending,
        require_open: Callable[[], None],
        topics: Sequence[str],
        symbols: frozenset[str],
        keys: Keys,
        stand: Stand,
        letters: Letters,
    ) -> None:
        self._tail = tail
        self._letters = letters
        self._lending = lending
        self._require_open = require_open
        self._topics = topics
        self._symbols = symbols
        self._is_closed = False
        self._turn = 0
        self._resting: set[TopicPartition] = set()
        self.wake = anyio.Event()
        self._stand(keys, stand)

    def _stand(self, keys: Keys, stand: Stand) -> None:
        self._rest_nowhere()
        self._keys, self._identity, self._gone = keys, stand.identity, stand.gone
        self._spots = dict(stand.spots)
        self._marks = Marks(stand.identity.generation, self._spots, stand.identity.line, stand.identity.counts)
        self._position = stand.position
        self._passed: dict[TopicPartition, int] = {}
        self._owes = False
        self._cuts = self._tail.cuts
        self._place = Place(self._position, self._marks.text())

    @property
    def place(self) -> Place:
        """Where it stood when it was asked last, or was placed: what it passes over meanwhile is noted by the next."""
        return self._place

    @property
    def offsets(self) -> dict[TopicPartition, int]:
        """What comes next in each partition; none where the cursor is closed, or the topics are others by now."""
        if self._is_closed or not self._stands_here():
            return {}
        return {at: self._offset(at) for at in self._spots}

    def came(self, at: TopicPartition, offset: int) -> None:
        """Something came in a partition where it rests."""
        self._resting.discard(at)
        self._tail.interest.leave(self, at, self._keys[at])
        self._put(at, Spot(max(offset, self._spots[at].offset), self._spots[at].position))

    async def poll(self, max_records: int = 500, timeout: float = 1.0) -> list[Record]:
        """Wait at most `timeout` seconds for matching records, fetching for all others where nobody else does."""
        if max_records < 1:
            raise ValueError(f"max_records={max_records} given; at least 1 is needed")
        until = anyio.current_time() + timeout
        self._require_usable()
        try:
            if self._owes:  # what was taken and not given, since the poll was cancelled
                await self._go(self._place, {})
            if timeout <= 0:
                await self._tail.look()
            return await self._polled(max_records, until)
        except StreamUnavailable:
            self._require_usable()
            raise

    async def _polled(self, limit: int, until: float) -> list[Record]:
        while True:
            self._require_usable()
            if not self._stands_here():
                await self._move_over()
            elif self._cuts != self._tail.cuts:
                await self._go(self._place, {})  # other records come at offsets that it has passed
            if self._gone is not None:
                raise PositionGone(self._gone.position, self._gone.first_position)
            self.wake = anyio.Event()
            left = until - anyio.current_time()
            if records := self._take(limit):
                return self._placed(records)
            if behind := self._behind():
                if records := await self._caught_up(behind, limit, max(left, _LOOK)):
                    return self._placed(records)
            elif left > 0:
                await self._tail.step(left, self.wake)
            if until <= anyio.current_time() and self._has_nothing():
                if self._tail.down is not None:
                    raise StreamUnavailable(self._tail.down)
                return self._placed([])

    def _has_nothing(self) -> bool:
        """Whether nothing that was taken in waits to be looked at, as it may where time has just run out."""
        return not self._stands_here() or all(
            at in self._resting or spot.offset < self._tail.recent.begin(at) for at, spot in self._spots.items()
        )

    def _require_usable(self) -> None:
        if self._is_closed:
            raise StreamClosed("this cursor is closed; ask the subscriber for a new one")
        self._require_open()
        if self._identity.began != self._tail.identity.began:
            raise StreamSetBack(f"the database was set back; position {self._position} is of what it was before")

    def _stands_here(self) -> bool:
        """Whether the topics are those in which it has its place."""
        return self._identity.topics == self._tail.identity.topics

    async def _move_over(self) -> None:
        """Find the place in topics that were made anew; of as many partitions, each has the symbols that it had."""
        same = {name: seen.partitions for name, seen in self._tail.identity.topics.items()}
        seen = {at: spot.position for at, spot in self._spots.items() if self._count(at) == same.get(at.topic)}
        await self._go(Place(self._position), seen)

    def _count(self, at: TopicPartition) -> int:
        return self._identity.topics[at.topic].partitions

    async def seek(self, place: Place) -> None:
        """Stand at a place."""
        if place.position < 0:
            raise ValueError(f"position {place.position} given; allowed: 0 (before the first record) or more")
        await self._go(place, {})

    async def _go(self, place: Place, seen: dict[TopicPartition, int]) -> None:
        keys = await keys_of(self._tail.identity, self._topics, self._symbols)
        self._stand(keys, await at_the_place(self._tail, list(keys), place, seen))

    def _take(self, limit: int) -> list[Record]:
        """What is here of that which all share."""
        recent, records = self._tail.recent, list[Record]()
        for at in self._awake():
            offset = self._spots[at].offset
            if offset < recent.begin(at):
                continue
            records += self._matching(recent.of(at, offset, self._keys[at]), limit - len(records))
            if len(records) < limit or not self._has_more(at):
                self._rest(at)
            if len(records) >= limit:
                break
        return records

    def _awake(self) -> list[TopicPartition]:
        """The partitions in which it does not rest, each time from another one on, so that none waits for long."""
        awake = [each for each in self._spots if each not in self._resting]
        self._turn += 1
        first = self._turn % len(awake) if awake else 0
        return awake[first:] + awake[:first]

    def _has_more(self, at: TopicPartition) -> bool:
        return next(self._tail.recent.of(at, self._spots[at].offset, self._keys[at]), None) is not None

    def _matching(self, fetched: Iterable[Fetched], limit: int) -> list[Record]:
        """Move past these, up to so many that match."""
        records: list[Record] = []
        if limit < 1:
            return records
        passed: dict[TopicPartition, tuple[int, int]] = {}
        for each in fetched:
            content = each.content
            if isinstance(content, Record):
                passed[each.at] = each.until, content.position
                if self._is_wanted(each):
                    spot = Spot(each.until, max(content.position, self._spots[each.at].position))
                    self._put(each.at, spot)
                    self._owes = True
                    records.append(replace(content, place=Place(self._position, self._marks.text())))
                    if len(records) >= limit:
                        break
            else:
                passed[each.at] = each.until, passed.get(each.at, (0, 0))[1]
        for at, (until, position) in passed.items():
            self._passed[at] = max(self._passed.get(at, 0), position)
            if until > self._spots[at].offset:
                self._put(at, Spot(until, self._spots[at].position))
        return records

    def _placed(self, records: list[Record]) -> list[Record]:
        """The last one knows the place exactly; of those before it, the position tells what was so at the begin."""
        if self._stands_here():
            self._move_up()
        self._owes = False
        self._place = Place(self._position, self._marks.text())
        if records:
            records[-1] = replace(records[-1], place=self._place)
        return records

    def _put(self, at: TopicPartition, spot: Spot) -> None:
        self._spots[at] = spot
        self._marks.put(at, spot)

    def _offset(self, at: TopicPartition) -> int:
        offset = self._spots[at].offset
        return int(max(offset, self._tail.recent.end(at))) if at in self._resting else offset

    def _move_up(self) -> None:
        """Note how far it has come where it rests, and up to which position it has all."""
        safe = self._tail.frontier
        for at in self._spots:
            if at not in self._resting:
                safe = min(safe, self._safe(at))
            elif (offset := self._offset(at)) != self._spots[at].offset:
                self._put(at, Spot(offset, self._spots[at].position))
        self._position = max(self._position, safe)

    def _safe(self, at: TopicPartition) -> int:
        """Up to which position it has all of a partition in which there is more."""
        offset, recent = self._spots[at].offset, self._tail.recent
        if offset >= recent.begin(at):
            following = next(recent.of(at, offset, self._keys[at]), None)
            if following is None:
                return self._tail.frontier
            if isinstance(following.content, Record):
                return int(following.content.position) - 1
        return self._passed.get(at, 0)

    def _rest(self, at: TopicPartition) -> None:
        self._resting.add(at)
        self._tail.interest.rest(self, at, self._keys[at])

    def _rest_nowhere(self) -> None:
        for at in self._resting:
            self._tail.interest.leave(self, at, self._keys[at])
        self._resting = set()

    def _behind(self) -> dict[TopicPartition, int]:
        """The partitions in which it is before what all share."""
        recent = self._tail.recent
        waiting = {at: spot.offset for at, spot in self._spots.items() if at not in self._resting}
        return {at: offset for at, offset in waiting.items() if offset < recent.begin(at)}

    async def _caught_up(self, behind: dict[TopicPartition, int], limit: int, wait: float) -> list[Record]:
        """What comes next where it is behind."""
        async with self._lending.lend(self, wait) as fetcher:
            if fetcher is None:
                return []
            _assign(fetcher, behind)
            try:
                fetched = await fetcher.fetch(min(wait, _LOOK), limit)
            except OffsetsGone as error:
                await self._lose(error.partitions)
                return []
            for each in fetched:
                note(each, self._letters)
            records = self._matching(fetched, limit)
            for at, offset in fetcher.next.items():
                self._put(at, Spot(max(offset, self._spots[at].offset), self._spots[at].position))
            silent = fetcher.silent_for() > _SILENT
        if silent or not self._stands_here() or not self._behind():
            await self._lending.give_back(self)
        if silent:
            await self._tail.verify()
        return records

    async def _lose(self, partitions: Collection[TopicPartition]) -> None:
        """What it was to read next is not there: the topics are others, or it was deleted, and the outbox has it."""
        await self._tail.verify()
        if not self._stands_here():
            return
        standing, identity = self._tail.standing, self._identity
        begins, ends = await standing.begins(identity), await standing.ends()
        firsts = await standing.first_positions({at: begins[at] for at in partitions}, ends)
        if not self._stands_here():  # any more: topics may be made anew meanwhile
            return
        first = max(firsts.get(at, self._tail.frontier + 1) for at in partitions)
        self._move_up()  # from where it stood: what comes next is no proof that it had what was before that
        for at in partitions:
            self._put(at, Spot(begins[at], self._spots[at].position))
        if first > self._position + 1:
            self._gone = PositionGone(self._position, first)

    async def lag(self) -> int:
        """Matching records that are published and not read; of those behind what all share, all count as matching."""
        self._require_usable()
        await self._tail.look()
        if not self._stands_here():
            await self._move_over()
        recent, count = self._tail.recent, 0
        for at, offset in self.offsets.items():
            count += max(0, recent.begin(at) - offset)
            if at not in self._resting:
                count += sum(1 for each in recent.of(at, offset, self._keys[at]) if self._is_wanted(each))
        return count

    def _is_wanted(self, each: Fetched) -> bool:
        content = each.content
        if not isinstance(content, Record) or (self._symbols and content.key not in self._symbols):
            return False
        return content.position > self._spots[each.at].position or each.sent_back

    async def close(self) -> None:
        """Refuse further polls."""
        self._is_closed = True
        self._rest_nowhere()
        self.wake.set()
        await self._lending.give_back(self)


def _assign(fetcher: Fetcher, offsets: dict[TopicPartition, int]) -> None:
    """Have a client go on with these partitions, and where it does, leave it alone."""
    if any(fetcher.next.get(at) != offset for at, offset in offsets.items()):
        fetcher.assign(offsets)
    for at in [each for each in fetcher.next if each not in offsets]:
        fetcher.drop(at)
