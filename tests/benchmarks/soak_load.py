"""The load of a soak: live quotes, files of trades beside them, and those who fetch and look at the roster."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from anyio.abc import TaskGroup

from backbone import Backbone, Frame, IngestPlan
from tests.benchmarks.soak_seen import Seen

__all__ = ["FILE_EVERY", "FILE_ROWS", "SYMBOLS", "Load", "trades", "write_file"]

ROWS, CALLS = 200.0, 19.0  # live rows, and calls of `record` that bring them, a second
FILE_ROWS, FILE_EVERY = 200_000, 60.0
FETCHES, ROSTERS = 50.0, 10.0  # a second

SYMBOLS = tuple(f"Q{number:03d}" for number in range(50))
_BULK = tuple(f"BULK{number}" for number in range(8))
_MOST = int(2 * ROWS / CALLS) - 1  # rows of one call, 1 at least
_MIXED = 0.2  # share of calls with several symbols
_NEW = 0.2  # share of fetches of a window that nobody asked for before
_NEWEST = 0.5  # share of the others
_STEP_US = 20_000  # between two trades of a symbol
_START = datetime(2025, 1, 6, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Load:
    """What is done to a backbone at the same time.

    Args:
        backbone: opened.
        files: of trades; one goes in at first, then beside the rest one a minute.
        seen: is told how long each took, or how it failed.

    Attributes:
        sent: by symbol how many quotes were given to `record`.
        filed: trades that went in by files.
    """

    def __init__(self, backbone: Backbone, files: Sequence[Path], seen: Seen) -> None:
        self._backbone = backbone
        self._files = iter(files)
        self._seen = seen
        self._chance = random.Random(1)
        self._last_us: defaultdict[str, int] = defaultdict(int)
        self._given: dict[tuple[str, int], float] = {}
        self.sent = dict.fromkeys(SYMBOLS, 0)
        self.filed = 0

    async def run(self, seconds: float) -> None:
        """All of it for so long; what is under way then is waited for."""
        await self._ingest()
        async with anyio.create_task_group() as calls:
            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as group:
                    group.start_soon(self._repeat, calls, CALLS, self._record)
                    group.start_soon(self._repeat, calls, FETCHES, self._fetch)
                    group.start_soon(self._repeat, calls, ROSTERS, self._look)
                    group.start_soon(self._repeat, calls, 1 / FILE_EVERY, self._ingest)

    async def _repeat(self, calls: TaskGroup, rate: float, call: Callable[[], object]) -> None:
        """Begin calls at chance moments, so many a second, whether those before them have ended or not."""
        due = anyio.current_time()
        while True:
            calls.start_soon(call)  # type: ignore[arg-type]  # each is a coroutine function
            due += self._chance.expovariate(rate) if rate > 1 else 1 / rate
            await anyio.sleep(max(0.0, due - anyio.current_time()))

    def seen_by(self, symbol: str, number: int) -> None:
        """A subscriber has a quote."""
        given = self._given.pop((symbol, number), None)
        if given is not None:
            self._seen.took("record to subscriber", anyio.current_time() - given)

    async def _record(self) -> None:
        table = self._quotes(self._chance.randint(1, _MOST))
        with self._seen.timed("record"):
            await self._backbone.record(Frame.from_arrow("quotes", table))

    def _quotes(self, rows: int) -> pa.Table:
        mixed = self._chance.random() < _MIXED
        symbols = self._chance.choices(SYMBOLS, k=rows) if mixed else [self._chance.choice(SYMBOLS)] * rows
        moments, numbers, now_us = [], [], time.time_ns() // 1000
        for symbol in symbols:
            self._last_us[symbol] = max(self._last_us[symbol] + 1, now_us)
            moments.append(self._last_us[symbol])
            numbers.append(self.sent[symbol])
            self._given[symbol, self.sent[symbol]] = anyio.current_time()
            self.sent[symbol] += 1
        prices = np.arange(rows, dtype=float)
        return pa.table(
            {
                "symbol": symbols,
                "ts": pa.array(moments, pa.timestamp("us", tz="UTC")),
                "sequence": pa.array(numbers, pa.int64()),
                "bid": 1 + prices,
                "ask": 1.1 + prices,
            }
        )

    async def _ingest(self) -> None:
        path = next(self._files)
        with self._seen.timed(f"file of {FILE_ROWS:,} rows"):
            await self._backbone.ingest(IngestPlan(dimensions=["trades"], source=path.suffix[1:], path=path))
            self.filed += FILE_ROWS

    async def _fetch(self) -> None:
        """A window that many ask for, the newest quotes of a symbol, or trades as nobody asked for before."""
        kind, dimension, symbol, end = self._window()
        with self._seen.timed(kind):
            await self._backbone.fetch(dimension, symbols=[symbol], end=end, limit=500)

    def _window(self) -> tuple[str, str, str, datetime | None]:
        """What it is called, and what is asked for."""
        if self._chance.random() < _NEW:
            length = self.filed // len(_BULK) * _STEP_US * _US
            end = _START + self._chance.uniform(0.01, 1) * length
            return "fetch, new", "trades", self._chance.choice(_BULK), end
        if self._chance.random() < _NEWEST:
            return "fetch, newest", "quotes", self._chance.choice(SYMBOLS[:10]), None
        number = self._chance.randrange(10)
        end = _START + timedelta(seconds=60 + 7 * number)
        return "fetch, asked for before", "trades", _BULK[number % len(_BULK)], end

    async def _look(self) -> None:
        with self._seen.timed("roster"):
            self._backbone.roster()


def write_file(folder: Path, number: int) -> Path:
    """Trades that follow on those of the file before it, as Parquet and CSV in turn."""
    table = trades(number * FILE_ROWS, FILE_ROWS)
    if number % 2 == 0:
        pq.write_table(table, folder / f"{number}.parquet")
        return folder / f"{number}.parquet"
    texts = pc.strftime(table.column("ts"), "%Y-%m-%dT%H:%M:%SZ")
    pacsv.write_csv(table.set_column(1, "ts", texts), folder / f"{number}.csv")
    return folder / f"{number}.csv"


def trades(first: int, rows: int) -> pa.Table:
    """So many trades of some symbols from a number on, in order of time."""
    at = np.arange(rows, dtype=np.int64) + first
    moments = int(_START.timestamp() * 1e6) + at // len(_BULK) * _STEP_US
    return pa.table(
        {
            "symbol": np.array(_BULK)[at % len(_BULK)],
            "ts": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "sequence": at,
            "price": 100 + np.sin(at / 1000),
            "size": (at % 100 + 1).astype(float),
        }
    )
