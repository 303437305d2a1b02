"""Parquet files: the same rows as from CSV, bad rows by number, clear refusals."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.domain import Frame
from backbone.sources.csv import CsvSource
from backbone.sources.errors import InputInvalid, InputMissing
from backbone.sources.parquet import ParquetSource
from backbone.sources.port import BadRow

SAMPLE = Path(__file__).parents[3] / "config" / "samples" / "eurusd_1h_tail.csv.gz"
T0 = datetime(2024, 1, 2, 10, tzinfo=UTC)


def stored(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def read(source: ParquetSource | CsvSource) -> tuple[Frame, list[BadRow]]:
    chunks = list(source.chunks())
    return Frame.concat([chunk.frame for chunk in chunks]), [bad for chunk in chunks for bad in chunk.quarantined]


def test_a_frame_written_and_read_is_the_same_as_from_csv(tmp_path: Path) -> None:
    frame, _ = read(CsvSource(SAMPLE, "intraday", interval="1h"))
    path = tmp_path / "bars.parquet"
    pq.write_table(frame.to_arrow(), path)
    source = ParquetSource(path, "intraday", chunk_rows=1500)
    assert [len(chunk.frame) for chunk in source.chunks()] == [1500, 1500, 1500, 500]
    assert read(source) == (frame, [])


def test_bad_rows_are_quarantined_by_number(tmp_path: Path) -> None:
    path = stored(
        tmp_path / "trades.parquet",
        Time=pa.array([T0] * 6, pa.timestamp("ns", tz="UTC")),
        ticker=["A", None, "A", "A\0", "A", ""],
        price=[1.0, 1.0, float("nan"), 1.0, float("inf"), 1.0],
        exchange=["X", "X", None, "X", "X", "X"],
    )
    frame, bad = read(ParquetSource(path, "trades"))
    assert frame.column("price").tolist() == [1.0]
    assert [(b.location, b.reason) for b in bad] == [
        ("trades.parquet:2", "symbol is empty"),
        ("trades.parquet:3", "price is empty"),
        ("trades.parquet:4", "symbol holds a NUL character"),
        ("trades.parquet:5", "price is not a finite number"),
        ("trades.parquet:6", "symbol is empty"),
    ]


def test_trades_without_sequence_are_all_kept_without_one(tmp_path: Path) -> None:
    path = stored(tmp_path / "trades.parquet", ts=[T0] * 5, symbol=["A"] * 5, price=[1.0, 2.0, 3.0, 1.0, 5.0])
    frame, _ = read(ParquetSource(path, "trades", chunk_rows=2))
    assert frame.column("price").tolist() == [1.0, 2.0, 3.0, 1.0, 5.0]
    assert frame.to_arrow().column("sequence").null_count == 5


def test_dates_serve_daily_bars(tmp_path: Path) -> None:
    path = stored(tmp_path / "d.parquet", date=[date(2024, 1, 2)], open=[1], high=[2], low=[1], close=[2], symbol=["A"])
    frame, _ = read(ParquetSource(path, "daily"))
    assert frame.start == datetime(2024, 1, 2, tzinfo=UTC)


def test_local_times_need_a_zone(tmp_path: Path) -> None:
    naive = [datetime(2018, 3, 11, 1, 30), datetime(2018, 3, 11, 2, 30)]  # noqa: DTZ001
    path = stored(tmp_path / "t.parquet", ts=naive, symbol=["A", "A"], price=[1.0, 2.0])
    with pytest.raises(InputInvalid, match="--zone"):
        read(ParquetSource(path, "trades"))
    frame, bad = read(ParquetSource(path, "trades", zone="America/New_York"))
    assert frame.start == datetime(2018, 3, 11, 6, 30, tzinfo=UTC)
    assert [b.location for b in bad] == ["t.parquet:2"]


def test_an_unknown_interval_is_quarantined(tmp_path: Path) -> None:
    bars = {"symbol": ["A", "A"], "open": [1.0] * 2, "high": [1.0] * 2, "low": [1.0] * 2, "close": [1.0] * 2}
    path = stored(tmp_path / "b.parquet", ts=[T0] * 2, interval=["60m", "7m"], **bars)
    frame, bad = read(ParquetSource(path, "intraday"))
    assert frame.column("interval").tolist() == ["1h"]
    assert [b.reason for b in bad] == ["interval is not known"]


def test_files_that_cant_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputMissing):
        read(ParquetSource(tmp_path / "none.parquet", "trades"))
    rubbish = tmp_path / "rubbish.parquet"
    rubbish.write_bytes(b"PAR1 and no more")
    with pytest.raises(InputInvalid, match="can't be read as Parquet"):
        read(ParquetSource(rubbish, "trades"))
    empty = stored(tmp_path / "e.parquet", ts=pa.array([], pa.timestamp("us", "UTC")), symbol=pa.array([], pa.string()),
                   price=pa.array([], pa.float64()))  # fmt: skip
    with pytest.raises(InputInvalid, match="no rows"):
        read(ParquetSource(empty, "trades"))
    text = stored(tmp_path / "text.parquet", ts=[T0], symbol=["A"], price=["1.5"])
    with pytest.raises(InputInvalid, match="column price is string; double is needed"):
        read(ParquetSource(text, "trades"))
    with pytest.raises(InputInvalid, match="lacks open, high, low, close"):
        read(ParquetSource(text, "intraday", interval="1h"))


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.float16()], ids=str)
def test_whole_numbers_stored_as_floats_with_nan_for_missing_are_read(kind: pa.DataType, tmp_path: Path) -> None:
    """As pandas stores a column of whole numbers of which some are missing."""
    numbers = pa.array(np.array([1, np.nan, 3], kind.to_pandas_dtype()), kind)
    path = stored(
        tmp_path / "t.parquet",
        symbol=["A"] * 3,
        ts=pa.array([T0] * 3, pa.timestamp("us", tz="UTC")),
        price=[1.0] * 3,
        sequence=numbers,
    )
    frame, bad = read(ParquetSource(path, "trades"))
    assert bad == []
    assert frame.to_arrow().column("sequence").to_pylist() == [1, 3, None]
