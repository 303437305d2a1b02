"""The values of Arrow columns, as numpy and as Python have them.

`to_numpy` of Arrow gives the same arrays, and `to_pylist` the same values. Both import pandas wherever it is installed
(`to_pylist` for moments only): 0.2 s and 33 MB of a process that needs no pandas. So columns are read over their
buffers here. `arrays` is the way back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.domain.clock import from_us

__all__ = ["dtype_of", "nulls_of", "numpy_of", "python_of", "rows_of"]

_DTYPES: Final = {
    kind.id: np.dtype(name)
    for kind, name in (
        (pa.bool_(), "?"),
        (pa.int8(), "i1"),
        (pa.int16(), "i2"),
        (pa.int32(), "i4"),
        (pa.int64(), "i8"),
        (pa.uint8(), "u1"),
        (pa.uint16(), "u2"),
        (pa.uint32(), "u4"),
        (pa.uint64(), "u8"),
        (pa.float16(), "f2"),
        (pa.float32(), "f4"),
        (pa.float64(), "f8"),
        (pa.date32(), "M8[D]"),
    )
}
_DAYS: Final = pa.date32().id
_MOMENTS: Final = pa.timestamp("us").id
_UNITS: Final = {_MOMENTS: "M8", pa.duration("us").id: "m8"}


def dtype_of(kind: pa.DataType) -> np.dtype[Any]:
    """What numpy has for a type of numbers, truths, dates, moments or durations.

    Raises:
        TypeError: it is none of these.
    """
    if kind.id in _UNITS:
        return np.dtype(f"{_UNITS[kind.id]}[{kind.unit}]")
    try:
        return _DTYPES[kind.id]
    except KeyError:
        raise TypeError(f"{kind} given; allowed are numbers, truths, dates, moments and durations") from None


def numpy_of(column: pa.Array | pa.ChunkedArray, null: object = None) -> npt.NDArray[Any]:
    """Numbers, truths, dates or moments (without their zone) as numpy.

    Numbers and moments in one piece are not copied, and can't be written to.

    Args:
        column: what is wanted.
        null: what stands for a null; without it there may be none.

    Raises:
        TypeError: the column is of another type.
        ValueError: there is a null, and nothing to stand for it.
    """
    if isinstance(column, pa.ChunkedArray):
        pieces = [_values(chunk) for chunk in column.chunks] or [np.empty(0, dtype_of(column.type))]
        values = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    else:
        values = _values(column)
    if not column.null_count:
        return values
    if null is None:
        raise ValueError(f"{column.null_count} nulls in a column of {column.type} where there may be none")
    values = values.copy()
    values[nulls_of(column)] = null
    return values


def nulls_of(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Which of its values are null."""
    return numpy_of(column.is_null())


def python_of(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """The values as Python has them, as `to_pylist` gives them; moments are of microseconds, and in UTC."""
    if column.type.id != _MOMENTS:
        return list(column.to_pylist())
    zoned = column.type.tz is not None
    stamps = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_pylist()
    return [None if us is None else _moment(us, zoned=zoned) for us in stamps]


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as Python has them, each by column."""
    names = table.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*map(python_of, table.columns), strict=True)]


def _values(array: pa.Array) -> npt.NDArray[Any]:
    """The values of one piece; what stands under a null is arbitrary."""
    dtype, size, first = dtype_of(array.type), len(array), array.offset
    data = array.buffers()[1] if size else None
    if data is None:
        return np.zeros(size, dtype)
    if dtype == np.bool_:
        packed = np.frombuffer(data, np.uint8)[first // 8 :]
        return np.unpackbits(packed, count=first % 8 + size, bitorder="little")[first % 8 :].view(np.bool_)
    if array.type.id == _DAYS:
        return np.frombuffer(data, np.int32, size, first * 4).astype(dtype)
    values = np.frombuffer(data, dtype, size, first * dtype.itemsize)
    values.flags.writeable = False
    return values


def _moment(us: int, *, zoned: bool) -> datetime:
    return from_us(us) if zoned else from_us(us).replace(tzinfo=None)
