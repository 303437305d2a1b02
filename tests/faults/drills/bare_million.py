"""The same million trades by the bare clients in one event loop: what lateness machine and servers leave possible.

It makes no promise: no ledger, no journal, no cursor. It reads the file in pieces, one ahead, copies the rows and a
payload for each symbol into the same tables, has Redis forget the symbols, sends the payloads to Kafka, and reads them
from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from backbone import Backbone, Frame, Settings
from backbone.domain.codec import encode
from backbone.domain.threads import in_thread
from backbone.services import native
from backbone.store.timescale.copying import Bytes, Field, Rows, Stream, constant
from backbone.store.timescale.workers import Workers
from tests.benchmarks.store_bare import rows_of
from tests.faults.drills.million import ROWS, TRADES, Watch, sum_of
from tests.services.clients import broker, cache

__all__ = ["bare_lateness"]

_CHUNK_ROWS = 100_000
_AT_ONCE = 200  # records
Payloads = list[tuple[str, bytes]]
Piece = tuple[Rows, Payloads]
Send = MemoryObjectSendStream[Piece]
Receive = MemoryObjectReceiveStream[Piece]


async def bare_lateness(services: native.Services, settings: Settings, path: Path) -> float:
    """Seconds by which the loop was late, p99; `settings` name an empty database and topics of its own."""
    async with Backbone.open(settings):
        pass  # it makes tables and topics
    topic, watch = settings.stream.topic.format(dimension=TRADES.value), Watch()
    url = settings.store.url
    assert url is not None
    connection = await asyncpg.connect(url.reveal())
    stream = settings.stream
    producer = AIOKafkaProducer(
        **broker(services, enable_idempotence=True, acks="all"),
        compression_type=stream.compression,
        max_batch_size=stream.batch_bytes,
    )
    consumer = AIOKafkaConsumer(topic, **broker(services, auto_offset_reset="earliest"))
    redis = cache(services)
    try:
        await producer.start()
        await consumer.start()
        async with anyio.create_task_group() as watching:
            watching.start_soon(watch.beat)
            async with anyio.create_task_group() as work:
                read, stored = (anyio.create_memory_object_stream[Piece](1) for _ in range(2))
                work.start_soon(_read, path, read[0])
                work.start_soon(_store, connection, read[1], stored[0])
                work.start_soon(_publish, stored[1], producer, topic, redis)
                work.start_soon(_consume, consumer, watch)
            watching.cancel_scope.cancel()
    finally:
        await consumer.stop()
        await producer.stop()
        await redis.aclose()
        await connection.close()
    return watch.p99


async def _read(path: Path, send: Send) -> None:
    batches = pq.ParquetFile(path).iter_batches(_CHUNK_ROWS)

    def piece() -> Piece | None:
        batch = next(batches, None)
        if batch is None:
            return None
        frame = Frame.from_arrow(TRADES, pa.Table.from_batches([batch]))
        return rows_of(frame), [(symbol, encode(each)) for symbol, each in frame.split_by_symbol()]

    async with send:
        while (found := await in_thread(piece)) is not None:
            await send.send(found)


async def _store(
    connection: Any, receive: MemoryObjectReceiveStream[Piece], send: MemoryObjectSendStream[Piece]
) -> None:
    workers, position = Workers(), 1
    async with receive, send:
        async for rows, payloads in receive:
            async with connection.transaction():
                await _copy(connection, "market_data", TRADES.value, rows, workers)
                await _copy(connection, "telemetry", "outbox", _outbox(payloads, position), workers)
            position += len(payloads)
            await send.send((rows, payloads))


async def _copy(connection: Any, schema: str, table: str, rows: Rows, workers: Workers) -> None:
    pieces = Stream(rows, workers)
    await connection.copy_to_table(table, schema_name=schema, columns=rows.columns, source=pieces, format="binary")


def _outbox(payloads: Payloads, position: int) -> Rows:
    count = len(payloads)
    numbers = pa.array(range(position, position + count), pa.int64())
    stamps = pa.array([0] * count, pa.timestamp("us", "UTC"))
    fields = (
        Field("position", numbers),
        Field("rows", numbers),
        Field("bytes", numbers),
        Field("created_at", stamps),
        *(Field(name, constant("bare")) for name in ("dimension", "ingest_id")),
        Field("revision", constant(1)),
        Field("event_id", pa.array([f"bare {n}" for n in range(position, position + count)])),
        Field("symbol", pa.array([symbol for symbol, _ in payloads])),
        Field("payload", Bytes([payload for _, payload in payloads])),
    )
    return Rows(fields, count, 256 + sum(len(payload) for _, payload in payloads) // count)


async def _publish(receive: Receive, producer: Any, topic: str, redis: Any) -> None:
    async with receive:
        async for _, payloads in receive:
            await redis.delete(*(f"backbone:bare:{symbol}" for symbol, _ in payloads))
            sent = [await producer.send(topic, payload, key=symbol.encode()) for symbol, payload in payloads]
            for each in sent:
                await each


async def _consume(consumer: Any, watch: Watch) -> None:
    while watch.rows < ROWS:
        for records in (await consumer.getmany(timeout_ms=500, max_records=_AT_ONCE)).values():
            for record in records:
                frame = Frame.of_canonical(TRADES, pa.ipc.open_stream(record.value).read_all())
                watch.rows += frame.num_rows
                watch.sum = (watch.sum + sum_of(frame)) % 2**64
                await anyio.lowlevel.checkpoint()
