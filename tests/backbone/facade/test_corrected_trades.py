"""A trade that a file takes back, or corrects, all the way: to subscribers, to `last`, and to the bars of who asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone import Backbone, Dimension, Frame, IngestPlan
from tests.backbone.facade.kit import BARS
from tests.backbone.facade.test_aggregated import asked

TRADES = Dimension.TRADES
TEN = datetime(2024, 3, 8, 15, tzinfo=UTC)  # in New York
OPEN = TEN - timedelta(minutes=30)
HEADER = "timestamp,symbol,sequence,price,size,conditions,correction"
FIRST = [
    "2024-03-08T15:00:00Z,ACME,1,10.7,100,@,0",
    "2024-03-08T15:00:01Z,ACME,2,107.0,100,@,0",
    "2024-03-08T15:00:02Z,ACME,3,1.08,100,@,0",
    "2024-03-08T15:07:00Z,ACME,4,99.0,100,@,0",
]
LATER = [
    "2024-03-08T15:00:01Z,ACME,2,107.0,100,@,8",
    "2024-03-08T15:00:02Z,ACME,3,10.8,100,@,12",
    "2024-03-08T15:07:00Z,ACME,4,99.0,100,@,8",
]

WINDOWS: list[dict[str, Any]] = [
    {"start": OPEN},
    {"limit": 5},
    {"start": OPEN - timedelta(days=1), "end": TEN + timedelta(minutes=20)},
]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


async def ingest(backbone: Backbone, path: Path, lines: list[str]) -> None:
    await backbone.ingest(IngestPlan(dimensions=[TRADES], path=written(path, lines)))


def prices(bars: Frame) -> list[tuple[Any, ...]]:
    return [
        tuple(row[name] for name in ("open", "high", "low", "close", "volume")) for row in bars.to_arrow().to_pylist()
    ]


@pytest.mark.parametrize(("session", "interval"), [("24x7", "5m"), ("us_equities", "1h")])
async def test_bars_that_were_given_before_leave_out_what_is_taken_back_since(
    tmp_path: Path, session: str, interval: str
) -> None:
    """By the store, and by Python where an hour does not fit the session; windows of both were cached."""
    ask: dict[str, Any] = {"symbols": ["ACME"], "interval": interval}
    async with asked(session) as (backbone, queries):
        await ingest(backbone, tmp_path / "1.csv", FIRST)
        for window in WINDOWS:
            assert max(row[1] for row in prices(await backbone.fetch(BARS, **ask, **window))) == 107.0
        assert any(query.bucket is not None for query in queries) == (session == "24x7")
        await ingest(backbone, tmp_path / "2.csv", LATER)
        for window in WINDOWS:
            assert prices(await backbone.fetch(BARS, **ask, **window)) == [(10.7, 10.8, 10.7, 10.8, 200.0)]


async def test_subscribers_and_last_are_told_what_became_of_a_trade(tmp_path: Path) -> None:
    async with asked("24x7") as (backbone, _):
        await ingest(backbone, tmp_path / "1.csv", FIRST)
        async with backbone.subscribe(TRADES, symbols=["ACME"]) as updates:
            await ingest(backbone, tmp_path / "2.csv", LATER)
            with anyio.fail_after(10):
                update = await anext(updates)
            told = {row["sequence"]: (row["price"], row["conditions"]) for row in update.frame.to_arrow().to_pylist()}
            assert told == {2: (107.0, "@,cancelled"), 3: (10.8, "@,corrected"), 4: (99.0, "@,cancelled")}
            fetched = await backbone.fetch(TRADES, symbols=["ACME"], start=TEN + timedelta(seconds=1))
            assert fetched == update.frame
        last = backbone.last(TRADES, "ACME")
        assert last is not None
        assert (last["sequence"], last["conditions"]) == (4, "@,cancelled")


@pytest.mark.parametrize(("session", "interval"), [("24x7", "5m"), ("us_equities", "1h")])
async def test_of_a_trade_alone_that_is_taken_back_no_bar_is_left(tmp_path: Path, session: str, interval: str) -> None:
    async with asked(session) as (backbone, _):
        await ingest(backbone, tmp_path / "1.csv", FIRST[:1])
        await ingest(backbone, tmp_path / "2.csv", [FIRST[0].replace(",0", ",8")])
        for start in (OPEN, OPEN - timedelta(hours=3)):
            made = await backbone.fetch(BARS, symbols=["ACME"], interval=interval, start=start)
            assert (made.num_rows, dict(made.partial)) == (0, {})
