"""The answer to any statement, as columns: each value as the server meant it, or a refusal that says why not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from backbone.domain.clock import to_us
from backbone.store.errors import StatementRefused

__all__ = ["PLAIN", "Column", "column_of", "decimals", "number_of"]

_EPOCH = date(2000, 1, 1)
_EPOCH_US = 946_684_800_000_000
_EPOCH_DAYS = 10_957
_DAY_US = 86_400_000_000
_MOST_DIGITS = 76  # of what Arrow calls decimal256
_SMALL_DIGITS = 38
_INFINITE = {2**63 - 1, -(2**63), 2**31 - 1, -(2**31)}

PLAIN: Final = ("timestamp", "timestamptz", "date", "interval")
"""Types that the client would bend to those of Python; they are asked for as the server's own numbers."""
_GIVEN: Final = {
    "timestamp": "a datetime or a date",
    "timestamptz": "a datetime or a date",
    "date": "a date without a time",
    "interval": "a timedelta",
}

_TYPES: Final[dict[str, pa.DataType]] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "text": pa.string(),
    "varchar": pa.string(),
    "bpchar": pa.string(),
    "name": pa.string(),
    "char": pa.string(),
    "unknown": pa.string(),
    "json": pa.string(),
    "jsonb": pa.string(),
    "uuid": pa.string(),
    "bytea": pa.binary(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "interval": pa.month_day_nano_interval(),
    "numeric": pa.string(),  # until all of them are there: see `decimals`
}


def number_of(kind: str, value: Any) -> tuple[int, ...]:
    """A value that is given for one of those types, as the server's own numbers; a date is its midnight in UTC.

    Raises:
        ValueError: it is none.
    """
    if kind == "interval" and isinstance(value, timedelta):
        return (0, value.days, value.seconds * 1_000_000 + value.microseconds)
    days = value.toordinal() - _EPOCH.toordinal() if isinstance(value, date) else 0
    if kind == "date" and isinstance(value, date) and not isinstance(value, datetime):
        return (days,)
    if kind.startswith("timestamp") and isinstance(value, date):
        return (to_us(value) - _EPOCH_US if isinstance(value, datetime) else days * _DAY_US,)
    raise ValueError(f"{value!r} given for the type {kind}; allowed is {_GIVEN[kind]}")


class Column:
    """A column of an answer.

    Attributes:
        name: of the column.
        kind: of the server's type.
        array: whether there is a list of such in each row.
    """

    def __init__(self, name: str, kind: str, *, array: bool) -> None:
        self.name = name
        self.kind = kind
        self.array = array
        self.type = pa.list_(_TYPES[kind]) if array else _TYPES[kind]

    def values(self, given: Sequence[Any]) -> pa.Array:
        """The values of some rows.

        Raises:
            StatementRefused: one of them can't be told as it is.
        """
        try:
            plain = [
                None if each is None else self._listed(each) if self.array else self._plain(each) for each in given
            ]
            return pa.array(plain, self.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError) as error:
            raise StatementRefused(f"column {self.name} can't be told as it is ({error}); cast it to text") from error

    def _listed(self, values: Sequence[Any]) -> list[Any]:
        return [None if each is None else self._plain(each) for each in values]

    def _plain(self, value: Any) -> Any:
        if self.kind in {"timestamp", "timestamptz", "date"}:
            (number,) = value
            if number in _INFINITE:
                raise StatementRefused(
                    f"column {self.name} has a moment that is infinite; leave it out, or cast it to text"
                )
            return number + (_EPOCH_DAYS if self.kind == "date" else _EPOCH_US)
        if self.kind == "interval":
            months, days, us = value
            return pa.MonthDayNano([months, days, 1000 * us])
        if self.kind == "numeric":
            return _digits(self.name, value)
        if self.kind == "char":
            return value.decode()
        return str(value) if self.kind == "uuid" else value


def column_of(name: str, kind: str) -> Column:
    """A column of that type of the server.

    Raises:
        StatementRefused: Arrow has none like it.
    """
    array = kind.endswith("[]") or kind.startswith("_")
    plain = kind.removesuffix("[]").removeprefix("_") if array else kind
    if plain not in _TYPES:
        raise StatementRefused(f"column {name} is of type {kind}, which can't be told as it is; cast it to text")
    return Column(name, plain, array=array)


def _digits(name: str, value: Decimal) -> str:
    if not value.is_finite():
        raise StatementRefused(f"column {name} has the numeric value {value}; cast it to double precision, or to text")
    return format(value, "f")


def decimals(column: Column, table: pa.Table) -> pa.ChunkedArray:
    """A column of exact numbers, of as many digits as all of them need.

    Raises:
        StatementRefused: more than Arrow has.
    """
    texts = table.column(column.name).to_pylist()
    flat = [each for row in texts if row is not None for each in (row if column.array else [row]) if each is not None]
    scale = max((len(each.partition(".")[2]) for each in flat), default=0)
    whole = max((len(each.partition(".")[0].lstrip("-0")) for each in flat), default=0)
    digits = max(1, whole + scale)
    if digits > _MOST_DIGITS:
        raise StatementRefused(f"column {column.name} has numbers of {digits} digits; round it, or cast it to text")
    kind = pa.decimal128(_SMALL_DIGITS, scale) if digits <= _SMALL_DIGITS else pa.decimal256(_MOST_DIGITS, scale)

    def exact(each: str | None) -> Decimal | None:
        return None if each is None else Decimal(each)

    if column.array:
        lists = [None if row is None else list(map(exact, row)) for row in texts]
        return pa.chunked_array([pa.array(lists, pa.list_(kind))])
    return pa.chunked_array([pa.array(list(map(exact, texts)), kind)])
