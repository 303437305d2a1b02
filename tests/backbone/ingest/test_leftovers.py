"""What a run leaves behind in memory."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone import IngestPlan
from backbone.ingest import aside
from backbone.testing import embedded


def trades(rows: int) -> pa.Table:
    return pa.table(
        {
            "symbol": ["EURUSD"] * rows,
            "ts": pa.array(range(rows), pa.timestamp("ms", "UTC")),
            "sequence": range(rows),
            "price": [1.1] * rows,
            "size": [1.0] * rows,
        }
    )


@pytest.mark.parametrize(("rows", "times"), [(50_000, 1), (49_999, 0)])
async def test_a_run_of_many_rows_gives_back_what_the_allocators_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, times: int
) -> None:
    given_back = []
    monkeypatch.setattr(aside, "give_back", lambda: given_back.append(rows))
    pq.write_table(trades(rows), tmp_path / "trades.parquet")
    async with embedded() as backbone:
        told = await backbone.ingest(
            IngestPlan(dimensions=["trades"], source="parquet", path=tmp_path / "trades.parquet")
        )
    assert told.inserted == rows
    assert len(given_back) == times
