"""What comes in now, fetched once for all cursors of a subscriber that stand near the end.

Nothing goes on here by itself: of the cursors that wait for something, one fetches for all of them. So what nobody
reads is not fetched either: it stays with the brokers, not in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final, Protocol

import anyio
from aiokafka import TopicPartition

from backbone.stream.errors import StreamUnavailable
from backbone.stream.interest import Interest, Reader
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.fetching import Fetched, Fetcher, OffsetsGone
from backbone.stream.kafka.identity import Beginning
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.recent import Recent
from backbone.stream.kafka.standing import Identity, Offsets, Standing
from backbone.stream.kafka.turns import Turns
from backbone.stream.kafka.wire import Marker, Unreadable
from backbone.stream.letters import Message
from backbone.stream.records import Record
from backbone.stream.topics import Topics

__all__ = ["Notes", "Tail", "note"]

_BATCH: Final = 200  # records that are taken in before others get their turn
_SILENT: Final = 3.0  # seconds without an answer about a partition, until the brokers are asked why
_VERIFY_EVERY: Final = 5.0  # seconds between looks whether these are the topics that they were
_UNWATCHED: Final = 1.5  # seconds without an answer, in which a topic may have been deleted and made anew
_SETTLE_EVERY: Final = 0.5
_FAR: Final = 20_000  # records between what was taken in and the end: from so many on it goes on at the end
_LOOK: Final = 3.0  # seconds that a look may take
_STEP: Final = 0.5
_NEVER: Final = float("-inf")
_CAPACITY: Final = 32 * 2**20  # bytes that are kept for cursors that are a little behind others


class Notes(Protocol):
    """Takes what nobody can read, such as `Letters`."""

    def add(self, at: tuple[str, int], offset: int, reason: str, message: Message) -> None:
        """See `Letters`."""
        ...


class Tail:
    """All partitions, from their ends as they were when it was opened.

    Args:
        connection: where the brokers are.
        topics: what to read.
        letters: where to put what can't be read.
        judge: tells what somebody else has put there.

    Attributes:
        standing: answers questions about the stream.
        recent: what was taken in last.
        interest: who waits for what.
        newest: of each partition the greatest outbox position that was seen.
        frontier: whatever was published up to this outbox position was taken in.
        down: why there is no answer; None: there is.
        cuts: how often a partition had less than was read, as after a broker lost what it had not written yet.
        rebuilt: how often the client was made anew, after an outage or because it had stopped in silence.
    """

    def __init__(self, connection: Connection, topics: Topics, letters: Notes, judge: Judge) -> None:
        self._letters = letters
        self._fetcher = Fetcher(connection, topics.message_bytes, judge)
        self._turns = Turns(self._drive)
        self.standing = Standing(connection, topics, judge)
        self.recent = Recent(_CAPACITY)
        self.interest: Interest[TopicPartition] = Interest()
        self.newest: dict[TopicPartition, int] = {}
        self.frontier = self.rebuilt = self.cuts = self._fallen = 0
        self.down: str | None = None
        self._former: set[str] = set()
        self._verified = self._settled = self._driven = _NEVER
        self._settling: tuple[int, Offsets] | None = None
        self._is_closed = False

    @property
    def identity(self) -> Identity:
        """Which stream it is."""
        return self.standing.current

    @identity.setter
    def identity(self, identity: Identity) -> None:
        self.standing.current = identity

    async def open(self) -> None:
        """Begin at the end of each partition.

        Raises:
            StreamUnavailable: no broker answers, or a topic is missing.
        """
        await self._begin(await self.standing.identity())

    async def close(self) -> None:
        """Let go of the brokers, and wake all who wait."""
        self._is_closed = True
        self._turns.wake_all()
        await self._fetcher.close()
        await self.standing.close()

    async def _begin(self, identity: Identity) -> None:
        """Stand at the end of a stream; who read another one has to find its place in this."""
        begins, ends = await self.standing.begins(identity), await self.standing.ends_in(identity)
        newest = await self.standing.newest_positions(begins, ends)
        await self._fetcher.open()  # last: one that is open fetches, also for who goes on where this is cut short
        self.identity = identity
        self.newest = {at: newest.get(at, identity.began_after if identity.marker(at) else 0) for at in ends}
        self.frontier, self._settling = max(self.newest.values(), default=0), None
        self.interest, self.recent = Interest(ends), Recent(_CAPACITY)
        for at, offset in ends.items():
            self.recent.start(at, offset)
        self._fetcher.assign(ends)
        self._verified = self._driven = anyio.current_time()
        self._turns.wake_all()

    async def step(self, wait: float, wake: anyio.Event) -> None:
        """Fetch for all, or wait while another one does; returns when it is time to look again.

        Args:
            wait: seconds at most.
            wake: the reader's own.

        Raises:
            StreamUnavailable: there is no answer.
        """
        await self._turns.step(wait, wake)

    async def look(self) -> None:
        """Take in all that is published by now.

        Raises:
            StreamUnavailable: there is no answer.
        """
        for _ in range(2):  # what comes before a record that was seen is there when the ends are asked for after that
            top, fallen = self._top, self._fallen
            ends = await self.standing.ends_of_all()
            if ends is None:
                await self.verify()
                continue
            self._skip(ends)
            await self._until(partial(self._has, ends))
            self.frontier = max(self.frontier, top if fallen == self._fallen else 0)
            if self._top <= self.frontier:
                return

    async def join(self) -> None:
        """For who reads here from now on, too: know the stream as it is, where nobody has looked lately.

        Raises:
            StreamUnavailable: there is no answer.
        """
        found = await self.standing.identity()
        if (found.topics, found.began) == (self.identity.topics, self.identity.began):
            self.identity = found  # a marker tells of its own partition alone
        else:
            await self.verify()

    async def verify(self) -> None:
        """Look whether this is the stream that it was; where it is not, stand in the new one.

        Raises:
            StreamUnavailable: there is no answer.
        """
        self._verified = _NEVER
        await self._until(lambda: self._verified > _NEVER)

    async def _until(self, done: Callable[[], bool]) -> None:
        with anyio.move_on_after(_LOOK):
            while not (done() or self._is_closed):
                await self._turns.step(_STEP, anyio.Event(), for_any=True)
            return
        raise StreamUnavailable(self.down or f"what is published did not come within {_LOOK:g} s")

    @property
    def _top(self) -> int:
        return max(self.newest.values(), default=0)

    def _has(self, ends: Offsets) -> bool:
        return all(self.recent.end(at) >= end for at, end in ends.items() if at in self.newest)

    def _skip(self, ends: Offsets) -> None:
        """Go on at the end where nobody has read for long; who stood there reads on by itself."""
        if self._turns.busy:
            return
        far = {at: end for at, end in ends.items() if at in self.newest and end - self.recent.end(at) > _FAR}
        for at, end in far.items():
            self.interest.all_came(at, self.recent.end(at))
            self.recent.start(at, end)
        self._fetcher.seek(far)
        if far:
            self._turns.wake_all()

    async def _drive(self, wait: float) -> None:
        try:
            woken = self._taken_in(await self._fetched(wait))
            await self._turns.wake([each.wake for each in woken])
            await self._settle()
            if self._fetcher.silent_for() > _SILENT:
                await self._fetcher.close()
                await self._make_anew()
            self.down = None
        except StreamUnavailable as error:
            self.down, self._verified = str(error), _NEVER
            await self._fetcher.close()  # with brokers gone it would try to connect without a pause
            raise

    async def _fetched(self, wait: float) -> list[Fetched]:
        """What comes next, once it is known that it is of the same stream."""
        self._go_back()
        unwatched = max(anyio.current_time() - self._driven, self._fetcher.silent_for()) > _UNWATCHED
        try:
            if not self._fetcher.is_open:
                await self._make_anew()
            fetched = await self._fetcher.fetch(wait, _BATCH)
            self._driven = now = anyio.current_time()
            due = bool(fetched and unwatched) or now - self._verified > _VERIFY_EVERY
            return [] if due and await self._is_another() else fetched
        except OffsetsGone as error:
            await self._find_again(error.partitions)
        return []

    def _go_back(self) -> None:
        """Fetch again what was not taken in, for whoever fetched it was cancelled, or fell."""
        ends = {at: self.recent.end(at) for at, offset in self._fetcher.next.items() if offset != self.recent.end(at)}
        if ends:
            self._fetcher.seek(ends)

    def _taken_in(self, fetched: Collection[Fetched]) -> list[Reader[TopicPartition]]:
        woken: dict[Reader[TopicPartition], None] = {}
        for each in fetched:
            note(each, self._letters)
            if isinstance(each.content, Marker):
                self._cross(each.content, each)
            elif isinstance(each.content, Record):
                self.newest[each.at] = max(self.newest[each.at], each.content.position)
                woken |= dict.fromkeys(self.interest.came(each.at, each.content.key, each.offset))
            self.recent.add(each)  # last: else who rests would pass over it where one of these fails
        for at, offset in self._fetcher.next.items():
            self.recent.pass_to(at, offset)
        return list(woken)

    def _cross(self, marker: Marker, where: Fetched) -> None:
        """The stream began again: whoever has read it before is told, for its place means nothing any more."""
        if marker.generation in self._former:
            return
        if marker.generation != self.identity.began:
            offsets = {where.at.topic: {str(where.at.partition): where.offset}}
            ids = {name: topic.id for name, topic in self.identity.topics.items()}
            self._go_by(Identity(self.identity.topics, Beginning(marker.generation, marker.position, offsets, ids)))
            self._verified = _NEVER  # the control topic tells where all of its markers are
        self.newest[where.at] = marker.position  # what came before it in this partition counts no more
        self._fall_back()

    def _go_by(self, identity: Identity) -> None:
        """Take the stream for another one in the same topics: it began again."""
        self._former.add(self.identity.began)
        self.identity = identity
        self.newest = dict.fromkeys(self.newest, identity.began_after)
        self._fall_back()
        self._turns.wake_all()

    def _fall_back(self) -> None:
        """Positions of before come again: what was known of them is of no use."""
        self.frontier, self._settling = min(self.frontier, self._top), None
        self._fallen += 1

    async def _settle(self) -> None:
        """Move the frontier up: what comes before a record lies before the ends that are asked for after it came.

        But not where partitions were added: in those it may lie as well, and nobody takes them in yet.
        """
        now = anyio.current_time()
        if self._settling is None and self._top > self.frontier and now - self._settled > _SETTLE_EVERY:
            top, ends = self._top, await self.standing.ends_of_all()
            self._settling, self._settled = None if ends is None else (top, ends), now
            self._verified = self._verified if ends is not None else _NEVER
        if self._settling is not None and self._has(self._settling[1]):
            self.frontier, self._settling = max(self.frontier, self._settling[0]), None

    async def _is_another(self) -> bool:
        """Look which stream it is; where it is another one, stand in that."""
        self._verified = _NEVER  # who goes on where this is cut short has to look: offsets may be of another stream
        found = await self.standing.identity()
        if found.began in self._former:  # the control topic tells of a beginning last, after all of its markers
            found = Identity(found.topics, self.identity.beginning)
        if found.topics != self.identity.topics:
            await self._begin(found)
            return True
        if found.began != self.identity.began:
            self._go_by(found)
        self.identity, self._verified = found, anyio.current_time()
        return False

    async def _find_again(self, partitions: Collection[TopicPartition]) -> None:
        """Go on with the oldest that a partition still has, or, where it has less than was read, at its end."""
        if await self._is_another():
            return
        begins, ends = await self.standing.begins(self.identity), await self.standing.ends()
        for at in partitions:
            was_deleted = self.recent.end(at) < begins[at]
            self.cuts += not was_deleted
            offset = begins[at] if was_deleted else ends[at]
            if was_deleted:  # the outbox may have it: who rests there has not got all of it
                self.interest.all_came(at, self.recent.end(at))
            self.recent.start(at, offset)
            self._fetcher.seek({at: offset})
        self._turns.wake_all()

    async def _make_anew(self) -> None:
        """Connect again, once the brokers answer: what was silent then was the client, or they were away.

        Raises:
            StreamUnavailable: they do not.
        """
        self.standing.require_open()
        if not await self._is_another():
            await self.standing.ends()
            await self._fetcher.open()
            self._fetcher.assign({at: self.recent.end(at) for at in self.newest})
        self.rebuilt += 1


def note(each: Fetched, letters: Notes) -> None:
    """Keep what can't be read for the dead letters."""
    if isinstance(each.content, Unreadable):
        letters.add(each.at, each.offset, each.content.reason, each.message)
