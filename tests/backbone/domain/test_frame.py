from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from backbone.domain import Dimension, Frame
from backbone.domain.schema import arrow_schema

from .conftest import bars_table

BARS = Dimension.INTRADAY_BARS
T0 = datetime(2024, 1, 1, tzinfo=UTC)


def bar(symbol: str = "EURUSD", hour: int = 0, **values: object) -> dict[str, object]:
    return {"symbol": symbol, "interval": "1h", "ts": T0 + timedelta(hours=hour), **values}


def test_a_frame_has_the_exact_schema_and_one_chunk_per_column() -> None:
    table = pa.concat_tables([bars_table(3), bars_table(4, first=10)])
    frame = Frame.from_arrow(BARS, table)
    assert frame.to_arrow().schema.equals(arrow_schema(BARS))
    assert {column.num_chunks for column in frame.to_arrow().columns} == {1}


def test_rows_are_sorted_by_key() -> None:
    frame = Frame.from_records(BARS, [bar("B", 1), bar("A", 2), bar("B", 0), bar("A", 1)])
    assert list(zip(frame.column("symbol"), frame.column("ts").astype("M8[h]").astype(int) % 24, strict=True)) == [
        ("A", 1),
        ("A", 2),
        ("B", 0),
        ("B", 1),
    ]


def test_of_rows_with_one_key_the_last_given_is_kept() -> None:
    frame = Frame.from_records(BARS, [bar(hour=1, close=1.0), bar(close=5.0), bar(hour=1, close=2.0), bar(close=6.0)])
    assert frame.column("close").tolist() == [6.0, 2.0]
