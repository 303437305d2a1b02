"""The way of a live row by the bare clients: asyncpg commits it, aiokafka sends it, and its consumer is given it.

What the servers and the machine make of the slowest ones, both meet alike: at the same pace, and in turn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anyio
import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from backbone.domain import Dimension
from backbone.services import native
from backbone.stream.kafka.connection import Connection
from tests.benchmarks.paced_load import Percentiles, percentiles
from tests.services.brokers import make_topics, stream_settings

__all__ = ["BarePace", "BareSamples", "Clients", "connected", "sampled"]

_PAYLOAD = bytes(1000)  # about what a change of one row takes
_CONNECTIONS = 5
_TABLE = "CREATE TABLE bare_rows (number bigint, payload bytea, at timestamptz DEFAULT now())"
_INSERT = "INSERT INTO bare_rows (number, payload) VALUES ($1, $2)"


@dataclass
class BareSamples:
    """How long each row took until it was committed, and until the consumer had it, in seconds."""

    committed: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)


class BarePace(NamedTuple):
    """The same of all rows."""

    committed: Percentiles
    seen: Percentiles

    @classmethod
    def of(cls, taken: BareSamples) -> BarePace:
        """What was taken."""
        return cls(percentiles(taken.committed), percentiles(taken.seen))


class Clients(NamedTuple):
    """A pool of connections to the database, a producer, and a consumer of its topic."""

    pool: Any
    producer: Any
    consumer: Any
    topic: str


async def sampled(clients: Clients, rate: int, seconds: float, into: BareSamples) -> None:
    """So many rows a second, whether those before them are there or not; added to what was taken before."""
    due = [number / rate for number in range(max(1, int(rate * seconds)))]
    async with anyio.create_task_group() as group:
        began = anyio.current_time()

        async def send(number: int) -> None:
            await clients.pool.execute(_INSERT, number, _PAYLOAD)
            into.committed.append(anyio.current_time() - began - due[number])
            await clients.producer.send_and_wait(clients.topic, _PAYLOAD, key=b"%d" % number)

        async def see() -> None:
            left = len(due)
            while left:
                record = await clients.consumer.getone()
                into.seen.append(anyio.current_time() - began - due[int(record.key)])
                left -= 1

        group.start_soon(see)
        for number, at in enumerate(due):
            await anyio.sleep(max(0.0, began + at - anyio.current_time()))
            group.start_soon(send, number)


@asynccontextmanager
async def connected(services: native.Services, dsn: str) -> AsyncIterator[Clients]:
    """The bare clients.

    Args:
        services: Kafka, on which they get topics of their own.
        dsn: a database that is dropped afterwards.
    """
    settings = stream_settings(services)
    await make_topics(settings)
    topic, given = settings.topic.format(dimension=Dimension.QUOTES), Connection.of(settings)
    producer = AIOKafkaProducer(**given.client(), acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(topic, **given.client(), auto_offset_reset="latest", enable_auto_commit=False)
    async with asyncpg.create_pool(dsn, min_size=_CONNECTIONS, max_size=_CONNECTIONS) as pool:
        await pool.execute(_TABLE)
        try:
            await producer.start()
            await consumer.start()
            for place in consumer.assignment():
                await consumer.position(place)
            yield Clients(pool, producer, consumer, topic)
        finally:
            await consumer.stop()
            await producer.stop()
