"""Rows that somebody put into the file with SQL: what comes of them is a frame as any other, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from backbone.domain import Dimension, Frame, codec
from backbone.store.duckdb import DuckDBStore
from backbone.store.errors import StoreError
from backbone.store.records import Query

TRADES = Dimension.TRADES
DAY = datetime(2024, 1, 1, tzinfo=UTC)


async def read(path: Path, rows: Sequence[str], query: Query) -> Frame:
    """What the store gives where these rows of trades, as SQL, are in its file."""
    store = DuckDBStore(path)
    await store.open()
    await store.migrate()
    await store.close()
    with duckdb.connect(str(path)) as file:
        for row in rows:
            file.execute(f"INSERT INTO market_data.trades SELECT {row}, 'sql', 'x', 1, '2024-01-01 00:00:00+00'")
    await store.open()
    try:
        return (await store.read(query)).frame
    finally:
        await store.close()


def row(second: int, price: str = "1.0", *, symbol: str = "'A'", sequence: int = 0, venue: str = "'X'") -> str:
    return f"{symbol}, '{DAY + timedelta(seconds=second)}', {sequence}, {price}, NULL, {venue}, NULL"


async def checked(path: Path, rows: Sequence[str], query: Query) -> Frame:
    """The frame, proven to be canonical: whoever gets its bytes without a checksum looks at every value."""
    frame = await read(path, rows, query)
    assert codec.decode(codec.encode(frame)) == frame
    return frame


QUERIES = [Query(TRADES, ("A",)), Query(TRADES), Query(TRADES, ("A",), limit=9), Query(TRADES, ("A", "B"), limit=9)]


@pytest.mark.parametrize("query", QUERIES)
async def test_what_is_no_number_is_null_and_zero_has_no_sign(tmp_path: Path, query: Query) -> None:
    rows = [row(0, "'NaN'::DOUBLE"), row(1, "'-0.0'::DOUBLE"), row(2, "NULL"), row(3, "'inf'::DOUBLE")]
    frame = await checked(tmp_path / "a.duckdb", rows, query)
    assert frame.to_arrow().column("price").to_pylist() == [None, 0.0, None, float("inf")]
    assert str(frame.column("price")[1]) == "0.0"


@pytest.mark.parametrize("query", QUERIES)
async def test_rows_with_one_key_are_one_row_and_all_are_in_order(tmp_path: Path, query: Query) -> None:
    rows = [row(2), row(0), row(1), row(1), row(1, sequence=-1)]
    frame = await checked(tmp_path / "a.duckdb", rows, query)
    found = [(round((each["ts"] - DAY).total_seconds()), each["sequence"]) for each in frame.to_arrow().to_pylist()]
    assert found == [(0, 0), (1, -1), (1, 0), (2, 0)]


@pytest.mark.parametrize(
    ("foul", "query"),
    [
        (row(0, venue="'X' || chr(0)"), Query(TRADES, ("A",))),
        (row(0, symbol="'A' || chr(0)"), Query(TRADES)),
        (row(0, symbol="'A' || chr(0)"), Query(TRADES, ("A\0",))),
        (row(0, symbol="''"), Query(TRADES)),
        (row(0, symbol="''"), Query(TRADES, ("",))),
        ("'A', 'infinity', 0, 1.0, NULL, NULL, NULL", Query(TRADES, ("A",))),
        ("'A', '-infinity', 0, 1.0, NULL, NULL, NULL", Query(TRADES)),
        ("'A', '0044-03-15 (BC) 00:00:00+00', 0, 1.0, NULL, NULL, NULL", Query(TRADES)),
    ],
)
async def test_what_no_frame_may_hold_is_refused(tmp_path: Path, foul: str, query: Query) -> None:
    with pytest.raises((ValueError, StoreError), match="given"):
        await read(tmp_path / "a.duckdb", [row(5), foul], query)
