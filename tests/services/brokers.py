"""A stream on the real broker, with topics of its own, and what a reader that is not ours finds in them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from aiokafka import AIOKafkaConsumer

from backbone.domain.dimension import Dimension
from backbone.services import native
from backbone.settings import Secret
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.provisioning import provision
from backbone.stream.kafka.publisher import KafkaPublisher
from backbone.stream.kafka.wire import Marker, Replayed, decoded
from backbone.stream.records import Record
from backbone.stream.topics import Topics
from tests.services import clients

QUOTES = Dimension.QUOTES


def stream_settings(services: native.Services, **more: Any) -> StreamSettings:
    """Those of the owner, with topics that nobody else has."""
    values = services.environment_of("owner")
    given: dict[str, Any] = {
        "backend": "kafka",
        "bootstrap": values["BACKBONE_STREAM_BOOTSTRAP"],
        "security_protocol": values["BACKBONE_STREAM_SECURITY_PROTOCOL"],
        "sasl_mechanism": values["BACKBONE_STREAM_SASL_MECHANISM"],
        "user": values["BACKBONE_STREAM_USER"],
        "password": Secret(values["BACKBONE_STREAM_PASSWORD"]),
        "topic": f"backbone.t{secrets.token_hex(4)}.{{dimension}}",
    }
    return StreamSettings(**{**given, **more})


async def make_topics(settings: StreamSettings) -> Topics:
    """Have the topics made, on a broker that may just have started."""
    topics = Topics.of(settings)
    connection = Connection.of(settings)
    made = await provision(connection, topics)
    assert made.failed == {}
    with anyio.fail_after(30):
        while set((await provision(connection, topics, dry_run=True)).existing) != set(topics.all):
            await anyio.lowlevel.checkpoint()  # what the controller has made, its brokers learn a moment later
    return topics


def publisher_of(settings: StreamSettings) -> KafkaPublisher:
    return KafkaPublisher(Connection.of(settings), Topics.of(settings), settings)


@asynccontextmanager
async def publishing(settings: StreamSettings) -> AsyncIterator[KafkaPublisher]:
    """A publisher whose topics are there."""
    await make_topics(settings)
    publisher = publisher_of(settings)
    await publisher.open()
    try:
        yield publisher
    finally:
        await publisher.close()


async def messages(services: native.Services, topic: str) -> list[Any]:
    """All that a topic holds, by a client that is not ours, partition by partition."""
    consumer = AIOKafkaConsumer(topic, **clients.broker(services), auto_offset_reset="earliest")
    found = []
    await consumer.start()
    try:
        with anyio.fail_after(60):
            places = sorted(consumer.assignment())
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning(*places)
            for place in places:
                while await consumer.position(place) < ends[place]:
                    for batch in (await consumer.getmany(place, timeout_ms=200)).values():
                        found += batch
    finally:
        await consumer.stop()
    return sorted(found, key=lambda each: (each.partition, each.offset))


async def records(services: native.Services, topic: str) -> list[Record | Marker | Replayed]:
    """The same, read as ours."""
    return [
        decoded(each.topic, each.partition, each.offset, each.key, each.value, each.headers)
        for each in await messages(services, topic)
    ]


def positions(found: Sequence[Record | Marker | Replayed], symbol: str | None = None) -> list[int]:
    """In the order in which they lie in their partitions."""
    return [each.position for each in found if isinstance(each, Record) and symbol in {None, each.key}]


def once(found: Sequence[int]) -> list[int]:
    """As a reader takes them that drops what it has seen: nothing may come late."""
    taken: list[int] = []
    for each in found:
        if each not in taken:
            assert not taken or each > taken[-1], found
            taken.append(each)
    return taken
