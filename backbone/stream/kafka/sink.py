"""Records to any topic of Kafka, over a client of its own: slow telemetry holds up no change of the outbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import anyio
from aiokafka.errors import (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import TopicPartition

from backbone.domain.hashing import murmur2
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.failures import told
from backbone.stream.kafka.rounds import cut
from backbone.stream.kafka.sending import Message, Sending
from backbone.stream.sink import Outgoing, TopicRefuses

__all__ = ["KafkaSink"]

_FOR_GOOD = (InvalidTopicError, MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)
_START_TIMEOUT: Final = 5.0
_POSITIVE: Final = 0x7FFFFFFF  # as Java clients choose the partition of a key, whatever its bytes are
_HEADER: Final = 16  # bytes that a header costs beside its own
_LOOK_AGAIN: Final = 5.0  # seconds until a topic that was not there is looked for again
_COMES_BACK: Final = 30.0  # seconds in which brokers that have just started may not know yet of a topic that they have


class KafkaSink:
    """One producer, made anew after each failure. One call at a time: another one waits.

    Args:
        connection: to the brokers.
        timeout: seconds until records count as not taken.
        message_bytes: of a value at most; None: as many as the topics take.
        prepare: called once brokers answer, such as to have the topics made.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout: float,
        message_bytes: int | None = None,
        prepare: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._connection = connection
        self._timeout = timeout
        self._bytes = message_bytes
        self._prepare = prepare
        self._one_at_a_time = anyio.Lock(fast_acquire=True)
        self._sending: Sending | None = None
        self._partitions: dict[str, int] = {}
        self._missing: dict[str, float] = {}
        self._lost: dict[str, float | None] = {}  # topics that were there, and since when they are not

    async def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """See Sink."""
        async with self._one_at_a_time:
            done = False
            try:
                async with told(self._connection, f"take records for {topic}"):
                    sending = await self._started()
                    with anyio.fail_after(self._timeout):
                        await self._send(sending, topic, records)
                done = True
            except StreamUnavailable as error:
                if isinstance(error.__cause__, _FOR_GOOD):
                    raise TopicRefuses(str(error)) from error
                raise
            except TopicRefuses:
                done = True  # the numbers of the others are as they were
                raise
            finally:
                if not done:
                    await self.close()

    async def _started(self) -> Sending:
        if self._sending is None:
            sending = self._sending = Sending(self._connection, self._connection.settings)
            with anyio.fail_after(_START_TIMEOUT):
                await sending.start()
            if self._prepare is not None:
                await self._prepare()
        return self._sending

    async def _send(self, sending: Sending, topic: str, records: Sequence[Outgoing]) -> None:
        partitions = await self._partitions_of(sending, topic)
        placed: list[tuple[TopicPartition, int, Message]] = []
        for each in records:
            if self._bytes is not None and len(each.value or b"") > self._bytes:
                raise TopicRefuses(f"a record of {len(each.value or b''):,} bytes given; {topic} takes {self._bytes:,}")
            place = TopicPartition(topic, (murmur2(each.key or b"") & _POSITIVE) % partitions)
            placed.append((place, _size(each), (each.key, each.value, list(each.headers))))
        for batches in cut(placed, self._connection.settings.batch_bytes):
            await sending.send(batches)

    async def _partitions_of(self, sending: Sending, topic: str) -> int:
        """How many a topic has; one that is not there is refused at once, for others wait behind it.

        Raises:
            TopicRefuses: there is no such topic.
            StreamUnavailable: there was, a moment ago.
        """
        now = anyio.current_time()
        if topic not in self._partitions and now >= self._missing.get(topic, now):
            found = await sending.seen([topic])
            if topic in found:
                self._partitions[topic], self._lost[topic] = found[topic].partitions, None
                await sending.follow(self._partitions)
            elif self._may_come_back(topic, now):
                raise StreamUnavailable(f"kafka at {self._connection} does not know of {topic}, which was there")
            else:
                self._missing[topic] = now + _LOOK_AGAIN
        if topic not in self._partitions:
            raise TopicRefuses(
                f"kafka at {self._connection} has no topic {topic}, or this user may not see it; create it, or grant it"
            )
        return self._partitions[topic]

    def _may_come_back(self, topic: str, now: float) -> bool:
        if topic not in self._lost:
            return False
        since = self._lost[topic]
        since = self._lost[topic] = now if since is None else since
        return now - since < _COMES_BACK

    async def close(self) -> None:
        """See Sink."""
        sending, self._sending = self._sending, None
        self._partitions, self._missing = {}, {}
        if sending is not None:
            await sending.close()


def _size(record: Outgoing) -> int:
    parts = [record.key, record.value, *(value for _, value in record.headers)]
    return sum(len(each or b"") for each in parts) + sum(len(name) + _HEADER for name, _ in record.headers)
