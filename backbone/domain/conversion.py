"""Rows from and to other libraries: Python mappings, pandas, numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from numbers import Integral, Real
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import numpy as np
import pyarrow as pa

from backbone.domain.arguments import shown
from backbone.domain.arrays import array_of
from backbone.domain.canonical import whole
from backbone.domain.clock import to_us
from backbone.domain.dimension import Dimension
from backbone.domain.schema import arrow_type
from backbone.domain.session_dates import session_date_us
from backbone.domain.values import numpy_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from backbone.domain.dimension import Kind

__all__ = [
    "arrow_to_pandas",
    "arrow_to_polars",
    "column_to_numpy",
    "pandas_to_arrow",
    "polars_to_arrow",
    "records_to_arrow",
]

_NESTED: Final = (list, tuple, set, dict, np.ndarray)
_FEW: Final = 500  # texts: to find out which are the same takes longer than to read them all
_INSTALL: Final = "{0} is not installed, and Frame.{1} needs it: pip install {0}; to_arrow() needs nothing more"


def column_to_numpy(column: pa.ChunkedArray, kind: Kind) -> npt.NDArray[Any]:
    """A canonical column as numpy; a view where the column has no nulls and is no text."""
    values = _values(whole(column), kind)
    values.flags.writeable = False
    return values


def _values(array: pa.Array, kind: Kind) -> npt.NDArray[Any]:
    if kind == "string" and len(array) < _FEW:
        return np.array(array.to_pylist(), dtype=object)
    if kind == "string":
        coded = array.dictionary_encode()  # each distinct text once
        texts = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
        return cast("npt.NDArray[Any]", texts[numpy_of(coded.indices, len(texts) - 1)])
    if array.null_count:  # whole numbers, too: numpy has none that are missing
        return numpy_of(array.cast(pa.float64(), safe=False), np.nan)
    return numpy_of(array)


def records_to_arrow(dimension: Dimension, records: Sequence[object]) -> pa.Table:
    """One mapping or Struct per row as a table with the columns that occur in any of them.

    Raises:
        TypeError: records are not made of mappings or Structs, or a column's name is no text.
        ValueError: a value is not of its column's type.
    """
    rows = [_mapping(row) for row in records]
    names = {name: None for row in rows for name in row} if rows else dict.fromkeys(dimension.key)
    columns = {
        name: _column(dimension, name, [row.get(name) for row in rows])
        if name in dimension.kinds
        else _unknown([row.get(name) for row in rows])
        for name in names
    }
    return pa.table(columns)


def _mapping(row: object) -> Mapping[str, object]:
    if isinstance(row, msgspec.Struct):
        given = ((name, getattr(row, name)) for name in row.__struct_fields__)
        return {name: value for name, value in given if value is not msgspec.UNSET}
    if not isinstance(row, Mapping):
        raise TypeError(f"{shown(row)} given as a row; allowed is a mapping from column to value, or a msgspec Struct")
    for name in row:
        if not isinstance(name, str):
            raise TypeError(f"{shown(name)} given as the name of a column in a row; allowed is text")
    return row


def _unknown(values: list[object]) -> pa.Array:
    """A column that no dimension has: of its values only tells whether they are lists or mappings."""
    nested = any(isinstance(value, _NESTED) for value in values)
    return pa.nulls(len(values), pa.list_(pa.null()) if nested else None)


def _column(dimension: Dimension, name: str, values: list[object]) -> pa.Array:
    kind = dimension.kinds[name]
    cells = values if {*map(type, values)} <= _AS_THEY_ARE[kind] else _read(dimension, name, values)
    try:
        return array_of(cells, pa.int64() if kind == "timestamp" else arrow_type(kind)).cast(arrow_type(kind))
    except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
        raise ValueError(f"{dimension}.{name}: a value that does not fit {kind} given: {error}") from error


def _read(dimension: Dimension, name: str, values: list[object]) -> list[str | int | float | None]:
    read = _reader(dimension, name)
    cells: list[str | int | float | None] = []
    for row, value in enumerate(values):
        try:
            cells.append(None if value is None else read(value))
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"{dimension}.{name}: {shown(value)} given in row {row}; {error}") from error
    return cells


def _reader(dimension: Dimension, name: str) -> Callable[[Any], str | int | float | None]:
    if dimension is Dimension.DAILY_BARS and name == "ts":
        return _session_date
    kind = dimension.kinds[name]
    return _texts if kind == "string" and name not in dimension.key else _READERS[kind]


def _texts(value: object) -> str | None:
    """A text, or several as one with commas, as feeds list the conditions of a trade."""
    if isinstance(value, list | tuple | np.ndarray):
        return ",".join(_text(each) for each in value if each is not None) or None
    return _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("allowed is text")
    return str.__str__(value)  # what it is: that of an Enum would tell its name


def _moment(value: object, us_of: Callable[[datetime], int] = to_us) -> int:
    if not isinstance(value, datetime):
        raise TypeError("allowed is a datetime with a time zone")
    if getattr(value, "nanosecond", 0):
        raise ValueError("allowed is a datetime of whole microseconds")
    return us_of(value)


def _session_date(value: object) -> int:
    return _moment(value, session_date_us)


def _number(value: object) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal):
        raise TypeError("allowed is a number")
    return float(value)


def _whole_number(value: object) -> int:
    if not isinstance(value, bool) and isinstance(value, Integral):
        return int(value)
    number = _number(value)
    if not number.is_integer():
        raise ValueError("allowed is a whole number")
    return int(number)


_READERS: Mapping[Kind, Callable[[object], str | int | float]] = {
    "string": _text,
    "timestamp": _moment,
    "double": _number,
    "int64": _whole_number,
}

_AS_THEY_ARE: Mapping[Kind, frozenset[type]] = {
    "string": frozenset({str, NoneType}),
    "timestamp": frozenset(),
    "double": frozenset({float, NoneType}),
    "int64": frozenset({int, NoneType}),
}
"""Values of these types alone need no look at each."""


def polars_to_arrow(df: Any) -> Any:
    """A polars DataFrame as a table.

    Raises:
        TypeError: something else was given.
    """
    if not hasattr(df, "to_arrow"):
        raise TypeError(f"{shown(df)} given; allowed is a polars.DataFrame; from_records takes mappings")
    return df.to_arrow()


def arrow_to_polars(table: pa.Table) -> Any:
    """A table as a polars DataFrame.

    Raises:
        ModuleNotFoundError: polars is not installed.
    """
    try:
        import polars  # noqa: ICN001  optional
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_INSTALL.format("polars", "to_polars")) from error
    return polars.from_arrow(table)


def arrow_to_pandas(table: pa.Table) -> Any:
    """A table as a pandas DataFrame with a plain index.

    Raises:
        ModuleNotFoundError: pandas is not installed.
    """
    try:
        return table.to_pandas()
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_INSTALL.format("pandas", "to_pandas")) from error


def pandas_to_arrow(dimension: Dimension, df: Any) -> pa.Table:
    """A pandas DataFrame as a table; NaN and NaT are nulls.

    Raises:
        TypeError: something else was given.
        ValueError: a column of Python objects has values that are not of the column's type.
    """
    if not (hasattr(df, "reset_index") and hasattr(df, "iloc") and hasattr(df, "columns")):
        raise TypeError(f"{shown(df)} given; allowed is a pandas.DataFrame; from_records takes mappings")
    levels = [name for name in df.index.names if name in dimension.columns]
    plain = df.reset_index(level=levels) if levels else df
    arrays = [_of_series(dimension, name, plain.iloc[:, at]) for at, name in enumerate(plain.columns)]
    return pa.Table.from_arrays(arrays, names=[str(name) for name in plain.columns])


def _of_series(dimension: Dimension, name: Any, series: Any) -> pa.Array:
    if name not in dimension.kinds:
        return _unknown(series.tolist() if series.dtype == object else [None] * len(series))
    if series.dtype == object:
        # Arrow would read naive moments as UTC and truth as number: objects are looked at one by one
        return _column(dimension, name, series.where(series.notna(), None).tolist())
    array = pa.Array.from_pandas(series)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
