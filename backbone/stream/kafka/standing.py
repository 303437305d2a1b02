"""Which stream this is, and from where on and up to where it goes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import anyio
import msgspec
from aiokafka import TopicPartition

from backbone.stream.errors import StreamUnavailable
from backbone.stream.joint import Joint
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.fetching import Fetched, Fetcher, OffsetsGone
from backbone.stream.kafka.identity import Beginning, Seen
from backbone.stream.kafka.inquiry import Inquirer
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.locating import first_after, first_at, newest
from backbone.stream.kafka.wire import Marker, Replayed
from backbone.stream.records import Record
from backbone.stream.topics import Topics

__all__ = ["Identity", "Offsets", "Standing", "position_of"]

_BEGINNINGS: Final = 0  # partition of the control topic
_DIGEST: Final = 8  # bytes

Offsets = dict[TopicPartition, int]


class Identity:
    """What makes this stream another one than before.

    Args:
        topics: the id and the number of partitions of each.
        beginning: the newest one; None: it never began again.

    Attributes:
        began: names the newest beginning; "": it never began again.
        began_after: the outbox position that this beginning follows; 0: it never began again.
        generation: names the stream.
        line: names what it has in common with itself in topics that are made anew; "": it never began again.
        counts: the partitions of each topic.
    """

    def __init__(self, topics: Mapping[str, Seen], beginning: Beginning | None) -> None:
        self.topics = topics
        self.beginning = beginning
        self.began = "" if beginning is None else beginning.generation
        self.began_after = 0 if beginning is None else beginning.position
        parts = [f"{name}/{seen.id}/{seen.partitions}" for name, seen in sorted(topics.items())]
        whole = "\n".join([*parts, self.began])
        self.generation = _digest(whole)
        self.line = _digest(self.began) if self.began else ""
        self.counts = {name: seen.partitions for name, seen in topics.items()}

    @property
    def partitions(self) -> list[TopicPartition]:
        """All of them."""
        return [TopicPartition(name, each) for name, seen in self.topics.items() for each in range(seen.partitions)]

    def marker(self, at: TopicPartition) -> int:
        """The offset behind the newest marker of a partition; 0: there is none."""
        if self.beginning is None or self.beginning.ids.get(at.topic) != self.topics[at.topic].id:
            return 0
        return self.beginning.offsets.get(at.topic, {}).get(str(at.partition), -1) + 1


class Standing:
    """Answers about the stream as a whole, each from the brokers and within a bound.

    Args:
        connection: where they are.
        topics: which to read.
        judge: tells what somebody else has put there.

    Attributes:
        current: the stream whose ends are told: that in which whoever reads stands, and not the one it only looks at.
    """

    def __init__(self, connection: Connection, topics: Topics, judge: Judge) -> None:
        self._connection = connection
        self._judge = judge
        self._topics = topics
        self._inquirer = Inquirer(connection)
        self._scouting = anyio.Lock(fast_acquire=True)
        self._control: tuple[tuple[str, int], Beginning | None] = ("", -1), None
        self.current = Identity({}, None)
        self._ends = Joint(lambda: self._inquirer.ends(self.current.partitions))
        self._whole = Joint(self._ends_of_all)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._inquirer.close()

    def require_open(self) -> None:
        """Refuse where it was closed.

        Raises:
            StreamUnavailable: it was.
        """
        self._inquirer.require_open()

    async def identity(self) -> Identity:
        """Which stream it is now.

        Raises:
            StreamUnavailable: a topic is missing, or no broker answers.
        """
        found = await self._inquirer.topics(self._topics.needed)
        if missing := sorted({*self._topics.needed} - {*found}):
            raise StreamUnavailable(
                f"kafka at {self._connection} has no topic {', '.join(missing)}, or this user may not see it; create "
                "them with backbone connectors --ensure-topics, or set BACKBONE_STREAM_CREATE_TOPICS=true"
            )
        return Identity(
            {name: found[name] for name in self._topics.names}, await self._beginning(found[self._topics.control].id)
        )

    async def _beginning(self, control: str) -> Beginning | None:
        """The newest one; it is read again only where the control topic has grown, or is another one."""
        at = TopicPartition(self._topics.control, _BEGINNINGS)
        end = (await self._inquirer.ends([at]))[at]
        if (control, end) != self._control[0]:
            begins = await self._inquirer.begins([at])
            async with self._scout() as scout:
                raw = await newest(scout, begins, {at: end})
            self._control = (control, end), _read(raw.get(at))
        return self._control[1]

    async def begins(self, identity: Identity) -> Offsets:
        """From where on each partition is of use: what it still has behind its newest marker."""
        found = await self._inquirer.begins(identity.partitions)
        return {at: max(offset, identity.marker(at)) for at, offset in found.items()}

    async def ends(self) -> Offsets:
        """The offset that the next record of each partition gets, as it is after this call."""
        return await self._ends.ask()

    async def ends_in(self, identity: Identity) -> Offsets:
        """The same of a stream in which nobody stands yet."""
        return await self._inquirer.ends(identity.partitions)

    async def ends_of_all(self) -> Offsets | None:
        """The same; None: there are other partitions by now than in the stream that it was."""
        return await self._whole.ask()

    async def _ends_of_all(self) -> Offsets | None:
        identity = self.current
        ends = await self._inquirer.ends(identity.partitions)
        return ends if await self._inquirer.topics(self._topics.names) == identity.topics else None

    async def newest_positions(self, begins: Offsets, ends: Offsets) -> dict[TopicPartition, int]:
        """The outbox position of the newest record of each partition; left out where there is none."""
        async with self._scout() as scout:
            found = await newest(scout, begins, ends)
        return {at: position_of(each) for at, each in found.items()}

    async def first_positions(self, begins: Offsets, ends: Offsets) -> dict[TopicPartition, int]:
        """The outbox position of the first record of each partition; left out where there is none."""
        async with self._scout() as scout:
            found = await first_at(scout, begins, ends)
        # all up to the position of a replay was published before it, and so may have been deleted before it
        return {at: position_of(each) + isinstance(each.content, Replayed) for at, each in found.items()}

    async def after(self, position: int, begins: Offsets, ends: Offsets) -> Offsets:
        """From where on each partition has all that was published after an outbox position."""
        async with self._scout() as scout:
            return await first_after(scout, position, begins, ends)

    @asynccontextmanager
    async def _scout(self) -> AsyncIterator[Fetcher]:
        """A client for a few looks, one at a time."""
        async with self._scouting:
            self.require_open()
            scout = Fetcher(self._connection, self._topics.message_bytes, self._judge)
            try:
                yield scout
            except OffsetsGone as error:
                raise StreamUnavailable(f"{error} lost records just now; ask again") from error
            finally:
                await scout.close()


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST).hexdigest()


def position_of(each: Fetched) -> int:
    """The outbox position that a record tells; 0 where it tells none."""
    return each.content.position if isinstance(each.content, Record | Marker | Replayed) else 0


def _read(raw: Fetched | None) -> Beginning | None:
    """What the control topic says; whoever may write there could say anything, and is believed if it can be read."""
    if raw is None or raw.message.value is None:
        return None
    try:
        return msgspec.json.decode(raw.message.value, type=Beginning)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
