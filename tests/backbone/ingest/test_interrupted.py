"""Interrupted anywhere, a run or a backfill that is done again ends in the table and the outbox of one that was not.

An interruption is a process that dies: from some request to the store on, before or after it was carried out, nothing
of it reaches the store any more. What is done again is done by another process, which knows nothing of the first. The
outbox is the same when it has the same changes in the same order, none of them twice; when they were made is in their
ids.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backbone import Dimension, Frame, IngestPlan, load_settings
from backbone.domain.codec import decode
from backbone.ingest.backfill import Backfill
from backbone.ingest.backfill_messages import BackfillRequest
from backbone.ingest.plan import IngestRun
from backbone.ingest.run import Run, Writer
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.memory import MEMORY, MemoryDatabase
from backbone.store.port import Store
from backbone.store.records import Chunk, Coverage, JournalRow, QuarantineRow, Query, WriteResult
from tests.backbone.facade.kit import BARS, bars
from tests.backbone.ingest.providers import KIND, Provider, installed
from tests.campaigns import so_many

FEW = so_many(100, part=20)
"""Points of one piece of work; the runs have fewer, so that each of theirs is tried."""
SEED = 20261127
NOW = datetime(2018, 6, 16, tzinfo=UTC)
WEEK = datetime(2018, 6, 4, tzinfo=UTC)
SETTINGS = load_settings(
    profile="embedded",
    overrides={
        "store.inline": True,
        "store.path": MEMORY,
        "ingest.chunk_rows": 5,
        "backfill.chunk_bars": 8,
        "quality.sessions": {"AAPL": "us_equities"},
    },
)
CHANGES = {"claim_epoch", "write", "quarantine", "commit_offsets", "void"}


class Died(Exception):
    """The process is gone."""


class Mortal:
    """A store as a process sees it that dies at one of its changes."""

    def __init__(self, store: Store, at: int | None = None, *, before: bool = True) -> None:
        self._store = store
        self._at = at
        self._before = before
        self.changes = 0
        self._dead = False

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._store, name)

        async def asked(*args: Any, **kwargs: Any) -> Any:
            self.changes += name in CHANGES
            now = name in CHANGES and self.changes == self._at
            if self._dead or (now and self._before):
                self._die()
            answer = await method(*args, **kwargs)
            if now:
                self._die()
            return answer

        return asked

    def _die(self) -> None:
        self._dead = True
        raise Died


class Direct(Writer):
    """The store, as runs see it."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def claim(self, source: str, dimension: Dimension) -> int:
        epoch: int = await self._store.claim_epoch(source, dimension)
        return epoch

    async def write(self, chunk: Chunk) -> WriteResult:
        result: WriteResult = await self._store.write(chunk)
        return result

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        kept: int = await self._store.quarantine(rows)
        return kept

    async def stored(self, dimension: Dimension, symbols: Sequence[str]) -> list[Coverage]:
        found: list[Coverage] = await self._store.coverage(dimension, symbols=symbols)
        return found

    async def read(self, query: Query) -> Frame:
        frame: Frame = (await self._store.read(query)).frame
        return frame

    async def journal_of(self, source: str, dimension: Dimension) -> list[JournalRow]:
        rows: list[JournalRow] = await self._store.journal(20, dimension, source=source)
        return rows


RUNS = count()
Work = Callable[[Any], Awaitable[None]]


async def carry_out(store: Any, plan: IngestPlan) -> IngestRun:
    run_id = f"run-{next(RUNS)}"  # another process gives another one
    return await Run(plan, run_id, Direct(store), SETTINGS, lambda *_: None, lambda: 0.0, now=lambda: NOW).execute()


@asynccontextmanager
async def fresh() -> AsyncIterator[Store]:
    memory = MemoryDatabase(attached=True)
    store = DuckDBStore(MEMORY, memory=memory, inline=True, max_payload_bytes=2048)
    try:
        await store.open()
        await store.migrate()
        yield store
    finally:
        await store.close()
        memory.close()


class Left(NamedTuple):
    """What lies in the store: rows by dimension, what is published of them in order, and what was kept aside."""

    tables: tuple[str, ...]
    outbox: tuple[tuple[str, str], ...]
    aside: tuple[tuple[str, str], ...]


async def left(store: Store) -> Left:
    frames = [(await store.read(Query(each))).frame for each in (BARS, Dimension.TRADES)]
    rows = await store.read_outbox(0, 10_000)
    assert len({row.event_id for row in rows}) == len(rows)
    events = [(row.symbol, decode(row.payload).fingerprint) for row in rows]
    aside = [(row.location, row.reason) for row in await store.quarantined(1000)]
    return Left(tuple(frame.fingerprint for frame in frames), tuple(events), tuple(sorted(aside)))


async def interrupted_everywhere(work: Work, begin: Work) -> None:
    """Compare what an undisturbed process leaves with what is left after an interruption and a rerun.

    A point is a change, before or after it was carried out. No point is tried twice: it would tell the same.
    """
    async with fresh() as store:
        await begin(store)
        undisturbed = Mortal(store)
        await work(undisturbed)
        expected, changes = await left(store), undisturbed.changes
    assert len(expected.outbox) > 4
    assert changes > 4
    points = [(at, before) for at in range(1, changes + 1) for before in (True, False)]
    for at, before in random.Random(SEED).sample(points, min(FEW, len(points))):
        async with fresh() as store:
            await begin(store)
            with pytest.raises(Died):
                await work(Mortal(store, at, before=before))
            await work(Mortal(store))
            assert await left(store) == expected, f"died {'before' if before else 'after'} change {at} of {changes}"


def trades() -> Frame:
    """Two days of trades, some of them equal and without a number."""
    chance = random.Random(SEED)
    rows = [
        {
            "symbol": "AAPL",
            "ts": WEEK + timedelta(days=day, hours=14, seconds=n // 3),
            "price": chance.choice([100.0, 100.5]),
            "size": 1.0,
        }
        for day in range(2)
        for n in range(10)
    ]
    return Frame.from_records(Dimension.TRADES, rows)


async def nothing(_: Any) -> None:
    """An empty store."""


@pytest.mark.campaign
@pytest.mark.slow
async def test_a_run_over_a_file_with_bad_rows(tmp_path: Path) -> None:
    lines = ["ts,symbol,open,high,low,close,volume"]
    for number in range(20):
        ts = WEEK + number // 2 * timedelta(hours=1)
        close = "no price" if number in {3, 12} else "0" if number == 17 else "1.2"
        lines.append(f"{ts.isoformat()},{'EURUSD' if number % 2 else 'USDJPY'},1.2,1.3,1.1,{close},")
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(lines) + "\n")
    plan = IngestPlan(dimensions=[BARS], interval="1h", path=path)

    async def work(store: Any) -> None:
        await carry_out(store, plan)

    await interrupted_everywhere(work, nothing)


@pytest.mark.campaign
@pytest.mark.slow
async def test_a_run_of_events_without_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(Provider(trades(), chunk_rows=4), monkeypatch)
    plan = IngestPlan(dimensions=[Dimension.TRADES], source=KIND, symbols=["AAPL"], start=WEEK, end=NOW)

    async def work(store: Any) -> None:
        await carry_out(store, plan)

    await interrupted_everywhere(work, nothing)


@pytest.mark.campaign
@pytest.mark.slow
async def test_a_backfill_of_bars_and_of_trades(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the bars some are there and some the provider has not got either; of the trades a day is in part there."""
    had = bars(24, start=WEEK)
    known = Frame.concat([had.select(end=WEEK + timedelta(hours=n)).newest(3) for n in (4, 17)])
    lacking = Frame.concat([had.select(end=WEEK + timedelta(hours=10)), had.select(start=WEEK + timedelta(hours=13))])
    installed(Provider(lacking, trades(), chunk_rows=5), monkeypatch)
    series = ((BARS, "EURUSD", "1h", timedelta(hours=23)), (Dimension.TRADES, "AAPL", None, timedelta(hours=47)))

    async def begin(store: Any) -> None:
        await store.write(Chunk("before", "before", "live", known))

    async def work(store: Any) -> None:
        for dimension, symbol, interval, length in series:
            request = BackfillRequest(
                dimension=dimension, source=KIND, symbols=[symbol], interval=interval, start=WEEK, end=WEEK + length
            )
            ask = lambda question: question.on(store)  # noqa: E731
            ingest = lambda plan: carry_out(store, plan)  # noqa: E731
            await Backfill(request, ask, ingest, SETTINGS, lambda: NOW, lambda: 0.0).carry_out()

    await interrupted_everywhere(work, begin)
