"""Arrow arrays of the values that numpy and Python have.

They are what `array` and `scalar` of Arrow make of plain values. Those two import pandas wherever it is installed, to
ask whether what they are given is a Series: 0.2 s and 33 MB of a process that needs no pandas. Only what comes from
outside and may be anything (SQL, somebody's DataFrame) is still left to them. `values` is the way back.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from operator import is_
from types import NoneType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.clock import to_us
from backbone.domain.values import dtype_of

__all__ = ["array_of", "combined", "empty_of", "filled", "scalar_of", "table_of"]

Values = Iterable[object] | npt.NDArray[Any]

_OFFSETS: Final = {pa.string(): "i4", pa.binary(): "i4", pa.large_string(): "i8", pa.large_binary(): "i8"}
_TEXTS: Final = {pa.string(), pa.large_string()}
_KINDS: Final = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string(), bytes: pa.binary()}
_ALLOWED: Final[Mapping[str, set[type]]] = {
    "b": {bool},
    "i": {int},
    "u": {int},
    "f": {float, int},
    "M": {int, datetime},
    "m": {int},
}
_CODES: Final = {"i8": "q", "f8": "d"}
"""By name of numpy's types those of Python's own arrays, which take half as long to fill."""
_SPANS: Final = {"M": pa.timestamp, "m": pa.duration}


def array_of(values: Values, kind: pa.DataType | None = None, missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """An array of values, over the memory of numpy where that holds them already.

    Args:
        values: numbers, truths or moments of numpy, or what Python has of these and of texts and bytes, None for null.
        kind: its type. It may be left out where numpy gives the values; moments are whole numbers or datetimes.
        missing: which of the values of numpy are null, besides NaT.

    Raises:
        TypeError: the values are not of the type. OverflowError: a number or a moment does not fit. UnicodeEncodeError:
            a text is none.
    """
    if isinstance(values, np.ndarray):
        return _of_numpy(values, kind, missing)
    listed = values if isinstance(values, list | tuple) else list(values)
    if kind is None or missing is not None:
        raise TypeError("values of Python need a type, and have None where they are missing")
    if kind in _OFFSETS:
        return _of_texts(listed, kind)
    return _of_listed(listed, kind)


def scalar_of(value: object, kind: pa.DataType | None = None) -> pa.Scalar:
    """One value, of the type that it has in Python if none is given.

    Raises:
        TypeError: the value is not of the type. OverflowError: it does not fit.
    """
    if value is None:
        return pa.nulls(1, kind)[0]
    kind = kind or next((kind for each, kind in _KINDS.items() if isinstance(value, each)), None)
    if kind is None:
        raise TypeError(f"{type(value).__name__} given without a type")
    return array_of([value], kind)[0]


def filled(column: pa.Array | pa.ChunkedArray, value: object) -> Any:
    """The column with a value in the place of its nulls."""
    return pc.coalesce(column, scalar_of(value, column.type)) if column.null_count else column


def combined(column: pa.ChunkedArray) -> Any:
    """The pieces of a column as one; more than one where texts fill over 2 GiB."""
    return column.combine_chunks() if column.num_chunks else pa.nulls(0, column.type)


def empty_of(schema: pa.Schema) -> pa.Table:
    """A table without rows."""
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def table_of(rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    """Rows as a table; what a row does not have is null."""
    arrays = [array_of([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _of_numpy(values: npt.NDArray[Any], kind: pa.DataType | None, missing: npt.NDArray[np.bool_] | None) -> pa.Array:
    if values.ndim != 1 or (missing is not None and missing.shape != values.shape):
        raise TypeError("one row of values, and for each of them whether it is missing, are wanted")
    if values.dtype.kind in "mM":
        none = np.isnat(values)
        missing = none if missing is None else missing | none
        kind = kind or _SPANS[values.dtype.kind](np.datetime_data(values.dtype)[0])
    kind = kind or pa.from_numpy_dtype(values.dtype)
    wanted = _held(kind)
    if wanted.kind in "mM" and values.dtype.kind not in "mM":
        wanted = np.dtype(np.int64)  # microseconds and the like, as columns of moments hold them
    whole = np.ascontiguousarray(values.astype(wanted, casting="safe", copy=False))
    if whole.dtype != values.dtype and wanted.kind in "fmM":
        _require_same(values, whole, missing, kind)
    data = np.packbits(whole, bitorder="little") if wanted == np.bool_ else whole.view(f"i{wanted.itemsize}")
    return _made(kind, missing, len(values), data)


def _held(kind: pa.DataType) -> np.dtype[Any]:
    """What numpy has for a type; dates, which Arrow holds otherwise than numpy, are made of none."""
    if pa.types.is_date(kind):
        raise TypeError(f"{kind} given; allowed are numbers, truths, moments and durations")
    return dtype_of(kind)


def _require_same(
    values: npt.NDArray[Any], made: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None, kind: pa.DataType
) -> None:
    """Refuse whole numbers that a float can't hold, and moments beyond those of a finer unit, which numpy wraps."""
    if made.dtype.kind != "f":
        same: npt.NDArray[np.bool_] = made.astype(values.dtype) == values
    elif values.dtype.kind in "iu":
        most = _exact(made.dtype)
        same = (values >= -most) & (values <= most)
    else:
        return
    if not np.all(same if missing is None else same | missing):
        raise OverflowError(f"a value that no {kind} holds exactly given")


def _exact(held: np.dtype[Any]) -> int:
    """The largest number up to which a float holds all whole ones."""
    return 1 << (int(np.finfo(held).nmant) + 1)


def _of_listed(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    wanted = _held(kind)
    kinds = {*map(type, values)}
    if not kinds - {NoneType} <= _ALLOWED[wanted.kind]:
        raise TypeError(f"{', '.join(sorted(each.__name__ for each in kinds))} given for {kind}")
    if kinds == {NoneType}:
        return pa.nulls(len(values), kind)
    absent = _absent(values) if NoneType in kinds else None
    if absent is not None:
        values = [0 if value is None else value for value in values]
    if datetime in kinds:
        if kind.unit != "us":
            raise TypeError(f"datetime given for {kind}; allowed are those of microseconds")
        values = [to_us(value) if isinstance(value, datetime) else value for value in values]
    most = _exact(wanted) if wanted.kind == "f" and int in kinds else None
    if most is not None and any(type(v) is int and not -most <= v <= most for v in values):
        raise OverflowError(f"a whole number that no {kind} holds exactly given")
    held = np.dtype(np.int64) if wanted.kind in "mM" else wanted
    code = _CODES.get(held.str[1:])
    return _of_numpy(np.frombuffer(array(code, values), held) if code else np.array(values, held), kind, absent)


def _of_texts(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    empty = "" if kind in _TEXTS else b""
    absent = None
    try:
        joined = empty.join(values)
    except TypeError:
        absent = _absent(values)
        if absent.all():
            return pa.nulls(len(values), kind)
        values = [empty if value is None else value for value in values]
        joined = empty.join(values)
    data = joined.encode() if isinstance(joined, str) else joined
    if len(data) != len(joined):
        values = [value.encode() for value in values]
    if len(data) >= 2**31 and _OFFSETS[kind] == "i4":
        raise OverflowError(f"{len(data)} bytes given for one array of {kind}; allowed are under 2 GiB")
    ends = np.zeros(len(values) + 1, _OFFSETS[kind])
    np.cumsum(np.fromiter(map(len, values), ends.dtype, len(values)), out=ends[1:])
    if ends[-1] != len(data):
        raise TypeError(f"values whose length is not that of their bytes given for {kind}")  # such as arrays of numbers
    return _made(kind, absent, len(values), ends, data)


def _absent(values: Sequence[Any]) -> npt.NDArray[np.bool_]:
    return np.fromiter(map(is_, values, repeat(None)), np.bool_, len(values))


def _made(kind: pa.DataType, missing: npt.NDArray[np.bool_] | None, rows: int, *buffers: Any) -> pa.Array:
    nulls = 0 if missing is None else int(np.count_nonzero(missing))
    present = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing is not None and nulls else None
    return pa.Array.from_buffers(kind, rows, [present, *map(pa.py_buffer, buffers)], nulls)
