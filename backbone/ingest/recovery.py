"""What to try again where a run missed something: pure, from what became of its dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
import numpy as np

from backbone.domain.clock import to_us
from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.ingest.market import Planned, widened
from backbone.ingest.market_report import DimensionRun
from backbone.quality.sessions import Calendar
from backbone.settings.sections.recovery import RecoverySettings

__all__ = ["Recovery", "missing_of", "recoveries"]

CalendarOf = Callable[[str], Calendar]


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """One dimension that is to be tried again.

    Attributes:
        planned: what is asked then: over a longer window, only for the symbols that are missing.
        attempt: which one, from 1.
        reasons: why.
    """

    planned: Planned
    attempt: int
    reasons: tuple[str, ...]


def recoveries(
    attempt: int,
    results: Sequence[DimensionRun],
    planned: Mapping[Dimension, Planned],
    settings: RecoverySettings,
    now: datetime,
    calendar_of: CalendarOf,
) -> tuple[Recovery, ...]:
    """What is to be tried again; nothing where all is ok, recovery is off, or all attempts were made.

    Args:
        attempt: which one it would be, from 1; the window is `lookback_multiplier` to that power times as long.
        results: what became of the dimensions last.
        planned: what was asked for at first.
        settings: the section.
        now: until when.
        calendar_of: the calendar of a symbol.
    """
    if not settings.enabled or attempt > settings.max_attempts:
        return ()
    found = []
    for result in results:
        first = planned.get(result.dimension)
        if first is None or first.events is not None or result.status is Status.OK:
            continue
        symbols = _targets(result, first, settings)
        calendars = [calendar_of(symbol) for symbol in symbols]
        wider = widened(first, now, calendars, settings.lookback_multiplier**attempt)
        plan = msgspec.structs.replace(wider.plan, symbols=symbols)
        wider = msgspec.structs.replace(wider, plan=plan)
        found.append(Recovery(planned=wider, attempt=attempt, reasons=_reasons(result)))
    return tuple(found)


def _targets(result: DimensionRun, first: Planned, settings: RecoverySettings) -> tuple[str, ...]:
    if settings.target_missing_symbols and result.missing and result.status is not Status.FAILED:
        return result.missing
    return tuple(first.plan.symbols)


def _reasons(result: DimensionRun) -> tuple[str, ...]:
    if result.status is Status.FAILED:
        return (f"failed: {result.why}",)
    return (f"no rows of {', '.join(result.missing)}, whose market was open",)


def missing_of(
    dimension: Dimension,
    requested: Sequence[str],
    came: Sequence[str],
    window: tuple[datetime | None, datetime],
    calendar_of: CalendarOf,
) -> tuple[str, ...]:
    """The symbols of which there should be rows and are none: their market had a session in the window.

    Of daily bars a session counts once it is over, of others from its open on. Where no calendar is known, rows are
    expected. Macro events come when they come: none is missing.

    Args:
        dimension: of the rows.
        requested: symbols that were asked for.
        came: symbols of which rows came, in any case.
        window: from when until when they were asked for; None: from ever.
        calendar_of: the calendar of a symbol.
    """
    if dimension is Dimension.MACRO_EVENTS:
        return ()
    there = {symbol.casefold() for symbol in came}
    absent = [symbol for symbol in requested if symbol.casefold() not in there]
    return tuple(symbol for symbol in absent if _expected(dimension, calendar_of(symbol), *window))


def _expected(dimension: Dimension, calendar: Calendar, start: datetime | None, end: datetime) -> bool:
    if not calendar.known or start is None:
        return True
    opens, closes = calendar.hours(calendar.sessions(start, end))
    until = closes if dimension is Dimension.DAILY_BARS else opens
    return bool((until <= np.datetime64(to_us(end), "us")).any())
