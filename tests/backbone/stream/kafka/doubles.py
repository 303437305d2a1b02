"""Brokers that answer as they are told to, and hold what is put there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import anyio
import anyio.lowlevel
from aiokafka import TopicPartition

from backbone.domain.dimension import Dimension
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.fetching import Fetched, OffsetsGone
from backbone.stream.kafka.identity import Seen
from backbone.stream.kafka.wire import Marker, Unreadable
from backbone.stream.letters import Message
from backbone.stream.records import Record
from backbone.stream.topics import Topics

TOPICS = Topics.of(StreamSettings())
QUOTES = "backbone.quotes"


class Brokers:
    """What they hold, and what a client of them fetches."""

    def __init__(self) -> None:
        self.topics = {name: Seen(f"id of {name}", 1) for name in TOPICS.all}
        self.held: list[Fetched] = []
        self.begin = 0
        """Of the topic of quotes: what lies before it is deleted."""
        self.down = False
        """No client connects."""
        self.clients: list[Fetcher] = []
        """Those that fetch, and did."""
        self.inquirers: list[Inquirer] = []
        """Those that ask, and did."""

    def publish(self, *positions: int, partition: int = 0) -> None:
        for position in positions:
            event = f"event-{position}"
            change = Record(position, partition, 0, "S", event, "chunk", Dimension.QUOTES, 1, 1, b"")
            self.put(change, partition)

    def mark(self, marker: Marker, partition: int = 0) -> None:
        self.put(marker, partition)

    def end(self, at: TopicPartition) -> int:
        return sum(1 for each in self.held if each.at == at)

    def put(self, content: Record | Marker | Unreadable, partition: int) -> None:
        at = TopicPartition(QUOTES, partition)
        offset = self.end(at)
        self.held.append(Fetched(at, offset, content, Message(), 1, offset + 1))


class Inquirer:
    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self.is_open = True
        brokers.inquirers.append(self)

    def require_open(self) -> None:
        if not self.is_open:
            raise StreamUnavailable("it is closed")

    async def close(self) -> None:
        self.is_open = False

    async def topics(self, names: Collection[str]) -> dict[str, Seen]:
        self.require_open()
        await anyio.lowlevel.checkpoint()
        return {name: self._brokers.topics[name] for name in names}

    async def begins(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {at: self._brokers.begin if at.topic == QUOTES else 0 for at in partitions}

    async def ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {at: self._brokers.end(at) for at in partitions}


class Fetcher:
    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        brokers.clients.append(self)
        self.next: dict[TopicPartition, int] = {}
        self.is_open = False

    async def open(self) -> None:
        if self._brokers.down:
            raise StreamUnavailable("no broker answers")
        self.is_open = True

    async def close(self) -> None:
        self.is_open, self.next = False, {}

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.next = dict(offsets)

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.next |= offsets

    def drop(self, at: TopicPartition) -> None:
        self.next.pop(at, None)

    def silent_for(self) -> float:
        return 0.0

    async def fetch(self, wait: float, limit: int) -> list[Fetched]:
        begins = {at: self._brokers.begin if at.topic == QUOTES else 0 for at in self.next}
        if gone := [at for at, offset in self.next.items() if not begins[at] <= offset <= self._brokers.end(at)]:
            raise OffsetsGone(gone)
        taken: list[Fetched] = []
        for each in self._brokers.held:
            if self.next.get(each.at) == each.offset and len(taken) < limit:
                self.next[each.at] = each.until
                taken.append(each)
        if not taken:
            await anyio.sleep(wait)
        return taken
