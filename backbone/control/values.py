"""The values of a statement on their way through the socket: JSON has no moments and no dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

__all__ = ["Packed", "packed", "unpacked"]


class Dated(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A moment, or a date.

    Attributes:
        moment: with a time zone.
        date: a day.
    """

    moment: dt.datetime | None = None
    date: dt.date | None = None


_One = str | int | float | bool | None | Dated

Packed = list[_One | list[_One]]
"""Values as a question has them."""


def packed(values: Iterable[Any]) -> list[Any]:
    """Values of a command line, for a question."""
    return [_packed(value) for value in values]


def _packed(value: Any) -> Any:
    if isinstance(value, list):
        return packed(value)
    if isinstance(value, dt.date):
        dated = Dated(moment=value) if isinstance(value, dt.datetime) else Dated(date=value)
        return msgspec.to_builtins(dated)
    return value


def unpacked(values: Sequence[Any]) -> list[Any]:
    """The values of a question."""
    return [_unpacked(value) for value in values]


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return unpacked(value)
    if isinstance(value, Dated):
        return value.date if value.moment is None else value.moment
    return value
