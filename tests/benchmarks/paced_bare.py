"""The way of a live row by the bare clients: asyncpg commits it, aiokafka sends it, and its consumer is given it.

What the servers and the machine make of the slowest ones, both meet alike, at the same pace in the same run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from backbone.domain import Dimension
from backbone.services import native
from backbone.stream.kafka.connection import Connection
from tests.benchmarks.paced_load import Percentiles, percentiles
from tests.services.brokers import make_topics, stream_settings

__all__ = ["BarePace", "bare_paced"]

_PAYLOAD = bytes(1000)  # about what a change of one row takes
_CONNECTIONS = 5
_WARM = 0.5  # seconds
_TABLE = "CREATE TABLE bare_rows (number bigint, payload bytea, at timestamptz DEFAULT now())"
_INSERT = "INSERT INTO bare_rows (number, payload) VALUES ($1, $2)"


class BarePace(NamedTuple):
    """How long rows took until they were committed, and until the consumer had them."""

    committed: Percentiles
    seen: Percentiles


class _Clients(NamedTuple):
    pool: Any
    producer: Any
    consumer: Any
    topic: str


async def bare_paced(services: native.Services, dsn: str, rate: int, seconds: float) -> BarePace:
    """So many rows a second, whether those before them are there or not.

    Args:
        services: Kafka, on which it gets topics of its own.
        dsn: a database that is dropped afterwards.
        rate: rows a second.
        seconds: for how long.
    """
    async with _connected(services, dsn) as clients:
        await _paced(clients, rate, _WARM)
        return await _paced(clients, rate, seconds)


async def _paced(clients: _Clients, rate: int, seconds: float) -> BarePace:
    committed: list[float] = []
    seen: list[float] = []
    due = [number / rate for number in range(max(1, int(rate * seconds)))]
    async with anyio.create_task_group() as group:
        began = anyio.current_time()

        async def send(number: int) -> None:
            await clients.pool.execute(_INSERT, number, _PAYLOAD)
            committed.append(anyio.current_time() - began - due[number])
            await clients.producer.send_and_wait(clients.topic, _PAYLOAD, key=b"%d" % number)

        async def see() -> None:
            async for record in clients.consumer:
                seen.append(anyio.current_time() - began - due[int(record.key)])
                if len(seen) == len(due):
                    return

        group.start_soon(see)
        for number, at in enumerate(due):
            await anyio.sleep(max(0.0, began + at - anyio.current_time()))
            group.start_soon(send, number)
    return BarePace(percentiles(committed), percentiles(seen))


@asynccontextmanager
async def _connected(services: native.Services, dsn: str) -> AsyncIterator[_Clients]:
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
            yield _Clients(pool, producer, consumer, topic)
        finally:
            await consumer.stop()
            await producer.stop()
