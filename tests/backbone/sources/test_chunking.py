"""Where chunks end."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame
from backbone.sources.text import order
from backbone.sources.text.chunking import Chunker


def ticks(moments: list[int], batch: int, chunk_rows: int, dimension: Dimension = Dimension.TRADES) -> list[Frame]:
    """The chunks of ticks at these microseconds, which came in batches of one size."""
    table = pa.table(
        {
            "symbol": ["SPY"] * len(moments),
            "ts": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "sequence": np.arange(len(moments)),
            "price": np.ones(len(moments)),
        }
    )
    chunker = Chunker(dimension, chunk_rows, "ticks")
    found = [each for start in range(0, len(moments), batch) for each in chunker.add(table.slice(start, batch), [])]
    return [each.frame for each in (*found, *chunker.rest())]


def test_ticks_of_one_moment_stay_in_one_chunk() -> None:
    assert [frame.num_rows for frame in ticks([1, 2, 3, 4, 4, 4, 5], 3, 5)] == [3, 4]


def test_a_moment_that_fills_half_a_chunk_is_cut() -> None:
    assert [frame.num_rows for frame in ticks([1] * 12, 5, 5)] == [5, 5, 2]


@given(st.lists(st.integers(0, 9), max_size=60).map(sorted), st.integers(1, 20), st.integers(1, 12))
def test_no_row_is_lost_and_batches_do_not_matter(moments: list[int], batch: int, chunk_rows: int) -> None:
    chunks = ticks(moments, batch, chunk_rows)
    sizes = [frame.num_rows for frame in chunks]
    assert sum(sizes) == len(moments)
    assert all(0 < size <= chunk_rows for size in sizes)
    assert sizes == [frame.num_rows for frame in ticks(moments, max(1, len(moments)), chunk_rows)]


def test_a_file_that_is_newest_first_comes_out_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "SHOWN", 2)
    given = order.Order("symbol")
    stamps = [pa.array([at + 1, at], pa.timestamp("us", "UTC")) for at in (4, 2, 0)]
    parts = [pa.table({"symbol": ["A", "A"], "ts": each}) for each in stamps]
    out = [each for part in parts for each in given.add(part)] + list(given.rest())
    given.close()
    assert pa.concat_tables(out).column("ts").cast(pa.int64()).to_pylist() == [0, 1, 2, 3, 4, 5]
