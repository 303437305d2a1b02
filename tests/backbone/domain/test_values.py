"""Columns are read as Arrow itself would give them, and nothing is copied that need not be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain.clock import MAX_US, MIN_US
from backbone.domain.values import dtype_of, nulls_of, numpy_of, python_of, rows_of

MOMENTS = [pa.timestamp(unit, tz) for unit in ("s", "ms", "us", "ns") for tz in (None, "UTC", "America/New_York")]
WHOLE = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
KINDS = [pa.bool_(), *WHOLE, pa.float32(), pa.float64(), pa.date32(), pa.duration("us"), *MOMENTS]


@st.composite
def columns(draw: st.DrawFn, kinds: list[pa.DataType] = KINDS, *, nulls: bool = False) -> pa.Array | pa.ChunkedArray:
    """A column, whole or in pieces, some of which begin within what they are cut from."""
    kind = draw(st.sampled_from(kinds))
    cells: st.SearchStrategy[object] = st.booleans() if kind == pa.bool_() else st.integers(0, 100)
    values = draw(st.lists(cells | st.none() if nulls else cells, max_size=40))
    whole = pa.array(values, pa.int32() if pa.types.is_date(kind) else None if kind == pa.bool_() else pa.int64())
    whole = whole.cast(kind)
    whole = whole.slice(draw(st.integers(0, len(whole))))
    if draw(st.booleans()):
        return whole
    cut = draw(st.integers(0, len(whole)))
    return pa.chunked_array(draw(st.sampled_from([[whole], [whole[:cut], whole[cut:]]])) if len(whole) else [], kind)


def asked(column: pa.Array | pa.ChunkedArray) -> Any:
    return column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> None:
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one, other)


@given(columns())
def test_values_are_those_that_arrow_gives(column: pa.Array | pa.ChunkedArray) -> None:
    same(numpy_of(column), asked(column))


@given(columns(nulls=True))
def test_nulls_are_told_and_stood_for(column: pa.Array | pa.ChunkedArray) -> None:
    same(nulls_of(column), asked(column.is_null()))
    plain = pa.array([0], pa.int32() if pa.types.is_date(column.type) else pa.int64())
    zero = False if column.type == pa.bool_() else plain.cast(column.type)[0]
    same(numpy_of(column, np.zeros(1, dtype_of(column.type))[0]), asked(column.fill_null(zero)))


@given(columns([pa.float32(), pa.float64()], nulls=True))
def test_doubles_may_have_nan_for_null_as_those_of_arrow_have(column: pa.Array | pa.ChunkedArray) -> None:
    same(numpy_of(column, np.nan), asked(column))


@given(columns(MOMENTS, nulls=True))
def test_moments_may_have_nat_for_null_as_those_of_arrow_have(column: pa.Array | pa.ChunkedArray) -> None:
    same(numpy_of(column, np.datetime64("NaT")), asked(column))


def test_a_null_that_nothing_stands_for_is_refused() -> None:
    with pytest.raises(ValueError, match="1 nulls in a column of int64 where there may be none"):
        numpy_of(pa.array([1, None]))


@pytest.mark.parametrize("kind", [pa.string(), pa.binary(), pa.list_(pa.int64()), pa.decimal128(9, 2), pa.null()])
def test_other_types_are_refused(kind: pa.DataType) -> None:
    with pytest.raises(TypeError, match="allowed are numbers, truths, dates, moments and durations"):
        numpy_of(pa.nulls(0, kind))


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.timestamp("us", "UTC")])
def test_one_piece_is_not_copied_and_cannot_be_written_to(kind: pa.DataType) -> None:
    numbers = np.arange(10)
    array = pa.Array.from_buffers(kind, 8, [None, pa.py_buffer(numbers)], offset=2)
    for column in (array, pa.chunked_array([array])):
        values = numpy_of(column)
        assert np.shares_memory(values, numbers)
        with pytest.raises(ValueError, match="read-only"):
            values[0] = values[1]


def test_values_outlive_the_column_they_were_read_from() -> None:
    column = pa.array(np.arange(1_000_000))
    values = numpy_of(column)
    del column
    assert int(values.sum()) == 499_999_500_000


@given(st.lists(st.integers(MIN_US, MAX_US) | st.none()), st.sampled_from([None, "UTC", "Asia/Tokyo"]))
def test_moments_of_python_are_those_of_arrow(stamps: list[int | None], zone: str | None) -> None:
    kind = pa.timestamp("us", zone)
    column = pa.array([0 if us is None else us for us in stamps], pa.int64()).cast(kind)
    epoch = datetime(1970, 1, 1, tzinfo=UTC if zone else None)  # Arrow itself fails beyond the years of another zone
    told = [epoch + timedelta(microseconds=us or 0) for us in stamps]
    assert python_of(column) == told
    holes = pa.array(stamps, pa.int64()).cast(kind)
    assert python_of(holes) == [None if us is None else at for us, at in zip(stamps, told, strict=True)]


def test_rows_are_those_that_arrow_gives() -> None:
    at = pa.array([0, None], pa.timestamp("us", "UTC"))
    table = pa.table({"symbol": ["A", "B"], "ts": at, "close": [1.5, None], "size": [1, 2]})
    assert rows_of(table) == table.to_pylist()
    assert rows_of(table.slice(0, 0)) == []
