"""Publishing to Kafka beside the bare client doing the same work, in turn; filling topics anew; and the whole cycle.

`python -m tests.benchmarks stream publishing`, `stream filling` or `stream cycle` measures one of them. The servers are
started for it; where they can't be had, nothing is measured, and the page says so.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from backbone.domain import Dimension, Frame, codec
from backbone.domain.clock import from_us
from backbone.domain.hashing import partition_of
from backbone.services import native
from backbone.settings.sections.stream import StreamSettings
from backbone.store.records import OutboxRow
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.wire import encoded
from tests.benchmarks import stream_cycle, stream_filling
from tests.benchmarks.report import Floor, Report, Table
from tests.services.brokers import make_topics, publisher_of, stream_settings

PUBLISHING, FILLING, CYCLE = PARTS = ("publishing", "filling", "cycle")
ROUNDS, BATCH, SYMBOLS, CYCLES = 7, 500, 64, 5
SIZES = {"one row": (1, 20), "500 rows": (500, 4)}
"""Rows of each change, and batches of 500 changes in a round."""
SINGLE = 200
QUOTES = Dimension.QUOTES

_OURS, _BEST = "KafkaPublisher.publish", "aiokafka send_batch"
_PAGE = "docs/reference/benchmarks-stream.md"
_WHY = (
    "Before each batch `publish` asks for the ids of the topics, and of a partition it sends nothing before what is "
    "ahead is acknowledged: that is what it costs to notice a topic that was made anew, and to keep order."
)

Send = Callable[[Sequence[OutboxRow]], Awaitable[None]]


def run(quick: bool, parts: Sequence[str] = PARTS) -> Report:
    """Measure; fewer rounds where quick."""
    return asyncio.run(_measure(3 if quick else ROUNDS, quick, parts))


async def _measure(rounds: int, quick: bool, parts: Sequence[str]) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="backbone-bench-"))
    rates: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    waits: defaultdict[str, list[float]] = defaultdict(list)
    filled, cycle, why_not = None, None, ""
    try:
        names = native.ALL if {FILLING, CYCLE} & {*parts} else ["kafka"]
        services = await native.up(names, data=folder / "services", die_with_parent=True)
        if PUBLISHING in parts:
            settings = stream_settings(services)
            await make_topics(settings)
            await _contest(settings, rounds, rates, waits)
        if FILLING in parts:
            some = _changes(stream_filling.ROWS, 0)
            filled = await stream_filling.measured(services, some, _sender, 1 if quick else rounds // 2)
        if CYCLE in parts:
            cycle = await stream_cycle.measured(services, folder, 1 if quick else CYCLES, quick)
    except (native.Unavailable, native.StartError) as error:
        why_not = f"{' and '.join(parts)} NOT measured: {error}"
    finally:
        await native.down(folder / "services")
        shutil.rmtree(folder, ignore_errors=True)
    return _report(rates, waits, filled, cycle, _PAGE if set(parts) == set(PARTS) else "", why_not)


async def _contest(
    settings: StreamSettings,
    rounds: int,
    rates: defaultdict[tuple[str, str], list[float]],
    waits: defaultdict[str, list[float]],
) -> None:
    publisher, producer = publisher_of(settings), _producer(settings)
    await publisher.open()
    await producer.start()
    bare = Bare(producer, settings)
    contestants: dict[str, Send] = {
        _OURS: publisher.publish,
        _BEST: bare.send_batch,
        "aiokafka send": bare.send,
    }
    try:
        for size, (rows, batches) in SIZES.items():
            changes = [_changes(rows, n) for n in range(batches)]
            for n in range(rounds + 1):
                for name, send in contestants.items():
                    began = time.perf_counter()
                    for batch in changes:
                        await send(batch)
                    if n:
                        rates[size, name].append(batches * BATCH / (time.perf_counter() - began))
        [one] = [_changes(1, 0)[:1]]
        for n in range(SINGLE):
            for name, send in contestants.items():
                began = time.perf_counter()
                await send(one)
                if n >= SINGLE // 10:
                    waits[name].append(time.perf_counter() - began)
    finally:
        await publisher.close()
        await producer.stop()


def _producer(settings: StreamSettings) -> AIOKafkaProducer:
    compression = None if settings.compression == "none" else settings.compression
    return AIOKafkaProducer(
        **Connection.of(settings).client(),
        acks="all",
        enable_idempotence=True,
        compression_type=compression,
        max_batch_size=settings.batch_bytes,
        max_request_size=4 * 2**20,
    )


@asynccontextmanager
async def _sender(settings: StreamSettings) -> AsyncIterator[Send]:
    producer = _producer(settings)
    await producer.start()
    try:
        yield Bare(producer, settings).send_batch
    finally:
        await producer.stop()


class Bare:
    """The bare client: the same keys, values and headers, acknowledged before it returns."""

    def __init__(self, producer: AIOKafkaProducer, settings: StreamSettings) -> None:
        self._producer = producer
        self._topic = settings.topic.format(dimension=QUOTES)
        self._partitions = settings.partitions

    async def send(self, changes: Sequence[OutboxRow]) -> None:
        """One record after the other."""
        sent = []
        for each in changes:
            key, value, headers = encoded(each)
            sent.append(await self._producer.send(self._topic, value, key=key, headers=headers))
        for future in sent:
            await future

    async def send_batch(self, changes: Sequence[OutboxRow]) -> None:
        """A batch for each partition, and another one where it is full."""
        open_ones: dict[int, Any] = {}
        sent = []
        for each in changes:
            key, value, headers = encoded(each)
            number = partition_of(each.symbol, self._partitions)
            if number not in open_ones:
                open_ones[number] = self._producer.create_batch()
            if open_ones[number].append(key=key, value=value, timestamp=None, headers=headers) is None:
                sent.append(await self._producer.send_batch(open_ones[number], self._topic, partition=number))
                open_ones[number] = self._producer.create_batch()
                open_ones[number].append(key=key, value=value, timestamp=None, headers=headers)
        for number, batch in open_ones.items():
            sent.append(await self._producer.send_batch(batch, self._topic, partition=number))
        for future in sent:
            await future


def _changes(rows: int, n: int) -> list[OutboxRow]:
    """Random prices, as they are: they compress to some four fifths."""
    seed = random.Random(n)
    payloads = [_payload(rows, seed, f"S{number}") for number in range(SYMBOLS)]
    at = from_us(0)
    return [
        OutboxRow(
            1 + k,
            f"{n:016x}{k:016x}",
            f"{n:032x}",
            QUOTES,
            f"S{k % SYMBOLS}",
            rows,
            1,
            payload,
            at,
            codec.checksum_of(payload),
        )
        for k in range(BATCH)
        for payload in (payloads[k % SYMBOLS],)
    ]


def _payload(rows: int, seed: random.Random, symbol: str) -> bytes:
    quotes = [
        {
            "symbol": symbol,
            "ts": from_us(1_700_000_000_000_000 + 1000 * k),
            "sequence": k,
            "bid": (price := round(seed.gauss(1.1, 0.01), 5)),
            "bid_size": float(seed.randrange(1, 100)),
            "ask": price + 0.00002,
            "ask_size": float(seed.randrange(1, 100)),
        }
        for k in range(rows)
    ]
    return codec.encode(Frame.from_records(QUOTES, quotes), {})


def _report(
    rates: dict[tuple[str, str], list[float]],
    waits: dict[str, list[float]],
    filled: stream_filling.Filled | None,
    cycle: stream_cycle.Cycle | None,
    page: str,
    why_not: str,
) -> Report:
    tables, floors = _published(rates, waits) if rates else ([], [])
    if filled is not None:
        tables += stream_filling.tables(filled)
    if cycle is not None:
        tables += stream_cycle.tables(cycle)
        floors += stream_cycle.floors(cycle)
    return Report(
        "Benchmarks of the stream",
        tables,
        floors,
        packages=("aiokafka", "asyncpg", "pyarrow", "redis"),
        page=page,
        intro="Servers and clients share the machine. Made by `make bench`.",
        notes=[each for each in (why_not, _WHY) if each],
    )


def _published(
    rates: dict[tuple[str, str], list[float]], waits: dict[str, list[float]]
) -> tuple[list[Table], list[Floor]]:
    median = {key: statistics.median(values) for key, values in rates.items()}
    sent = [
        (size, name, f"{rate:,.0f}", f"{rate * SIZES[size][0]:,.0f}", f"{rate / median[size, _BEST]:.2f}x")
        for (size, name), rate in median.items()
    ]
    single = [
        (name, f"{1000 * statistics.median(values):.2f}", f"{1000 * statistics.quantiles(values, n=100)[98]:.2f}")
        for name, values in waits.items()
    ]
    ratios = [(size, median[size, _OURS] / median[size, _BEST]) for size in SIZES]
    title = "Publishing changes in batches of 500, each batch acknowledged by all replicas in step before the next one"
    return (
        [
            Table(title, ("each change", "by", "changes/s", "rows/s", "of send_batch"), sent),
            Table("One change alone, until it is acknowledged", ("by", "p50 ms", "p99 ms"), single),
        ],
        [
            Floor(f"publishing changes of {size}", ">= 0.7 of send_batch", f"{ratio:.2f}x", ratio >= 0.7)
            for size, ratio in ratios
        ],
    )
