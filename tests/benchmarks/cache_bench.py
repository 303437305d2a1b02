"""A cached window of 500 bars, by a whole backbone, beside redis-py that gets the same bytes.

Redis is started for it; where it can't be had, nothing is measured, and the page says so.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from redis.asyncio import Redis

from backbone import Backbone, Dimension, Frame, load_settings
from backbone.cache.port import CacheEntry, Hit
from backbone.domain import encode
from backbone.domain.codec import checksum_of
from backbone.services import native
from tests.benchmarks.report import Floor, Report, Table
from tests.services.caches import EURUSD, load, opened, url_of

ROWS, CALLS, WARM = 500, 3000, 100
_PAGE = "docs/reference/benchmarks-cache.md"
_KEY = "backbone:bench:bytes"
BARE, BARE_ARROW = "redis-py, GET of the bytes", "redis-py, GET of the bytes, read by pyarrow"
ALONE, FAR, NEAR = "our cache alone, a hit in Redis", "backbone.fetch, from Redis", "backbone.fetch, near"
MEMORY = "backbone.fetch, cache.backend=memory"

Ask = Callable[[], Awaitable[int]]


def run(quick: bool) -> Report:
    """Measure; a tenth of the calls where quick."""
    return asyncio.run(_measure(CALLS // (10 if quick else 1)))


async def _measure(calls: int) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="backbone-bench-"))
    took: dict[str, list[float]] = {}
    why_not = ""
    try:
        services = await native.up(["redis"], data=folder, die_with_parent=True)
        async with AsyncExitStack() as stack:
            took = await _contest(await _contestants(stack, url_of(services)), calls)
    except (native.Unavailable, native.StartError) as error:
        why_not = f"Redis was NOT measured: {error}"
    finally:
        await native.down(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return _report(calls, took, why_not)


async def _contestants(stack: AsyncExitStack, url: str) -> dict[str, Ask]:
    frame = _bars()
    payload = encode(frame)
    bare = Redis.from_url(url, protocol=3)
    stack.push_async_callback(bare.aclose)
    await bare.set(_KEY, payload)
    alone = await stack.enter_async_context(opened(url, near_bytes=0))
    await load(alone, 1, EURUSD, CacheEntry(payload, 1, checksum_of(payload)))

    async def get() -> int:
        return ROWS if await bare.get(_KEY) == payload else 0

    async def get_arrow() -> int:
        return int(pa.ipc.open_stream(await bare.get(_KEY)).read_all().num_rows)

    async def from_cache() -> int:
        found = await alone.get(EURUSD)
        return ROWS if isinstance(found, Hit) and found.entry.payload == payload else 0

    redis: dict[str, object] = {"cache.backend": "redis", "cache.url": url}
    whole = {FAR: {**redis, "cache.near_mb": 0}, NEAR: redis, MEMORY: {}}
    fetched = {name: await stack.enter_async_context(_fetching(given, frame)) for name, given in whole.items()}
    return {BARE: get, BARE_ARROW: get_arrow, ALONE: from_cache, **fetched}


@asynccontextmanager
async def _fetching(overrides: dict[str, object], frame: Frame) -> AsyncIterator[Ask]:
    quiet = {"store.path": ":memory:", "control.enabled": False}
    settings = load_settings(profile="embedded", overrides={**quiet, **overrides})
    async with Backbone.open(settings) as backbone:
        await backbone.record(frame)

        async def ask() -> int:
            found = await backbone.fetch("intraday_bars", symbols=["EURUSD"], interval="1h", limit=ROWS)
            return int(found.to_arrow().num_rows)

        yield ask


async def _contest(contestants: dict[str, Ask], calls: int) -> dict[str, list[float]]:
    """Each in turn, call by call, so that what else the machine does meets all alike."""
    took: defaultdict[str, list[float]] = defaultdict(list)
    gc.collect()
    for number in range(WARM + calls):
        for name, ask in contestants.items():
            began = time.perf_counter()
            rows = await ask()
            if number >= WARM:
                took[name].append(time.perf_counter() - began)
            if rows != ROWS:
                raise RuntimeError(f"{name}: {rows} rows given, not {ROWS}")
    return took


def _bars() -> Frame:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    hours = ({"ts": start + timedelta(hours=n), "close": 1.0 + n / 1000} for n in range(ROWS))
    prices = {"open": 1.1, "high": 1.5, "low": 1.0, "volume": 1.0}  # no bar whose close lies beyond it is stored
    rows = [{"symbol": "EURUSD", "interval": "1h", **prices, **hour} for hour in hours]
    return Frame.from_records(Dimension.INTRADAY_BARS, rows)


def _report(calls: int, took: dict[str, list[float]], why_not: str) -> Report:
    rows, floors = [], []
    if took:
        median = {name: statistics.median(samples) for name, samples in took.items()}
        rows = [_row(name, samples, median[BARE]) for name, samples in took.items()]
        floors = [
            _floor("a hit in Redis, beside a GET of its bytes", median[ALONE] / median[BARE]),
            _floor("backbone.fetch from Redis, beside a GET read by pyarrow", median[FAR] / median[BARE_ARROW]),
            Floor("backbone.fetch, near", "<= 60 µs", f"{median[NEAR] * 1e6:.0f} µs", median[NEAR] <= 60e-6),
        ]
    head = ("", "median", "p95", "beside GET")
    return Report(
        "Cached windows",
        [Table(f"{ROWS} bars, {calls} calls each, in turn", head, rows)],
        floors,
        packages=("redis", "hiredis", "pyarrow"),
        page=_PAGE,
        intro="From the question to rows in Arrow; of the bare GET and of our cache alone, to the bytes.",
        notes=[why_not] if why_not else [],
    )


def _floor(what: str, ratio: float) -> Floor:
    return Floor(what, "<= 1.3", f"{ratio:.2f}", ratio <= 1.3)


def _row(name: str, samples: list[float], bare: float) -> tuple[str, str, str, str]:
    p95 = statistics.quantiles(samples, n=20)[18]
    median = statistics.median(samples)
    return name, f"{median * 1e6:.0f} µs", f"{p95 * 1e6:.0f} µs", f"{median / bare:.2f}"
