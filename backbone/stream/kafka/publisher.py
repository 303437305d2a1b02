"""What publishes to Kafka: in rounds of at most one batch for each partition, so that a symbol's order survives."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Final

import anyio
import msgspec
from aiokafka.structs import TopicPartition

from backbone.domain.hashing import partition_of
from backbone.domain.probe import ProbeAnswer
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.ascending import require_ascending
from backbone.stream.errors import StreamClosed, StreamUnavailable, TopicsMissing
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.failures import told
from backbone.stream.kafka.identity import Beginning, Seen
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.rounds import rounds
from backbone.stream.kafka.sending import IN_LOOP_BYTES, Sending
from backbone.stream.kafka.wire import Marker, encoded, marked
from backbone.stream.records import Envelope
from backbone.stream.topics import Topics

__all__ = ["KafkaPublisher"]

_PLACES: Final = 65_536  # of symbols that are kept
_BEGINNINGS, _PROBES = 0, 1  # partitions of the control topic


class KafkaPublisher:
    """Publishes each change to its dimension's topic, on the partition of its symbol as Java's client computes it.

    Of a partition no batch is sent before the one ahead of it is acknowledged: were the first refused and the second
    taken, readers would have seen what is newer when the older comes again.

    Args:
        connection: to the brokers.
        topics: where to.
        settings: how to.
        judge: is told what is published, before it is; None: nobody is.
    """

    def __init__(
        self, connection: Connection, topics: Topics, settings: StreamSettings, judge: Judge | None = None
    ) -> None:
        self._judge = judge
        self._connection = connection
        self._topics = topics
        self._settings = settings
        self._sending: Sending | None = None
        self._seen: dict[str, Seen] = {}
        self._held: dict[str, int] = {}
        self._places: dict[tuple[str, str], TopicPartition] = {}
        self._probing = anyio.Lock()
        self._nonce: bytes | None = None  # of a probe that may be out: the next one under its number must be the same

    async def open(self) -> None:
        """Connect, and look whether the topics are there."""
        if self._sending is not None:
            return
        async with told(self._connection, "connect"):
            sending = self._sending = Sending(self._connection, self._settings)
            await sending.start()
            self._seen = await self._found(sending)
            await sending.follow(self._topics.needed)

    async def close(self) -> None:
        """Cut the connections; a batch that is out may still be written."""
        sending, self._sending = self._sending, None
        if sending is not None:
            await sending.close()

    async def probe(self) -> ProbeAnswer:
        """Write a record and read it again: that a broker answers, or that nothing waits to be sent, proves nothing."""
        if self._sending is None:
            return ProbeAnswer(backend="kafka", healthy=False, degraded_reason="the publisher is closed")
        sending = self._opened()
        async with self._probing, told(self._connection, "take a record and give it back"):
            await self._found(sending)
            nonce = self._nonce = self._nonce or os.urandom(8).hex().encode()
            place = TopicPartition(self._topics.control, _PROBES)
            written = await sending.send({place: [(b"probe", nonce, [("content-type", b"text/plain")])]})
            self._nonce = None
            known = written[place] >= 0  # a repeated batch is acknowledged without one
            given = await sending.echo(place, written[place]) if known else nonce
        details = {
            "servers": str(self._connection),
            "topics": str(len(self._seen)),
            "partitions": str(sum(each.partitions for each in self._seen.values())),
            "acknowledged": f"{place.topic}/{place.partition}@{written[place]}",
        }
        lost = None if given == nonce else "Kafka did not give what was written just now"
        return ProbeAnswer(backend="kafka", healthy=lost is None, degraded_reason=lost, details=details)

    async def resume(self, position: int, filled: Collection[str] = ()) -> Collection[str]:
        """Take all topics but those that are not among the `filled` as holding what was published up to a position."""
        self._opened()
        lacking = [self._identity(name) for name in self._topics.names]
        lacking = [identity for identity in lacking if identity not in filled]
        self._held = {name: 0 if self._identity(name) in lacking else position for name in self._topics.names}
        return lacking

    async def holds_anything(self) -> bool:
        """Ask where the partitions end."""
        async with told(self._connection, "say what its topics hold"):
            return any((await self._opened().ends(self._partitions())).values())

    def _partitions(self) -> list[TopicPartition]:
        topics = [(name, self._seen[name].partitions) for name in self._topics.names]
        return [TopicPartition(name, each) for name, count in topics for each in range(count)]

    def _identity(self, name: str) -> str:
        """A topic as nobody else is it; with another number of partitions its symbols lie elsewhere."""
        topic = self._seen[name]
        return f"{name}/{topic.id}/{topic.partitions}"

    async def begin_again(self, position: int) -> None:
        """Put a marker into every partition, then note where these are."""
        sending = self._opened()
        marker = Marker(os.urandom(8).hex(), position)
        async with told(self._connection, "begin again"):
            await self._require_same(self._topics.names)
            written = await sending.send({place: [marked(marker)] for place in self._partitions()})
            offsets: dict[str, dict[str, int]] = {name: {} for name in self._topics.names}
            for place, offset in written.items():
                offsets[place.topic][str(place.partition)] = offset
            ids = {name: self._seen[name].id for name in self._topics.names}
            beginning = msgspec.json.encode(Beginning(marker.generation, position, offsets, ids))
            message = (b"beginning", beginning, [("content-type", b"application/json")])
            await sending.send({TopicPartition(self._topics.control, _BEGINNINGS): [message]})
        self._held = dict.fromkeys(self._topics.names, position)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Send what its topic does not hold yet; returns once all replicas in step have all of it."""
        sending = self._opened()
        require_ascending(envelopes)
        wanted = [(topic, each) for each in envelopes if (topic := self._topic_for(each)) is not None]
        if not wanted:
            return
        if self._judge is not None:
            self._judge.published(wanted[-1][1].position)
        async with told(self._connection, "publish"):
            placed = [(self._place(topic, each.symbol), each) for topic, each in wanted]
            cut = rounds(placed, self._settings.batch_bytes)
            topics = {topic for topic, _ in wanted}
            apart = sum(len(each.payload) for _, each in wanted) > IN_LOOP_BYTES
            await sending.send_in_turn(cut, encoded, lambda: self._require_same(topics), apart=apart)

    def _topic_for(self, envelope: Envelope) -> str | None:
        """Where a change belongs; None: its dimension is not published, or its topic has it."""
        topic = self._topics.name(envelope.dimension)
        return None if topic is None or envelope.position <= self._held.get(topic, 0) else topic

    def _place(self, topic: str, symbol: str) -> TopicPartition:
        """Where a symbol lies; kept, for the hash of a name costs as much as all else about a small change."""
        place = self._places.get((topic, symbol))
        if place is None:
            if len(self._places) >= _PLACES:
                self._places.clear()
            place = TopicPartition(topic, partition_of(symbol, self._seen[topic].partitions))
            self._places[topic, symbol] = place
        return place

    async def _found(self, sending: Sending) -> dict[str, Seen]:
        """The topics as they are now.

        Raises:
            TopicsMissing: some are.
        """
        seen = await sending.seen(self._topics.needed)
        if missing := sorted(set(self._topics.needed) - set(seen)):
            raise TopicsMissing(
                f"kafka at {self._connection} has no topic {', '.join(missing)}, or this user may not see it; create "
                "them with backbone connectors --ensure-topics, or set BACKBONE_STREAM_CREATE_TOPICS=true"
            )
        return seen

    async def _require_same(self, names: Collection[str]) -> None:
        """A topic that was made anew is empty: what it had comes before what is to be sent now.

        Raises:
            StreamUnavailable: a topic is not the one that it was.
        """
        seen = await self._opened().seen(names)
        for name in names:
            if seen.get(name) != self._seen[name]:
                what = "is gone" if name not in seen else "was made anew, or has other partitions"
                raise StreamUnavailable(f"the topic {name} {what}; it is filled again from the outbox")

    def _opened(self) -> Sending:
        if self._sending is None or not self._seen:
            raise StreamClosed("the publisher to Kafka is not open; open it before publishing")
        return self._sending
