"""A few rows as plain values: what a feed hands over one by one becomes columns when many of them go in together.

A table of one row costs ten times what reading the row does. So rows of plain values (text, float, int, datetime) stay
tuples until somebody asks for columns. Rows with anything else in them, or with a mistake, are read as columns at once,
where each value is converted or refused with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timezone
from functools import cache, lru_cache
from struct import pack
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from backbone.domain.arguments import shown
from backbone.domain.clock import INTERVALS, MAX_US, MIN_US, to_us
from backbone.domain.dimension import Dimension
from backbone.domain.session_dates import session_date_us
from backbone.domain.text import LONGEST_TEXT, hidden

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Cells", "cells_of", "listed"]

_FEW: Final = 1000  # more rows are columns at once
_EXACT: Final = 2**53
_INT64: Final = 2**63
_ZONES: Final = (timezone, ZoneInfo)

Row = tuple[Any, ...]
"""The values of one row in the order of the dimension's columns; moments as microseconds."""


class _Unplain(Exception):
    """A value that is not plain, or not allowed."""


class Cells:
    """Rows of one dimension in canonical form: ascending by key, each key once."""

    __slots__ = ("_dimension", "rows")

    def __init__(self, dimension: Dimension, rows: Sequence[Row]) -> None:
        self._dimension = dimension
        self.rows = rows

    @property
    def symbols(self) -> tuple[str, ...]:
        """The distinct values of the partition column, ascending."""
        return tuple(dict.fromkeys(row[0] for row in self.rows))

    @property
    def span_us(self) -> tuple[int, int]:
        """The earliest and the latest moment."""
        at = _shape(self._dimension).ts
        stamps = [row[at] for row in self.rows]
        return min(stamps), max(stamps)

    @property
    def nbytes(self) -> int:
        """How many bytes they take up as columns, about."""
        shape = _shape(self._dimension)
        size = 8 * len(shape.columns) * len(self.rows)
        for row in self.rows:
            for at in shape.texts:
                size += len(row[at] or "")
        return size

    @staticmethod
    def table(dimension: Dimension, several: Sequence[Cells]) -> pa.Table:
        """The rows of several, one after the other, as columns."""
        import pyarrow as pa

        from backbone.domain.schema import arrow_schema

        schema = arrow_schema(dimension)
        columns = zip(*(row for cells in several for row in cells.rows), strict=True)
        arrays = [_array(field.type, column) for column, field in zip(columns, schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema)


def _array(kind: pa.DataType, column: tuple[Any, ...]) -> pa.Array:
    """The values of a column; of a single row its bytes, which takes half as long as to look for what they are."""
    import pyarrow as pa

    from backbone.domain.arrays import array_of

    if len(column) > 1:
        return array_of(column, kind)
    value = column[0]
    if value is None:
        return pa.nulls(1, kind)
    if not isinstance(value, str):
        number = pack("<d" if isinstance(value, float) else "<q", value)
        return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(number)])
    text = value.encode()
    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(pack("<2i", 0, len(text))), pa.py_buffer(text)])


def listed(records: object) -> list[object]:
    """Mappings or Structs, one for each row, as a list.

    Raises:
        TypeError: they are one mapping or Struct, or no iterable.
    """
    if isinstance(records, Mapping | msgspec.Struct | str | bytes) or not isinstance(records, Iterable):
        raise TypeError(f"{shown(records)} given; allowed is a list of mappings or msgspec Structs, one for each row")
    return list(records)


def cells_of(dimension: Dimension, records: Sequence[object]) -> Cells | None:
    """Mappings and Structs as rows; None where there are many, none, or one that is not plain."""
    if not 0 < len(records) <= _FEW:
        return None
    shape = _shape(dimension)
    try:
        rows = [_row(shape, record) for record in records]
    except _Unplain:
        return None
    if len(rows) > 1:
        if shape.numbered and any(row[2] is None for row in rows):
            return None  # their keys alone do not say their order
        by_key = {row[: shape.key]: row for row in rows}
        rows = [by_key[key] for key in sorted(by_key)]
    return Cells(dimension, rows)


def _row(shape: _Shape, record: object) -> Row:
    if type(record) is dict:
        if not record.keys() <= shape.names:
            raise _Unplain
        get = record.get
        return tuple([read(get(name)) for name, read in shape.columns])
    if not isinstance(record, msgspec.Struct) or not shape.names.issuperset(fields := record.__struct_fields__):
        raise _Unplain
    return tuple([read(_given(record, name) if name in fields else None) for name, read in shape.columns])


def _given(record: msgspec.Struct, name: str) -> object:
    value = getattr(record, name)
    return None if value is msgspec.UNSET else value


class _Shape(NamedTuple):
    """How the rows of a dimension are read: by column, in canonical order."""

    columns: tuple[tuple[str, Callable[[Any], Any]], ...]
    names: frozenset[str]
    key: int
    ts: int
    texts: tuple[int, ...]
    numbered: bool
    """Whether the third column is a sequence that may be missing."""


@cache
def _shape(dimension: Dimension) -> _Shape:
    numbered = dimension.may_lack_sequence
    columns = []
    for name, kind in dimension.kinds.items():
        read = _KEY_READERS[kind] if name in dimension.key else _READERS[kind]
        if name == "interval":
            read = _interval
        elif name == "ts" and dimension is Dimension.DAILY_BARS:
            read = _session_date
        columns.append((name, _sequence if name == "sequence" and numbered else read))
    texts = tuple(at for at, kind in enumerate(dimension.kinds.values()) if kind == "string")
    names = dimension.columns
    return _Shape(tuple(columns), frozenset(names), len(dimension.key), names.index("ts"), texts, numbered)


@lru_cache(maxsize=4096)
def _is_name(text: str) -> bool:
    return bool(text.strip()) and _is_text(text) and not hidden(text)


def _is_text(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        return (len(text) if text.isascii() else len(text.encode())) <= LONGEST_TEXT
    except UnicodeEncodeError:
        return False


def _name(value: object) -> str:
    if type(value) is str and len(value) <= LONGEST_TEXT and _is_name(value):  # what is looked up is kept
        return value
    raise _Unplain


def _text(value: object) -> str | None:
    if value is None or (type(value) is str and _is_text(value)):
        return value
    raise _Unplain


def _interval(value: object) -> str:
    if type(value) is str and value in INTERVALS:
        return value
    raise _Unplain


def _moment(value: object) -> int:
    if type(value) is datetime and (value.tzinfo is UTC or type(value.tzinfo) in _ZONES):
        moment = to_us(value)
        if MIN_US <= moment <= MAX_US:
            return moment
    raise _Unplain


def _session_date(value: object) -> int:
    _moment(value)
    try:
        return session_date_us(value)  # type: ignore[arg-type]  # a datetime, or it were refused above
    except ValueError:
        raise _Unplain from None


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, float):
        return float(value) + 0.0 if value == value else None
    if type(value) is int and -_EXACT <= value <= _EXACT:
        return float(value)
    raise _Unplain


def _whole(value: object) -> int:
    if type(value) is int and -_INT64 <= value < _INT64:
        return value
    raise _Unplain


def _sequence(value: object) -> int | None:
    return None if value is None else _whole(value)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {"string": _text, "double": _number}
_KEY_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {"string": _name, "timestamp": _moment, "int64": _whole}
