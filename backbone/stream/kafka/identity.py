"""Which topics these are: one that was deleted and made again has another id, also where its name is the same.

Kafka tells the ids since version 10 of its Metadata request; the client speaks it up to version 5, and lets the broker
create what it asks for. So the request is made here, of the client's own types, and creates nothing.
"""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Collection
from io import BytesIO
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
from aiokafka.errors import KafkaError, MetadataEmptyBrokerList, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Schema, TaggedFields

__all__ = ["Beginning", "Seen", "seen", "topic_ids"]

_METADATA: Final = 3
_VERSION: Final = 12  # Kafka 3.1 and later; the first in which a topic is asked for by name beside its id
_NO_ID: Final = bytes(16)


class Seen(NamedTuple):
    """A topic as it is now.

    Attributes:
        id: as Kafka's tools show it.
        partitions: how many it has.
    """

    id: str
    partitions: int


class Beginning(msgspec.Struct, frozen=True):
    """The newest record of partition 0 of the control topic: where the stream began again last, as JSON.

    Attributes:
        generation: that of the markers.
        position: the outbox position that it follows.
        offsets: of the marker, by topic and partition (as text); what lies before it is of no use to anybody.
        ids: of the topics in which it lies: one that was made anew since has no marker.
    """

    generation: str
    position: int
    offsets: dict[str, dict[str, int]]
    ids: dict[str, str]


async def topic_ids(client: Any, names: Collection[str] | None = None) -> dict[str, str]:
    """Kafka's ids of topics, by name; those that are missing, or that this user may not see, are left out.

    Args:
        client: of aiokafka, after its `bootstrap`.
        names: which; None: all that there are.

    Raises:
        aiokafka.errors.KafkaError: no broker answers, or they are older than Kafka 3.1.
    """
    return {name: topic.id for name, topic in (await seen(client, names)).items()}


async def seen(client: Any, names: Collection[str] | None = None) -> dict[str, Seen]:
    """The same, with the number of partitions of each."""
    brokers = [broker.nodeId for broker in client.cluster.brokers()]
    random.shuffle(brokers)
    failure: KafkaError = MetadataEmptyBrokerList("no broker is known")
    for broker in brokers:
        try:
            answer: _Answer = await client.send(broker, _Ask(names))
        except KafkaError as error:  # another one may answer
            failure = error
        else:
            return answer.topics
    raise failure


class _Uuid(AbstractType):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class _Answer(NamedTuple):
    topics: dict[str, Seen]

    @classmethod
    def decode(cls, data: BytesIO) -> _Answer:
        """Read what is wanted; the client's own way through each field costs a millisecond for each topic."""
        reader = _Reader(data.read())
        reader.skip(4)  # throttle time
        for _ in range(reader.count()):
            reader.skip(4)  # node
            reader.text()  # host
            reader.skip(4)  # port
            reader.text()  # rack
            reader.tags()
        reader.text()  # cluster
        reader.skip(4)  # controller
        topics: dict[str, Seen] = {}
        for _ in range(reader.count()):
            code, name, topic = reader.topic()
            if name is not None and not code:
                topics[name] = topic
            elif code not in _LEFT_OUT:
                raise for_code(code)(name)
        return cls(topics)


_LEFT_OUT: Final = frozenset({0, 3, 29})  # unknown, or not to be seen


class _Reader:
    """Looks through an answer in the compact form of the protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def skip(self, count: int) -> None:
        self._at += count

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def count(self) -> int:
        """A length, which is sent greater by one; nothing at all counts as none."""
        return max(0, self.number() - 1)

    def text(self) -> str | None:
        length = self.count()
        begin, self._at = self._at, self._at + length
        return self._data[begin : self._at].decode() if length else None

    def tags(self) -> None:
        for _ in range(self.number()):
            self.number()
            self.skip(self.number())

    def topic(self) -> tuple[int, str | None, Seen]:
        (code,) = struct.unpack_from(">h", self._data, self._at)
        self.skip(2)
        name = self.text()
        raw = self._data[self._at : self._at + 16]
        self.skip(16 + 1)  # the id, and whether it is internal
        partitions = self.count()
        for _ in range(partitions):
            self.skip(2 + 4 + 4 + 4)  # code, number, leader and its epoch
            for _ in ("replicas", "in step", "offline"):
                self.skip(4 * self.count())
            self.tags()
        self.skip(4)  # operations
        self.tags()
        return code, name, Seen(base64.urlsafe_b64encode(raw).decode().rstrip("="), partitions)


class _Asked(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY = _METADATA
    API_VERSION = _VERSION
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("topics", CompactArray(("id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Ask(Request[_Asked]):  # type: ignore[misc]
    API_KEY = _METADATA

    def __init__(self, names: Collection[str] | None) -> None:
        self._names = names

    def build(self, request_struct_class: type[_Asked]) -> _Asked:
        no_tags: dict[int, bytes] = {}
        wanted = None if self._names is None else [(_NO_ID, name, no_tags) for name in self._names]
        return request_struct_class(wanted, False, False, no_tags)
