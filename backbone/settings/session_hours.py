"""Sessions of one's own as settings give them, read into times; and what can't be true of calendars together."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from datetime import date, timedelta
from fnmatch import translate
from typing import TYPE_CHECKING, Any, NamedTuple

from backbone.settings.errors import suggestion
from backbone.settings.exchanges import EXCHANGES
from backbone.settings.sections.instruments import BUILT_IN, InstrumentRule, SessionHours

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NO_SESSIONS", "Hours", "calendar_problems", "canonical_name", "hours_of", "pattern_of", "patterns_of"]

_DAY = timedelta(days=1)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PLACES = {name: n for names in (_WEEKDAYS, _NAMES) for n, name in enumerate(names)}
_SEVERAL = re.compile(r"[A-Za-z*?\]]\s*,")  # AAPL, MSFT
NO_SESSIONS = "none"
"""The name that says that there is no calendar."""


class Hours(NamedTuple):
    """Sessions of one's own; times count from the start of the session date, and are negative on its eve."""

    zone: str
    opens: timedelta
    closes: timedelta
    weekdays: frozenset[int]
    breaks: tuple[tuple[timedelta, timedelta], ...]
    holidays: frozenset[date]
    early: Mapping[date, timedelta]


def hours_of(given: SessionHours) -> Hours:
    """Read the texts of a session.

    Raises:
        ValueError: one of them is not possible, or they contradict each other.
    """
    _check_zone(given.zone)
    opens, closes = _time(given.open), _time(given.close)
    if opens >= closes:
        opens -= _DAY
    breaks = tuple(_pause(text, opens, closes) for text in given.breaks)
    ends = (opens, *(end for _, end in breaks))
    if any(start < before for (start, _), before in zip(breaks, ends, strict=False)):
        raise ValueError(f"breaks {', '.join(given.breaks)} overlap, or are not in order; give the earliest first")
    early = {_date(day): _early(day, time, opens, closes) for day, time in given.early.items()}
    holidays = frozenset(map(_date, given.holidays))
    return Hours(given.zone, opens, closes, _weekdays(given.days), breaks, holidays, early)


def pattern_of(symbols: str) -> re.Pattern[str]:
    """What matches the symbols of a rule, in any case.

    Raises:
        ValueError: it is no pattern.
    """
    if _SEVERAL.search(symbols) or symbols != symbols.strip():
        raise ValueError(f"symbols {symbols!r} is one pattern; give each its own rule, without commas and outer blanks")
    try:
        return re.compile(translate(symbols), re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"symbols {symbols!r} is no pattern ({error}); * is any letters, ? one") from error


def patterns_of(listed: str) -> list[re.Pattern[str]]:
    """What matches each of several patterns with commas between them."""
    return [pattern_of(each.strip()) for each in listed.split(",") if each.strip()]


def canonical_name(name: str, own: Container[str]) -> str | None:
    """The name of a calendar as it is written here, whatever its case; None: there is none.

    Args:
        name: as it was given.
        own: the names of `instruments.sessions`.
    """
    plain = name.strip()
    if plain in own:
        return plain
    lower, upper = plain.lower().replace("-", "_"), plain.upper()
    if lower in BUILT_IN or lower == NO_SESSIONS:
        return lower
    return upper if upper in EXCHANGES else None


def calendar_problems(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """Calendars that are named and not known, and sessions that can't be; values are by path of the setting."""
    own: Mapping[str, SessionHours] = values["instruments.sessions"]
    said = f"instruments.sessions ({origins['instruments.sessions']})"
    for name, given in own.items():
        if canonical_name(name, ()):
            yield f"{said}: {name} is a calendar already; give yours another name"
        try:
            hours_of(given)
        except ValueError as error:
            yield f"{said}: {name}: {error}"
    known = (*BUILT_IN, *own)
    for where, name in _named(values, origins):
        if canonical_name(name, own) is None:
            near = suggestion(name, (*known, *EXCHANGES))
            text = f"no calendar is called {name!r}; there are {', '.join(known)}, exchanges by their code such as XLON"
            yield f"{where}: {text}, and those that instruments.sessions describes{near}"
    yield from _given_twice(values, origins)
    for rule in values["instruments.rules"]:
        try:
            pattern_of(rule.symbols)
        except ValueError as error:
            yield f"instruments.rules ({origins['instruments.rules']}): {error}"


def _named(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Where a calendar is named, and its name."""
    if values["quality.session"] is not None:
        yield f"quality.session ({origins['quality.session']})", values["quality.session"]
    for symbol, name in values["quality.sessions"].items():
        yield f"quality.sessions ({origins['quality.sessions']}): {symbol}", name
    rules: tuple[InstrumentRule, ...] = values["instruments.rules"]
    for rule in rules:
        if rule.calendar is not None:
            yield f"instruments.rules ({origins['instruments.rules']}): {rule.symbols}", rule.calendar


def _given_twice(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """Symbols that have two calendars, for they are the same in any case."""
    seen: dict[str, tuple[str, str]] = {}
    for symbol, name in values["quality.sessions"].items():
        other, before = seen.setdefault(symbol.upper(), (symbol, name))
        if before != name:
            text = f"{other}={before} and {symbol}={name}, which are one symbol in any case; give one of them"
            yield f"quality.sessions ({origins['quality.sessions']}): {text}"


def _check_zone(name: str) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"zone {name!r} is not known; give an IANA name such as Asia/Tokyo") from error


def _time(text: str) -> timedelta:
    hours, minutes = text.strip().split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _within(text: str, opens: timedelta, closes: timedelta) -> timedelta:
    """A time of a session, on the eve where the session begins there and has not closed by then."""
    time = _time(text)
    return time if time <= closes else time - _DAY if opens < timedelta(0) else time


def _pause(text: str, opens: timedelta, closes: timedelta) -> tuple[timedelta, timedelta]:
    start, end = (_within(part, opens, closes) for part in text.split("-"))
    if not opens < start < end < closes:
        raise ValueError(f"the break {text} does not lie within the session; give one such as 11:30-12:30")
    return start, end


def _early(day: str, text: str, opens: timedelta, closes: timedelta) -> timedelta:
    time = _within(text, opens, closes)
    if not opens < time <= closes:
        raise ValueError(f"early {day}: {text} does not lie within the session; give a time before its close")
    return time


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no date; give one such as 2024-12-24") from error


def _weekdays(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in filter(None, (each.strip().lower() for each in text.split(","))):
        first, _, last = (each.strip() for each in part.partition("-"))
        if first not in _PLACES or (last or first) not in _PLACES:
            raise ValueError(f"days {text!r} given; allowed are {', '.join(_WEEKDAYS)} and stretches such as mon-fri")
        start = _PLACES[first]
        length = (_PLACES[last or first] - start) % 7
        found |= {(start + n) % 7 for n in range(length + 1)}
    if not found:
        raise ValueError(f"days {text!r} given, which are none; allowed are {', '.join(_WEEKDAYS)}, as in mon-fri")
    return frozenset(found)
