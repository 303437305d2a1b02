"""What can't be done without a calendar, and how to name one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from backbone.domain.text import written_out
from backbone.domain.zones import Stamps
from backbone.quality.sessions import NO_CALENDAR, Calendar

__all__ = ["HOW_TO_NAME", "CalendarOf", "NoCalendar", "called", "check_known", "check_weekends"]

CalendarOf: TypeAlias = Callable[[str], Calendar]
"""The calendar of a symbol."""

HOW_TO_NAME = (
    "name one: quality.session=us_equities for all symbols, quality.sessions=SYMBOL=24x7 for one, or a rule of "
    "instruments.rules; there are fx, 24x7, us_equities, cme, exchanges such as XLON, and sessions of your own"
)
_SHOWN = 3
_SATURDAY = 5


class NoCalendar(ValueError):
    """Bars of a session asked for where nothing says when a symbol trades; the message says how to name a calendar."""


def called(names: str) -> str:
    """Calendars in a sentence, such as ``the fx calendar``; several with commas between them."""
    if names == NO_CALENDAR.name:
        return "no calendar"
    return f"the calendars {names}" if "," in names else f"the {names} calendar"


def check_known(symbols: Sequence[str], interval: str, calendar_of: CalendarOf) -> None:
    """Refuse what is made by trading session, where no calendar is known.

    Args:
        symbols: of the bars.
        interval: of the bars to be made.
        calendar_of: the calendar of a symbol.

    Raises:
        NoCalendar: one of the symbols has none.
    """
    unknown = [symbol for symbol in symbols if not calendar_of(symbol).known]
    if unknown:
        raise NoCalendar(
            f"{interval} bars of {_listed(unknown)} asked, which are made by trading session, but no calendar is known "
            f"of {'it' if len(unknown) == 1 else 'them'}; {HOW_TO_NAME}"
        )


def check_weekends(
    stamps: Stamps, stretches: Sequence[tuple[str, int, int]], interval: str, calendar_of: CalendarOf
) -> None:
    """Refuse daily bars that bear a Saturday or Sunday where no calendar tells to which week they belong.

    In spot forex Sunday evening opens the week to come; where it is a day like others it ends the week.

    Args:
        stamps: of daily bars.
        stretches: symbol, first row and number of rows of each series.
        interval: of the bars to be made.
        calendar_of: the calendar of a symbol.

    Raises:
        NoCalendar: a symbol has such bars, and no calendar.
    """
    weekend = (stamps.astype("datetime64[D]").astype(np.int64) + 3) % 7 >= _SATURDAY
    unknown = [
        symbol
        for symbol, first, length in stretches
        if weekend[first : first + length].any() and not calendar_of(symbol).known
    ]
    if unknown:
        raise NoCalendar(
            f"{interval} bars of {_listed(unknown)} asked, of which daily bars bear a Saturday or Sunday, but no "
            f"calendar tells to which week they belong; {HOW_TO_NAME}"
        )


def _listed(symbols: Sequence[str]) -> str:
    return ", ".join(map(written_out, symbols[:_SHOWN])) + (", …" if len(symbols) > _SHOWN else "")
