"""Cancels and corrections in files: what is stored of them, and what the run says."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone import Backbone, Dimension, IngestPlan
from backbone.ingest.plan import IngestRun
from backbone.testing import embedded

HEADER = "timestamp,symbol,sequence,price,size,conditions,correction"
SENT = [
    "2024-03-08T15:00:00.0Z,ACME,1,10.7,100,@,0",
    "2024-03-08T15:00:00.1Z,ACME,2,107.0,100,@,8",
    "2024-03-08T15:00:00.2Z,ACME,3,10.8,100,@,1",
    "2024-03-08T15:00:00.2Z,ACME,3,10.71,100,@,12",
]
RIGHT = [(1, 10.7, "@"), (2, 107.0, "@,cancelled"), (3, 10.71, "@,corrected")]


def csv(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


async def ingest(backbone: Backbone, path: Path, lines: list[str], rows: int | None = None) -> IngestRun:
    return await backbone.ingest(IngestPlan(dimensions=[Dimension.TRADES], path=csv(path, lines), chunk_rows=rows))


async def stored(backbone: Backbone) -> list[tuple[int, float, str]]:
    rows = (await backbone.fetch(Dimension.TRADES)).to_arrow().to_pylist()
    return [(row["sequence"], row["price"], row["conditions"]) for row in rows]


@pytest.mark.parametrize("lines", [SENT, SENT[::-1]], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("rows", [1, 2, 3, 4])
async def test_a_cancel_is_marked_and_a_correction_counts(tmp_path: Path, lines: list[str], rows: int) -> None:
    async with embedded() as backbone:
        run = await ingest(backbone, tmp_path / "trades.csv", lines, rows)
        assert await stored(backbone) == RIGHT
    assert run.rows_read == run.taken + run.duplicates == 4


async def test_a_cancel_that_comes_later_takes_the_stored_trade_back(tmp_path: Path) -> None:
    """Left out of the file, it would have left the wrong price where it stood."""
    async with embedded() as backbone:
        await ingest(backbone, tmp_path / "1.csv", ["2024-03-08T15:00:00Z,ACME,2,107.0,100,@,0"])
        run = await ingest(backbone, tmp_path / "2.csv", ["2024-03-08T15:00:00Z,ACME,2,107.0,100,@,cancelled"])
        assert await stored(backbone) == [(2, 107.0, "@,cancelled")]
        assert (run.inserted, run.changed) == (0, 1)


async def test_without_an_id_a_cancel_is_kept_aside(tmp_path: Path) -> None:
    async with embedded() as backbone:
        lines = ["2024-03-08T15:00:00Z,ACME,,10.7,100,@,0", "2024-03-08T15:00:01Z,ACME,,107.0,100,@,8"]
        run = await ingest(backbone, tmp_path / "trades.csv", lines)
        assert [price for _, price, _ in await stored(backbone)] == [10.7]
        assert run.left_out == {"is cancelled, and has no id (sequence) by which its trade is known": 1}
        (row,) = await backbone.quarantined()
        assert row.location == "trades.csv:3"


@pytest.mark.parametrize("kind", [pa.int32(), pa.string(), pa.float64()], ids=str)
async def test_parquet_says_it_in_whatever_type(tmp_path: Path, kind: pa.DataType) -> None:
    stamps = pa.array([1_709_910_000_000_000 + n for n in (0, 1, 2, 2)], pa.timestamp("us", tz="UTC"))
    columns = {"ts": stamps, "symbol": ["ACME"] * 4, "sequence": [1, 2, 3, 3], "price": [10.7, 107.0, 10.8, 10.71]}
    said = pa.array([0, 8, 1, 12]).cast(kind)
    pq.write_table(pa.table({**columns, "conditions": ["@"] * 4, "correction": said}), tmp_path / "trades.parquet")
    plan = IngestPlan(dimensions=[Dimension.TRADES], path=tmp_path / "trades.parquet", source="parquet")
    async with embedded() as backbone:
        run = await backbone.ingest(plan)
        assert await stored(backbone) == RIGHT
    assert any("1 trade was cancelled" in note for note in run.notes)
    assert any("1 trade was corrected" in note for note in run.notes)
