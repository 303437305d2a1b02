"""What is read after rows came from elsewhere than the newest end: a backfill, an earlier moment of knowledge."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from backbone import StoreUnavailable
from backbone.testing import Faults, embedded
from tests.backbone.facade.kit import BARS, bars
from tests.backbone.facade.test_backfill import ALL, END, HOUR, WEEK, holding
from tests.backbone.ingest.providers import KIND, Provider, installed


async def test_who_fetches_on_an_update_of_a_backfill_never_reads_what_was_cached_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A backfill brings rows into the middle of windows that are cached."""
    installed(Provider(ALL), monkeypatch)
    lost = [(WEEK + n * HOUR, WEEK + (n + 2) * HOUR) for n in (5, 30, 60, 90)]
    async with holding(tmp_path / "store.duckdb", ALL, *lost) as backbone:
        windows = [{}, {"start": WEEK, "end": END}, {"limit": 100}]
        for window in windows * 2:
            await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", **window)  # type: ignore[arg-type]
        assert (await backbone.cache_metrics()).hits >= len(windows)
        came = 0
        async with backbone.subscribe(BARS, symbols=["EURUSD"]) as updates, anyio.create_task_group() as group:

            async def fill() -> None:
                report = await backbone.backfill(BARS, source=KIND, end=END)
                assert report.inserted == 8

            group.start_soon(fill)
            with anyio.fail_after(20):
                async for update in updates:
                    came += update.frame.num_rows
                    for window in windows:
                        frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", **window)  # type: ignore[arg-type]
                        begins = frame.start
                        assert begins is not None
                        news = update.frame.select(start=begins)
                        there = set(frame.to_arrow().column("ts").to_pylist())
                        assert there.issuperset(news.to_arrow().column("ts").to_pylist())
                    if came == 8:
                        break
        for window in windows[:2]:
            frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", **window)  # type: ignore[arg-type]
            assert frame.canonical_bytes() == ALL.canonical_bytes()


async def test_a_read_as_of_a_moment_is_neither_served_from_the_cache_nor_left_in_it() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        await backbone.record(bars(close=1.2))
        then = datetime.now(UTC)
        await backbone.record(bars(close=1.3))

        async def close(as_of: datetime | None = None) -> float:
            frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", as_of=as_of)
            assert not frame.stale
            return float(frame.column("close")[0])

        assert [await close() for _ in range(3)] == [1.3] * 3
        assert (await backbone.cache_metrics()).hits >= 1
        assert [await close(moment) for moment in (then, None, then, None, datetime.now(UTC))] == [
            1.2,
            1.3,
            1.2,
            1.3,
            1.3,
        ]
        faults.store_down()
        with pytest.raises(StoreUnavailable):  # what is cached is of now, and what is known of then is in the store
            await close(then)
