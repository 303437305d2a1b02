"""Values that can't be, row by row: a clear reason in the quarantine, the other rows in, the backbone at work."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone import Backbone, Dimension, IngestPlan
from backbone.ingest.plan import IngestRun
from backbone.store.messages import ReadQuarantine
from backbone.store.records import QuarantineRow
from backbone.testing import embedded
from tests.backbone.ingest.tables import accounted

ROWS, BAD = 40, 17
COLUMNS = ("open", "high", "low", "close", "volume")
GOOD = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 1000.0}
ZERO = "has a price of zero or less"
OUTSIDE = "opens or closes outside its low and high"


def days() -> list[date]:
    return [date(2024, 1, 1) + timedelta(days=n) for n in range(ROWS)]


async def ingested(backbone: Backbone, path: Path, source: str = "csv") -> IngestRun:
    run = await backbone.ingest(IngestPlan(dimensions=[Dimension.DAILY_BARS], path=path, source=source))
    accounted(run)
    assert (await backbone.fetch(Dimension.DAILY_BARS)).num_rows == run.taken
    return run


async def aside(backbone: Backbone) -> list[QuarantineRow]:
    found: list[QuarantineRow] = await backbone._ask("store", ReadQuarantine(1_000))
    return found


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("close", "NaN", "close is empty"),
        ("close", "", "close is empty"),
        ("close", "inf", "close is not a finite number: 'inf'"),
        ("close", "-Infinity", "close is not a finite number: '-Infinity'"),
        ("close", "1e999", "close is not a finite number: '1e999'"),
        ("open", "-1e999", "open is not a finite number: '-1e999'"),
        ("close", "1e-999", ZERO),
        ("close", "9" * 400, "close is not a finite number: '" + "9" * 40 + "'"),
        ("high", "ten", "high is not a number: 'ten'"),
        ("low", "0x10", "low is not a number: '0x10'"),
        ("close", "1_000", "close is not a number: '1_000'"),
        ("close", "1.2.3", "close is not a number: '1.2.3'"),
        ("close", "0", ZERO),
        ("low", "-5", ZERO),
        ("high", "8", "has a high below its low"),
        ("close", "1050", OUTSIDE),
        ("open", "0.1", OUTSIDE),
        ("close", "1e308", OUTSIDE),
        ("volume", "-1", "has a negative size"),
    ],
)
async def test_of_text_the_row_is_kept_aside_with_its_reason(
    tmp_path: Path, column: str, value: str, reason: str
) -> None:
    path = tmp_path / "bars.csv"
    lines = ["symbol,date,open,high,low,close,volume"]
    for place, day in enumerate(days()):
        row = {name: str(GOOD[name]) for name in COLUMNS} | ({column: value} if place == BAD else {})
        lines.append(",".join(["A", str(day), *row.values()]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    async with embedded() as backbone:
        run = await ingested(backbone, path)
        [kept] = await aside(backbone)
        assert kept.reason == reason
        assert str(days()[BAD]) in kept.location + kept.excerpt
        assert (run.quarantined, run.inserted) == (1, ROWS - 1)
        assert sum(run.left_out.values()) == 1


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("close", float("nan"), "close is empty"),
        ("close", float("inf"), "close is not a finite number"),
        ("low", float("-inf"), "low is not a finite number"),
        ("close", 0.0, ZERO),
        ("low", -1.0, ZERO),
        ("volume", -1.0, "has a negative size"),
        ("volume", float("inf"), None),
        ("open", 1e308, OUTSIDE),
        ("close", 5e-324, OUTSIDE),
    ],
)
async def test_of_numbers_the_row_is_kept_aside_with_its_reason(
    tmp_path: Path, column: str, value: float, reason: str | None
) -> None:
    path = tmp_path / "bars.parquet"
    table = {name: np.full(ROWS, GOOD[name]) for name in COLUMNS}
    table[column][BAD] = value
    stamps = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days()]
    pq.write_table(pa.table({"symbol": ["A"] * ROWS, "ts": pa.array(stamps, pa.timestamp("us", "UTC")), **table}), path)
    async with embedded() as backbone:
        run = await ingested(backbone, path, "parquet")
        kept = await aside(backbone)
        if reason is None:  # a size that says nothing costs no row its prices, and is told
            assert (kept, run.inserted) == ([], ROWS)
            assert any(column in note for note in run.notes)
        else:
            assert [row.reason for row in kept] == [reason]
            assert (run.quarantined, run.inserted) == (1, ROWS - 1)


@pytest.mark.parametrize("factor", [100.0, 0.01])
async def test_an_absurd_jump_of_a_whole_bar_is_reported_and_kept_aside_on_request(
    tmp_path: Path, factor: float
) -> None:
    path = tmp_path / "bars.csv"
    walk = 10 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, ROWS)))
    lines = ["symbol,date,open,high,low,close,volume"]
    for place, (day, price) in enumerate(zip(days(), walk.tolist(), strict=True)):
        own = price * factor if place == BAD else price
        lines.append(f"A,{day},{own},{own * 1.01},{own * 0.99},{own},1000")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    async with embedded() as backbone:
        run = await ingested(backbone, path)
        assert run.inserted == ROWS
        assert run.quality is not None
        [found] = run.quality.anomalies
        assert (found.index, found.symbol, found.severity) == (BAD, "A", "critical")
        assert found.baseline == pytest.approx(found.price / factor, rel=0.05)
    async with embedded(overrides={"quality.repair.unit": "quarantine"}) as backbone:
        run = await ingested(backbone, path)
        [kept] = await aside(backbone)
        share = "100 times" if factor > 1 else "1/100 of"
        assert kept.reason == f"its prices are {share} those of other bars"
        assert (run.quarantined, run.inserted) == (1, ROWS - 1)
