"""What reads Kafka: one client for all cursors, and a few more for those that are behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from weakref import WeakSet

import anyio

from backbone.domain.dimension import Dimension
from backbone.store.records import DeadLetter, OutboxRow
from backbone.stream.errors import StreamClosed
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.cursor import KafkaCursor
from backbone.stream.kafka.fetching import Fetcher
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.lending import Lending
from backbone.stream.kafka.placing import at_the_end, at_the_oldest, at_the_place, keys_of
from backbone.stream.kafka.posting import again, is_readable, passed_on, post
from backbone.stream.kafka.sink import KafkaSink
from backbone.stream.kafka.standing import Identity
from backbone.stream.kafka.tail import Tail
from backbone.stream.kafka.tails import Tails, tails_of
from backbone.stream.kafka.wire import encoded
from backbone.stream.letters import Letters, Message
from backbone.stream.port import Start
from backbone.stream.records import PartitionLag, Place, Record
from backbone.stream.topics import Topics

__all__ = ["KafkaSubscriber"]

_SEND_TIMEOUT = 5.0


class KafkaSubscriber:
    """Makes cursors over the topics. It joins no group: each cursor sees every record, and keeps its own place.

    Args:
        connection: where the brokers are.
        topics: what to read.
        judge: tells what somebody else has put there.
        tails: whose tail it reads with others; None: one of its own.

    Attributes:
        letters: what nobody could read.
    """

    def __init__(self, connection: Connection, topics: Topics, judge: Judge, tails: Tails | None = None) -> None:
        self._topics = topics
        self.letters = Letters()
        self._tails = tails_of(connection, topics, judge) if tails is None else tails
        self._joined: Tail | None = None
        self._lending = Lending(lambda: Fetcher(connection, topics.message_bytes, judge))
        self._cursors: WeakSet[KafkaCursor] = WeakSet()
        self._opening = anyio.Lock(fast_acquire=True)
        self._is_open = self._is_closed = False
        self._sink = KafkaSink(connection, timeout=_SEND_TIMEOUT, message_bytes=topics.message_bytes)

    @property
    def generation(self) -> str:
        """Made of the ids of the topics, the number of their partitions, and where the stream began again last."""
        return (Identity({}, None) if self._joined is None else self._joined.identity).generation

    async def open(self) -> None:
        """Connect, and stand at the end of all topics; where others of this process read already, beside them."""
        async with self._opening:
            if not self._is_open:
                self._joined = await self._tails.join(self.letters)
                self._is_open = True
                if self._is_closed:  # meanwhile
                    await self.close()
                    self._require_open()

    async def send_back(self, letters: Sequence[DeadLetter]) -> int:
        """Send dead letters to their topics again, each under a header by which it is known for one."""
        unreadable = 0
        for topic in sorted({each.topic for each in letters}):
            records = [again(each) for each in letters if each.topic == topic]
            unreadable += sum(1 for each in records if not is_readable(each))
            await self._opened_sink().publish(topic, records)
        return unreadable

    async def pass_on(self, letters: Sequence[DeadLetter]) -> int:
        """Send dead letters to the topic of the settings."""
        if self._topics.dead_letters is None:
            return 0
        return await post(self._opened_sink(), self._topics.dead_letters, [passed_on(each) for each in letters])

    def _opened_sink(self) -> KafkaSink:
        """The one that all letters go by: it connects with the first, and stays; it would connect again once closed."""
        if self._is_closed:
            raise StreamClosed("the subscriber to Kafka is closed; have the stream make another one")
        return self._sink

    def set_aside(self, record: Record, reason: str) -> bool:
        """Put a record whose payload is no frame among the letters, as it came but for headers that are not ours."""
        topic = self._topics.name(record.dimension)
        if topic is not None:
            key, value, headers = encoded(_sent(record))
            message = Message(key, value, tuple(headers))
            self.letters.add((topic, record.partition), record.offset, reason, message)
        return True

    async def lag(self) -> tuple[PartitionLag, ...]:
        """How far the slowest cursor is behind in each partition; where nobody reads, nobody is behind."""
        ends = await self._tail.standing.ends()
        current = dict(ends)
        for cursor in self._cursors:
            for at, offset in cursor.offsets.items():
                current[at] = min(current.get(at, offset), offset)
        return tuple(
            PartitionLag(at.topic, at.partition, current[at], end, max(0, end - current[at]))
            for at, end in sorted(ends.items())
        )

    def inspect(self) -> dict[str, int]:
        """What an operator wants to know of it."""
        return {
            "cursors": len(self._cursors),
            "behind": self._lending.lent,
            "recent_bytes": 0 if self._joined is None else self._joined.recent.bytes,
            "clients_made_anew": 0 if self._joined is None else self._joined.rebuilt,
        }

    async def close(self) -> None:
        """Wake every waiting cursor with `StreamClosed`, and let go of all clients, each within a bound."""
        was_open, self._is_open, self._is_closed = self._is_open, False, True
        try:
            for cursor in [*self._cursors]:
                await cursor.close()
        finally:  # also where that is cut short: nobody else would ever close the client
            if was_open:
                await self._tails.leave(self.letters)
        await self._lending.close()
        await self._sink.close()

    async def cursor(
        self, *, dimension: Dimension | None = None, symbols: Sequence[str] = (), after: Start | Place = 0
    ) -> KafkaCursor:
        """A new cursor."""
        tail = self._tail
        _require_start(after)
        named = self._topics.names if dimension is None else [self._topics.name(dimension)]
        topics, wanted = [each for each in named if each is not None], frozenset(symbols)
        keys = await keys_of(tail.identity, topics, wanted)
        partitions = list(keys)
        if after == "latest":
            stand = await at_the_end(tail, partitions)
        elif after == "earliest":
            stand = await at_the_oldest(tail, partitions)
        else:
            place = after if isinstance(after, Place) else Place(int(after))
            stand = await at_the_place(tail, partitions, place, {})
        cursor = KafkaCursor(tail, self._lending, self._require_open, topics, wanted, keys, stand, self.letters)
        self._cursors.add(cursor)
        return cursor

    def _require_open(self) -> None:
        if not self._is_open:
            raise StreamClosed("the subscriber to Kafka is closed; open it before reading")

    @property
    def _tail(self) -> Tail:
        self._require_open()
        assert self._joined is not None  # noqa: S101  it is open
        return self._joined


def _sent(record: Record) -> OutboxRow:
    """What a record was before it was published."""
    named = {
        name: getattr(record, name) for name in OutboxRow.__struct_fields__ if name not in {"symbol", "created_at"}
    }
    return OutboxRow(symbol=record.key, created_at=record.created_at or datetime.now(UTC), **named)


def _require_start(after: Start | Place) -> None:
    position = after.position if isinstance(after, Place) else after
    if position in ("latest", "earliest") or (isinstance(position, int) and position >= 0):
        return
    raise ValueError(f"after={after!r} given; allowed: 'latest', 'earliest' or a position of 0 or more")
