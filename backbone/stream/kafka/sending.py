"""Sends batches idempotently over one client, and can be left at any moment: nothing goes on behind the caller's back.

aiokafka's own producer keeps batches for a task of its own, which gives none up once the producer is idempotent: with
the broker gone neither `send` nor `stop` return, and what that task waits for can't be reached from outside. Here
whoever sends waits for the answers itself, so a deadline around the call ends it.

A batch that was not answered is sent again as it was, with the same sequence number, so that the broker takes it once.
After an error that no waiting mends, or a deadline, the numbers are of no use any more: close it, and make another one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final, TypeVar

import anyio
from aiokafka.errors import (
    DuplicateSequenceNumber,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.offset import OffsetResetStrategy
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.both import both
from backbone.stream.errors import StreamClosed, StreamError
from backbone.stream.kafka.client import Client
from backbone.stream.kafka.connection import REQUEST_TIMEOUT, RETRY_PAUSE, Connection
from backbone.stream.kafka.echo import echo
from backbone.stream.kafka.identity import Seen, seen
from backbone.stream.kafka.inquiry import offsets_of

__all__ = ["IN_LOOP_BYTES", "Batches", "Message", "Sending"]

Message = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""Key, value and headers."""
Batches = Mapping[TopicPartition, Sequence[Message]]

IN_LOOP_BYTES: Final = 64 * 1024
"""What is larger is encoded and compressed in a thread."""

T = TypeVar("T")
_Counted = Mapping[TopicPartition, Sequence[object]]
_NOTHING: Final[_Counted] = MappingProxyType({})
_FAILURES: Final = (KafkaError, StreamError, OSError)
_CLOSE_SECONDS: Final = 1.0
_GONE_SECONDS: Final = 2.0  # until brokers of which none answers, or that have no such topic, are not waited for
_ACKS: Final = {"all": -1}  # all replicas that are in step
_NO_TRANSACTION: Final = 2**31 - 1
_SEQUENCES: Final = 2**31  # they begin again at 0 after that
_UNBOUNDED: Final = 2**31 - 1  # whoever sends has cut the batches
_CODECS: Final = {
    "none": 0,
    "gzip": DefaultRecordBatch.CODEC_GZIP,
    "snappy": DefaultRecordBatch.CODEC_SNAPPY,
    "lz4": DefaultRecordBatch.CODEC_LZ4,
    "zstd": DefaultRecordBatch.CODEC_ZSTD,
}


class Sending:
    """An idempotent producer with acks=all: one client, one number from the brokers, a sequence for each partition.

    Of one partition one call at a time may be under way. Every method waits for as long as it takes: the caller sets
    the deadline. `start` comes first.

    Args:
        connection: to the brokers.
        settings: how batches are compressed, and by whom they are acknowledged.
    """

    def __init__(self, connection: Connection, settings: StreamSettings) -> None:
        self._client = Client(connection)
        self._codec = _CODECS[settings.compression]
        self._acks = _ACKS[settings.acks]
        self._idempotent = settings.idempotence
        self._closed = False
        self._producer = (-1, -1)
        self._sequences: dict[TopicPartition, int] = defaultdict(int)

    async def start(self) -> None:
        """Connect, and have the brokers give a number.

        Raises:
            aiokafka.errors.KafkaError: no broker answers, or they refuse.
        """
        await self._client.bootstrap()
        while self._idempotent and (failure := await self._numbered()) is not None:
            if not failure.retriable:
                raise failure
            await anyio.sleep(RETRY_PAUSE)
            await self._client.force_metadata_update()

    async def _numbered(self) -> KafkaError | None:
        """Take a number from the first broker that gives one; or why none did."""
        failure: KafkaError = NodeNotReadyError("no broker is known")
        for broker in self._client.cluster.brokers():
            try:
                answer = await self._client.send(broker.nodeId, InitProducerIdRequest(None, _NO_TRANSACTION))
            except KafkaError as error:
                failure = error
                continue
            kind = for_code(answer.error_code)
            if kind is NoError:
                self._producer = (answer.producer_id, answer.producer_epoch)
                return None
            failure = kind("no number for a producer was given")
        return failure

    async def close(self) -> None:
        """Cut the connections, within a bound: what is out is not waited for, and who waits here is refused."""
        self._closed = True
        cut = [writer.transport for each in self._client._conns.values() if (writer := each._writer) is not None]
        with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
            await self._client.close()
        for transport in cut:
            transport.abort()  # else the kernel would go on offering a frozen broker what it has not taken

    def _require_open(self) -> None:
        """Refuse; what another one who was under way has connected since is cut as well.

        Raises:
            StreamClosed: it was closed.
        """
        if self._closed:
            for each in self._client._conns.values():
                each.close()
            raise StreamClosed("the sender to Kafka was closed while it was in use; have another one made")

    async def seen(self, names: Collection[str]) -> dict[str, Seen]:
        """Those of the topics that there are, as they are now."""
        self._require_open()
        found = await seen(self._client, names)
        self._require_open()
        return found

    async def follow(self, names: Collection[str]) -> None:
        """Learn who leads the partitions of these topics; they must be there, or a careless broker makes them."""
        await self._client.set_topics(names)

    async def ends(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset that the next record of each partition gets."""
        return await offsets_of(self._client, places, OffsetResetStrategy.LATEST)

    async def send(self, batches: Batches) -> dict[TopicPartition, int]:
        """Write one batch for each partition; returns once all of them are acknowledged by all replicas in step.

        Returns:
            The offset of the first record of each batch; -1 where the broker had it already.

        Raises:
            aiokafka.errors.KafkaError: a broker refuses a batch for good; of the others some may be written.
        """
        size = sum(len(value or b"") for messages in batches.values() for _, value, _ in messages)
        built = await self._built(batches, _NOTHING, _as_it_is, apart=size > IN_LOOP_BYTES)
        return await self._delivered(batches, built)

    async def send_in_turn(
        self,
        rounds: Sequence[Mapping[TopicPartition, Sequence[T]]],
        encode: Callable[[T], Message],
        before: Callable[[], Awaitable[None]],
        *,
        apart: bool,
    ) -> None:
        """Write one after the other, each once the one ahead of it is acknowledged, and prepare the next one meanwhile.

        Args:
            rounds: what to write; at least one.
            encode: makes messages of it.
            before: what has to have succeeded before the first one is sent.
            apart: prepare in a thread, for it takes long.

        Raises:
            aiokafka.errors.KafkaError, StreamUnavailable: a broker refuses one for good, or `before` has failed.
        """
        _, built = await both(before(), self._built(rounds[0], _NOTHING, encode, apart=apart), _FAILURES)
        for batches, following in pairwise(rounds):
            building = self._built(following, batches, encode, apart=apart)
            _, built = await both(self._delivered(batches, built), building, _FAILURES)
        await self._delivered(rounds[-1], built)

    async def _delivered(self, batches: _Counted, waiting: dict[TopicPartition, bytes]) -> dict[TopicPartition, int]:
        """Send what was built until all of it is acknowledged.

        What is gone is told soon, for only who has sent it can do something about it: a batch for a topic that was lost
        would be sent again and again, and whoever waits would not say for so long that Kafka is away.
        """
        written: dict[TopicPartition, int] = {}
        well = anyio.current_time()
        while True:
            outcome = await self._tried(waiting)
            for place, result in outcome.items():
                if isinstance(result, int):
                    written[place] = result
                    self._sequences[place] = (self._sequences[place] + len(batches[place])) % _SEQUENCES
                    del waiting[place]
                elif not result.retriable:
                    raise result
            if not waiting:
                return written
            await anyio.sleep(RETRY_PAUSE)
            self._require_open()
            gone = await self._gone(waiting)
            if gone is None:
                well = anyio.current_time()
            elif anyio.current_time() - well > _GONE_SECONDS:
                raise gone

    async def _gone(self, waiting: Collection[TopicPartition]) -> KafkaError | None:
        """Ask anew who leads the partitions; None: somebody does, or will soon."""
        if not await self._client.force_metadata_update():
            return KafkaConnectionError("no broker answers")
        lost = {place.topic for place in waiting if not self._client.cluster.partitions_for_topic(place.topic)}
        return UnknownTopicOrPartitionError(", ".join(sorted(lost))) if lost else None

    async def _built(
        self,
        batches: Mapping[TopicPartition, Sequence[T]],
        ahead: _Counted,
        encode: Callable[[T], Message],
        *,
        apart: bool,
    ) -> dict[TopicPartition, bytes]:
        """Batches as they are sent, compressed and numbered, `ahead` being those that will have been sent by then."""
        sequences = {place: self._sequences[place] + len(ahead.get(place, ())) for place in batches}

        def build() -> dict[TopicPartition, bytes]:
            return {
                place: self._batch(map(encode, each), sequences[place] % _SEQUENCES) for place, each in batches.items()
            }

        return await anyio.to_thread.run_sync(build) if apart else build()

    def _batch(self, messages: Iterable[Message], sequence: int) -> bytes:
        builder = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=self._codec,
            is_transactional=0,
            producer_id=self._producer[0],
            producer_epoch=self._producer[1],
            base_sequence=sequence,
            batch_size=_UNBOUNDED,
        )
        for n, (key, value, headers) in enumerate(messages):
            builder.append(n, None, key, value, headers)
        return bytes(builder.build())

    async def echo(self, place: TopicPartition, offset: int) -> bytes | None:
        """The value of the record at an offset, read back; see `backbone.stream.kafka.echo`."""
        return await echo(self._client, place, offset)

    async def _tried(self, waiting: Mapping[TopicPartition, bytes]) -> dict[TopicPartition, int | KafkaError]:
        """Send each batch to who leads its partition, one request to each broker at a time."""
        self._require_open()
        theirs: dict[int, dict[TopicPartition, bytes]] = defaultdict(dict)
        outcome: dict[TopicPartition, int | KafkaError] = {}
        for place, batch in waiting.items():
            leader = self._client.cluster.leader_for_partition(place)
            if leader is None or leader == -1:
                outcome[place] = LeaderNotAvailableError(f"{place.topic}, partition {place.partition}")
            else:
                theirs[leader][place] = batch
        if len(theirs) == 1:
            [(leader, batches)] = theirs.items()
            await self._ask(leader, batches, outcome)
        else:
            async with anyio.create_task_group() as requests:
                for leader, batches in theirs.items():
                    requests.start_soon(self._ask, leader, batches, outcome)
        self._require_open()
        return outcome

    async def _ask(
        self, leader: int, batches: Mapping[TopicPartition, bytes], outcome: dict[TopicPartition, int | KafkaError]
    ) -> None:
        topics: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        for place, batch in batches.items():
            topics[place.topic].append((place.partition, batch))
        request = ProduceRequest(None, self._acks, int(REQUEST_TIMEOUT * 1000), list(topics.items()))
        try:
            answer = await self._client.send(leader, request)
        except (KafkaError, KeyError) as error:  # the client looks for a connection that another request has cut
            lost = error if isinstance(error, KafkaError) else KafkaConnectionError(f"broker {leader}: connection cut")
            outcome.update(dict.fromkeys(batches, lost))
            return
        for topic, partitions in answer.topics:
            for partition, code, offset, *_ in partitions:
                place, kind = TopicPartition(topic, partition), for_code(code)
                taken = kind in {NoError, DuplicateSequenceNumber}
                outcome[place] = offset if taken else kind(f"{topic}, partition {partition}")


def _as_it_is(message: Message) -> Message:
    return message
