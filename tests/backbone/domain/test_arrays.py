"""Arrays are made as Arrow itself makes them of plain values; what is not plain is refused."""

from array import array
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain.arrays import array_of, filled, scalar_of, table_of

WHOLE = {pa.int8(): 7, pa.int16(): 15, pa.int32(): 31, pa.int64(): 63}
CELLS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(),
    pa.large_string(): st.text(),
    pa.binary(): st.binary(),
    pa.large_binary(): st.binary(),
    pa.bool_(): st.booleans(),
    pa.float64(): st.floats(allow_nan=False) | st.integers(-(2**53), 2**53),
    pa.timestamp("us", "UTC"): st.integers(-(2**60), 2**60),
    pa.duration("us"): st.integers(-(2**60), 2**60),
    **{kind: st.integers(-(2**bits), 2**bits - 1) for kind, bits in WHOLE.items()},
}


def same(made: pa.Array, wanted: pa.Array) -> None:
    made.validate(full=True)
    assert made.type == wanted.type
    assert made.null_count == wanted.null_count
    assert made.equals(wanted)


@given(st.data(), st.sampled_from(sorted(CELLS, key=str)))
def test_values_of_python_become_what_arrow_makes_of_them(data: st.DataObject, kind: pa.DataType) -> None:
    values = data.draw(st.lists(CELLS[kind] | st.none()))
    same(array_of(values, kind), pa.array(values, kind))
    same(array_of(iter(values), kind), pa.array(values, kind))


@given(st.data(), st.sampled_from(["?", "i1", "i4", "i8", "u8", "f4", "f8", ">i8", ">f8"]))
def test_values_of_numpy_become_what_arrow_makes_of_them(data: st.DataObject, dtype: str) -> None:
    values = np.array(data.draw(st.lists(st.integers(0, 100))), dtype)
    native = values.astype(values.dtype.newbyteorder("="))  # Arrow takes no others
    same(array_of(values), pa.array(native))
    same(array_of(values[::2]), pa.array(native[::2]))
    missing = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))), np.bool_)
    same(array_of(values, missing=missing), pa.array(native, mask=missing))


@given(st.lists(st.integers(-(2**60), 2**60) | st.none()))
def test_moments_of_numpy_may_be_none(stamps: list[int | None]) -> None:
    values = np.array([np.datetime64("NaT") if us is None else us for us in stamps], "M8[us]")
    kind = pa.timestamp("us", "UTC")
    same(array_of(values), pa.array(values))
    same(array_of(values, kind), pa.array(values, pa.timestamp("us")).cast(kind))
    if None not in stamps:
        same(array_of(values.view(np.int64), kind), pa.array(values.view(np.int64)).cast(kind))


def test_datetimes_become_moments() -> None:
    at = datetime(2024, 3, 1, 12, 30, 0, 17, tzinfo=UTC)
    same(array_of([at, None], pa.timestamp("us", "UTC")), pa.array([at, None], pa.timestamp("us", "UTC")))


def test_what_numpy_holds_is_not_copied() -> None:
    values = np.arange(10.0)
    assert array_of(values).buffers()[1].address == values.ctypes.data


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5], pa.int64()),
        ([True], pa.int64()),
        (["1"], pa.float64()),
        ([b"a"], pa.string()),
        ([1], pa.string()),
        (["a", b"b"], pa.string()),
        ([1], pa.bool_()),
        ([[1]], pa.list_(pa.int64())),
        ([1], None),
        ([18_262], pa.date32()),
        ([memoryview(array("q", [0, 1]))], pa.binary()),
        ([datetime(2024, 3, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC")),
    ],
)
def test_values_of_another_type_are_refused(values: list[object], kind: pa.DataType | None) -> None:
    with pytest.raises(TypeError):
        array_of(values, kind)


def test_numpy_is_not_cut_to_fit() -> None:
    with pytest.raises(TypeError, match="Cannot cast"):
        array_of(np.array([1.5]), pa.int64())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**63, pa.int64()),
        (300, pa.uint8()),
        (2**53 + 1, pa.float64()),
        (-(2**53) - 1, pa.float64()),
        (2**24 + 1, pa.float32()),
        (2**63, pa.timestamp("us", "UTC")),
    ],
)
def test_a_number_that_does_not_fit_is_refused(value: int, kind: pa.DataType) -> None:
    with pytest.raises(OverflowError):
        array_of([value], kind)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([2**53 + 1]), pa.float64()),
        (np.array([-(2**53) - 1]), pa.float64()),
        (np.array([2**63], "u8"), pa.float64()),
        (np.array([2**60], "M8[s]"), pa.timestamp("us", "UTC")),
        (np.array([2**60], "m8[s]"), pa.duration("us")),
    ],
)
def test_a_number_of_numpy_that_does_not_fit_is_refused_as_arrow_refuses_it(
    values: np.ndarray[Any, Any], kind: pa.DataType
) -> None:
    with pytest.raises(pa.ArrowInvalid):
        pa.array(values, pa.timestamp("us") if kind == pa.timestamp("us", "UTC") else kind)
    with pytest.raises(OverflowError, match="holds exactly"):
        array_of(values, kind)
    array_of(values, kind, np.array([True]))


@pytest.mark.parametrize(
    ("values", "kind", "missing"),
    [
        (np.zeros((2, 3)), None, None),
        (np.float64(1.0).reshape(()), None, None),
        (np.arange(3), None, np.array([True])),
        (np.array(["2024-03-01"], "M8[D]"), pa.date32(), None),
        (np.array([True]), pa.date32(), None),
    ],
)
def test_numpy_of_another_shape_or_type_is_refused(
    values: np.ndarray[Any, Any], kind: pa.DataType | None, missing: np.ndarray[Any, Any] | None
) -> None:
    with pytest.raises(TypeError):
        array_of(values, kind, missing)


def test_units_of_numpy_become_finer_ones() -> None:
    for letter, kind in (("M", pa.timestamp("us")), ("m", pa.duration("us"))):
        values = np.array([1, "NaT", -(2**40)], f"{letter}8[s]")
        same(array_of(values, kind), pa.array(values, kind))
        same(array_of(values), pa.array(values))


def test_whole_numbers_of_numpy_become_doubles_that_are_the_same() -> None:
    values = np.array([-(2**53), 0, 2**53])
    same(array_of(values, pa.float64()), pa.array(values, pa.float64()))


def test_one_text_may_be_of_a_class_of_texts() -> None:
    assert scalar_of(np.str_("text")).equals(pa.scalar("text"))


@pytest.mark.parametrize("value", [np.int64(1), datetime(2024, 3, 1, tzinfo=UTC), object()])
def test_a_value_that_does_not_tell_its_type_needs_one(value: object) -> None:
    with pytest.raises(TypeError, match="given without a type"):
        scalar_of(value)


def test_a_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        array_of(["\ud800"], pa.string())


@pytest.mark.parametrize("value", [True, 7, 1.5, "text", b"bytes", None])
def test_one_value_has_the_type_that_arrow_gives_it(value: object) -> None:
    made, wanted = scalar_of(value), pa.scalar(value)
    assert made.type == wanted.type
    assert made.equals(wanted)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (pa.array([1, None]), 0),
        (pa.array([None, 1.5]), 0.0),
        (pa.array(["a", None]), ""),
        (pa.array([True, None]), False),
        (pa.chunked_array([["a"], [None]]), "b"),
        (pa.array([1, 2]), 0),
    ],
)
def test_nulls_are_filled_as_arrow_fills_them(column: pa.Array | pa.ChunkedArray, value: object) -> None:
    assert filled(column, value).equals(column.fill_null(value))


def test_rows_become_a_table_and_what_they_do_not_have_is_null() -> None:
    schema = pa.schema([("symbol", pa.string()), ("close", pa.float64())])
    rows: list[dict[str, object]] = [{"symbol": "A", "close": 1.5}, {"symbol": "B"}]
    assert table_of(rows, schema).equals(pa.Table.from_pylist(rows, schema))
    assert table_of([], schema).equals(schema.empty_table())
