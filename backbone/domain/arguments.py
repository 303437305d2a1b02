"""Checks of what callers give, made where they stand: one place, so that every method refuses alike.

Each check returns the value in the form in which it is used, or raises TypeError (the wrong kind of thing) or
ValueError (a thing that is not allowed), and says what was given, what is allowed and what to do.
"""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from numbers import Real
from typing import Any, Final, TypeVar

from backbone.domain.clock import INTERVALS, MAX_US, MIN_US, from_us, parse_interval, to_us
from backbone.domain.text import LONGEST_TEXT

__all__ = [
    "LARGEST",
    "LONGEST_PAGE",
    "count",
    "flag",
    "instance",
    "interval",
    "moment",
    "page",
    "seconds",
    "shown",
    "symbols",
    "text",
    "texts",
    "window",
]

T = TypeVar("T")

LARGEST: Final = 2**63 - 1
"""The greatest whole number that a store, a stream or an Arrow column holds."""

LONGEST_PAGE: Final = 10_000
"""Entries of a list that are given at once."""

_SHOWN = 80
_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _SHOWN


def shown(value: object) -> str:
    """What was given, in a few words that fit into a message; what can't even be printed is named by its type."""
    try:
        words = _SHORT.repr(value)  # looks at no more of a large value than it shows
    except Exception:  # noqa: BLE001  the value is foreign, and the message about it must not fail over it
        return f"a {type(value).__name__}"
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"


def instance(name: str, value: object, kind: type[T], remedy: str = "") -> T:
    """A value of a class.

    Raises:
        TypeError: it is of another.
    """
    if not isinstance(value, kind):
        more = f"; {remedy}" if remedy else ""
        raise TypeError(f"{name}={shown(value)} given; allowed is a {kind.__name__}{more}")
    return value


def moment(name: str, value: object) -> datetime | None:
    """A moment with a time zone, as a plain datetime in UTC, or None.

    Raises:
        TypeError: it is no datetime: a text, a date.
        ValueError: it has no time zone, or lies outside the years 1 to 9999 in UTC.
    """
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise TypeError(
            f"{name}={shown(value)} given; allowed is a datetime with a time zone, such as "
            "datetime(2024, 1, 1, tzinfo=UTC), or None"
        )
    try:
        at = to_us(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    except Exception as error:  # pandas.NaT is a datetime that can do nothing, and a tzinfo may raise what it likes
        raise ValueError(f"{name}={shown(value)} given, which is no moment; give a datetime or None") from error
    if not MIN_US <= at <= MAX_US:
        raise ValueError(f"{name}={shown(value)} given, outside the years 1 to 9999 in UTC; give a moment within")
    return from_us(at)  # plain and in UTC, whatever kind of datetime and zone came


def window(start: object, end: object) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment of a window; None is open.

    Raises:
        TypeError, ValueError: as `moment`; ValueError: the start lies after the end.
    """
    first, last = moment("start", start), moment("end", end)
    if first is not None and last is not None and first > last:
        raise ValueError(f"start={first.isoformat()} given, after end={last.isoformat()}; exchange them")
    return first, last


def texts(name: str, value: object) -> tuple[str, ...]:
    """Several texts, none of them empty, in the order given and without repetition.

    Raises:
        TypeError: one text instead of several, or something that is no text.
        ValueError: an empty text, one with a NUL or half a character in it, or one of over 1,024 bytes.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        remedy = f"give a list, such as [{shown(value)}]" if isinstance(value, str) else "give a list of texts"
        raise TypeError(f"{name}={shown(value)} given; allowed are several texts; {remedy}")
    return tuple(dict.fromkeys(text(name, each) for each in value))


def text(name: str, value: object) -> str:
    """One text that stores, streams and readers can carry.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty, has a NUL or half a character in it, or is longer than 1,024 bytes.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name}: {shown(value)} given; allowed is text")
    if not value.strip():
        raise ValueError(f"{name}: an empty text given; name it, or leave it out")
    if "\0" in value:
        raise ValueError(f"{name}: {shown(value)} given, with a NUL character, which databases refuse; remove it")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{name}: {shown(value)} given, with half a character in it; remove it") from error
    if size > LONGEST_TEXT:
        raise ValueError(f"{name}: a text of {size:,} bytes given; allowed are {LONGEST_TEXT:,}")
    return str.__str__(value)  # what it is: that of an Enum would tell its name


def symbols(value: object) -> tuple[str, ...]:
    """Symbols (or calendars); none means all.

    Raises:
        TypeError, ValueError: as `texts`.
    """
    return texts("symbols", value)


def count(name: str, value: object, least: int = 0, *, default: str = "") -> int:
    """A whole number of 64 bits.

    Args:
        name: of the argument.
        value: what was given.
        least: the smallest that is allowed.
        default: what leaving it out means, for the message: "None for all".

    Raises:
        TypeError: it is no whole number; truth is none either.
        ValueError: it is too small, or does not fit 64 bits.
    """
    if type(value) is int and least <= value <= LARGEST:
        return value
    allowed = f"allowed: {least} to {LARGEST}{f', or {default}' if default else ''}"
    if isinstance(value, bool):
        raise TypeError(f"{name}={value} given; {allowed}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # anything may come; that is what is found out here
    except TypeError:
        raise TypeError(f"{name}={shown(value)} given; {allowed}") from None
    if not least <= number <= LARGEST:
        raise ValueError(f"{name}={shown(value)} given; {allowed}")
    return number


def page(name: str, value: object) -> int:
    """How many entries of a list are given at once.

    Raises:
        TypeError: it is no whole number. ValueError: it is not within 1 to 10,000.
    """
    number = count(name, value, 1)
    if number > LONGEST_PAGE:
        raise ValueError(f"{name}={number} given; allowed: 1 to {LONGEST_PAGE}; skip those to read on behind them")
    return number


def flag(name: str, value: object) -> bool:
    """Truth.

    Raises:
        TypeError: anything but True or False.
    """
    return instance(name, value, bool, "give True or False")


def seconds(name: str, value: object) -> float:
    """A finite duration of 0 seconds or more.

    Raises:
        TypeError: it is no number. ValueError: it is negative or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}={shown(value)} given; allowed are seconds, 0 or more")
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{name}={shown(value)} given; allowed are seconds, 0 or more")
    return number


def interval(value: Any) -> str | None:
    """A bar interval by its one name, or None.

    Raises:
        TypeError: it is no text. ValueError: there is no such interval; lists what there is.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"interval={shown(value)} given; allowed is text, such as '1h', or None")
    return value if value in INTERVALS else parse_interval(value)
