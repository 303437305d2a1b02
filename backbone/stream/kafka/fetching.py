"""Fetches records of partitions from given offsets on: one client of Kafka, and nobody's group.

Its own positions are the truth, not the client's: after each error it goes back to them, so that what the client had
taken out and not given is fetched again. No record ends a partition: what can't be read is handed on as such, and a
batch that was damaged is passed over.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import anyio
import anyio.lowlevel
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
)

from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.client import Client
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.inquiry import ANSWER_TIMEOUT, abandoned
from backbone.stream.kafka.judging import Content, Judge
from backbone.stream.kafka.portion import Portion
from backbone.stream.kafka.wire import Unreadable, decoded
from backbone.stream.letters import Message

__all__ = ["SENT_BACK", "Fetched", "Fetcher", "OffsetsGone"]

SENT_BACK: Final = "dead-letter"
"""The header of a message that was a dead letter: where it lay."""

_MAX_WAIT: Final = 0.5  # seconds that the broker keeps a fetch for which there is nothing: so often it is heard of
_FETCH_BYTES: Final = 4 * 2**20  # of one answer; the client holds one of each broker that nobody has taken yet
_SLACK: Final = 2.0  # seconds beyond what a look may wait by itself, until the client counts as stuck
_SEARCH: Final = 2.0  # seconds at most for one look for what was damaged; the next fetch goes on with it
_UNSEEN: Final = 0.02  # seconds between looks at what the client fetches by itself
_OVERHEAD: Final = 512  # bytes of a record beside key and value: headers, the Struct, its slots
_NOTHING: Final = Message()
_DAMAGED: Final = (
    CorruptRecordException,
    RecordTooLargeError,
    ValueError,
    LookupError,
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
)
"""What comes of a batch whose sum, compression or form is wrong, or whose headers have names that are no UTF-8."""


class OffsetsGone(Exception):
    """Records from these offsets on are not there: they were deleted, or the topic is another one.

    Attributes:
        partitions: whose.
    """

    def __init__(self, partitions: Collection[TopicPartition]) -> None:
        super().__init__(", ".join(f"partition {each.partition} of {each.topic}" for each in partitions))
        self.partitions = partitions


class Fetched(NamedTuple):
    """What lies at an offset.

    Attributes:
        at: the partition.
        offset: its first offset.
        content: what it says, or why nobody can tell.
        message: as it came, where it can't be read.
        size: bytes, about.
        until: the offset after it.
        sent_back: it was a dead letter, and was sent again: its position was passed, and it was not handed out.
    """

    at: TopicPartition
    offset: int
    content: Content
    message: Message
    size: int
    until: int
    sent_back: bool = False


class Fetcher:
    """One client of Kafka and the offsets that it goes on with.

    Args:
        connection: where the brokers are.
        message_bytes: of the largest batch that must come through.
        judge: tells what somebody else has put there; None: all is believed.

    Attributes:
        next: the offset that each partition goes on with.
    """

    def __init__(self, connection: Connection, message_bytes: int, judge: Judge | None = None) -> None:
        self._connection = connection
        self._judge = judge
        self._message_bytes = message_bytes
        self._consumer: AIOKafkaConsumer | None = None
        self._heard: dict[TopicPartition, tuple[int | None, float]] = {}
        self._looked = 0.0
        self._portion = Portion()
        self.next: dict[TopicPartition, int] = {}

    async def open(self) -> None:
        """Connect; a second call does nothing.

        Raises:
            StreamUnavailable: no broker answers.
        """
        if self._consumer is not None:
            return
        consumer, started, why = AIOKafkaConsumer(**self._settings()), False, "no answer"
        consumer._client = Client(self._connection)
        try:
            with anyio.move_on_after(ANSWER_TIMEOUT):
                await consumer.start()
                await anyio.lowlevel.checkpoint()  # its tasks have to begin before they can be ended
                started = True
        except (KafkaError, OSError) as error:
            why = str(error)
        finally:
            if not started:
                await _end(consumer)
        if not started:
            raise StreamUnavailable(f"can't connect to {self._connection}: {why}")
        self._consumer = consumer

    def _settings(self) -> dict[str, Any]:
        return {
            **self._connection.client(),
            "group_id": None,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
            "check_crcs": True,
            "fetch_max_wait_ms": int(_MAX_WAIT * 1000),
            "fetch_max_bytes": max(_FETCH_BYTES, self._message_bytes),
            "max_partition_fetch_bytes": self._message_bytes,
        }

    async def close(self) -> None:
        """Let go of the client, whether it ends or not; a second call does nothing."""
        consumer, self._consumer = self._consumer, None
        self.next = {}
        if consumer is not None:
            await _end(consumer)

    @property
    def is_open(self) -> bool:
        """Whether there is a client: one that did not come back is let go of."""
        return self._consumer is not None

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Fetch these partitions from these offsets on, and no others."""
        consumer = self._opened()
        self.next = dict(offsets)
        self._heard = {}
        consumer.assign([*offsets])
        self._seek()

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Go on elsewhere in some of the partitions."""
        self.next |= offsets
        for at, offset in offsets.items():
            self._opened().seek(at, offset)

    def drop(self, at: TopicPartition) -> None:
        """Fetch no more of a partition; it stays assigned, for to assign anew is to fetch all the others again."""
        if self.next.pop(at, None) is not None:
            self._heard.pop(at, None)
            self._opened().pause(at)

    def _seek(self) -> None:
        for at, offset in self.next.items():
            self._opened().seek(at, offset)

    async def fetch(self, wait: float, limit: int) -> list[Fetched]:
        """What comes next, at most `limit` records, fewer large ones; empty where nothing came within `wait` seconds.

        Raises:
            OffsetsGone: for some partitions there is nothing at these offsets, nor will be.
            StreamUnavailable: this user may not read, or the client is stuck.
        """
        self._note_look()
        try:
            return await self._fetched(wait, limit)
        except OffsetOutOfRangeError as error:
            self._seek()
            raise OffsetsGone([*error.args[0]]) from error
        except TimeoutError as error:
            await self.close()
            raise StreamUnavailable(f"the client of {self._connection} does not come back; it is made anew") from error
        except KafkaError as error:
            self._seek()
            raise StreamUnavailable(f"{self._connection}: {error}") from error

    async def _fetched(self, wait: float, limit: int) -> list[Fetched]:
        asked = self._portion.of(limit)
        try:
            with anyio.fail_after(wait + _SLACK):
                found = await self._opened().getmany(timeout_ms=int(wait * 1000), max_records=asked)
        except _DAMAGED:
            self._seek()
            return await self._past_damage()
        records = [record for each in found.values() for record in each]
        self._portion.took(asked, [_size(record) for record in records])
        await self._hear(found)
        return await self._taken(records)

    async def _past_damage(self) -> list[Fetched]:
        """Record by record, for the client does not say in which partition it is: what lies before it is handed on."""
        taken: list[Fetched] = []
        with anyio.move_on_after(_SEARCH):
            while True:
                for at in self.next:
                    try:
                        found = await self._opened().getmany(at, timeout_ms=0, max_records=1)
                    except _DAMAGED as error:
                        return taken + await self._behind_damage(at, error)
                    taken += await self._taken(found.get(at, ()))
                await anyio.sleep(_UNSEEN)
        return taken

    async def _behind_damage(self, at: TopicPartition, error: Exception) -> list[Fetched]:
        """Offset by offset, for nobody can tell any more where the batch ends."""
        taken: list[Fetched] = []
        with anyio.move_on_after(_SEARCH):
            while True:
                offset = self.next[at]
                unreadable = Unreadable(f"a damaged batch: {error or type(error).__name__}")
                taken.append(Fetched(at, offset, unreadable, _NOTHING, 0, offset + 1))
                self.seek({at: offset + 1})
                try:
                    found = await self._opened().getmany(at, timeout_ms=int(_MAX_WAIT * 1000), max_records=1)
                except _DAMAGED as another:
                    error = another
                else:
                    return taken + await self._taken(found.get(at, ()))
        return taken

    async def _taken(self, records: Sequence[Any]) -> list[Fetched]:
        taken = [_read(record) for record in records]
        if self._judge is not None:
            taken = await self._judged(taken, records, self._judge)
        for each in taken:
            self.next[each.at] = each.until
        return taken

    async def _judged(self, taken: list[Fetched], records: Sequence[Any], judge: Judge) -> list[Fetched]:
        """The same, what is none of ours as what can't be read."""
        claimed, heard = [each.content.position for each in taken if not isinstance(each.content, Unreadable)], False
        try:
            await judge.hear(max(claimed, default=0))
            heard = True
        finally:
            if not heard:  # the client stands behind what it has given, and would go on there
                self._seek()
        reasons = [judge.refusal(each.at.topic, each.content) for each in taken]
        return [
            each if reason is None else _refused(record, Unreadable(reason))
            for each, record, reason in zip(taken, records, reasons, strict=True)
        ]

    def silent_for(self) -> float:
        """Seconds since the last answer about the partition that was longest not heard of, while somebody looks."""
        heard = [when for _, when in self._heard.values()]
        return anyio.current_time() - min(heard) if heard else 0.0

    def _note_look(self) -> None:
        """What nobody looks for is not missing."""
        now = anyio.current_time()
        if now - self._looked > 2 * _MAX_WAIT or not self._heard:
            self._heard = dict.fromkeys(self.next, (None, now))
        self._looked = now

    async def _hear(self, found: Collection[TopicPartition]) -> None:
        """Note which partitions were answered for; one that holds nothing for us may have moved on all the same.

        Also those whose records the client holds behind others, of which it hands out some at a time.
        """
        consumer = self._opened()
        self._looked = now = anyio.current_time()
        for at in self.next:
            stamp = consumer.last_poll_timestamp(at)
            if at in found or at in consumer._fetcher._records or stamp != self._heard.get(at, (None, now))[0]:
                self._heard[at] = (stamp, now)
            if at not in found:
                self.next[at] = max(self.next[at], await consumer.position(at))

    def _opened(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise StreamUnavailable(f"there is no connection to {self._connection} now")
        return self._consumer


async def _end(consumer: AIOKafkaConsumer) -> None:
    """Have it stop; where it is cut short in that, its connections are left open."""
    await abandoned(consumer.stop, consumer._client.close)


def _read(record: Any) -> Fetched:
    """What a record says; an error of its form is of that record alone."""
    at, offset = TopicPartition(record.topic, record.partition), record.offset
    try:
        content = decoded(record.topic, record.partition, offset, record.key, record.value, record.headers)
    except Unreadable as error:
        return _refused(record, error)
    sent_back = any(name == SENT_BACK for name, _ in record.headers)
    return Fetched(at, offset, content, _NOTHING, _size(record), offset + 1, sent_back)


def _refused(record: Any, error: Unreadable) -> Fetched:
    """Whole, with why nothing of it is handed out."""
    at, message = TopicPartition(record.topic, record.partition), Message(record.key, record.value, (*record.headers,))
    return Fetched(at, record.offset, error, message, _size(record), record.offset + 1)


def _size(record: Any) -> int:
    return sum(map(len, (record.key or b"", record.value or b""))) + _OVERHEAD
