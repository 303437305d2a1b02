"""What the settings want fetched: for each dimension a plan with its window, and why nothing is, where that is so.

For example `market.symbols: EURUSD,AAPL` and `market.intraday: true` make two plans: daily bars of the last 60 sessions
and minute bars of the last 2, of each symbol's own market, so that on a Monday morning Friday is in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from backbone.domain.clock import from_us, parse_time
from backbone.domain.dimension import Dimension
from backbone.ingest.plan import IngestPlan
from backbone.quality.sessions import Calendar
from backbone.settings import Settings
from backbone.settings.sections.market import GivenEvent, MarketSettings
from backbone.settings.starting import obstacles
from backbone.sources.registry import available_sources

__all__ = ["NOTHING_KEEPS", "Planned", "planned", "planned_dimensions", "reason_against", "widened"]

NOTHING_KEEPS = "nothing in the settings keeps it from running"
"""The reason of a market plan that runs."""

_NO_SYMBOLS = (
    "market.symbols is empty and market.macro is false, so that nothing is planned; set BACKBONE_MARKET_SYMBOLS"
)
_ALL_OFF = "market.daily, market.intraday and market.macro are false, so that nothing is planned; set one of them"
_DATE = len("2018-12-31")


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One dimension that is to be fetched.

    Attributes:
        plan: what is asked of which source.
        lookback: sessions (of macro events, days) that its window reaches back; None: its window was given.
        events: macro events that were given and need no source; None: the source is asked.
        file: where such events are; None: in the settings.
    """

    plan: IngestPlan
    lookback: float | None = None
    events: tuple[GivenEvent, ...] | None = None
    file: str | None = None

    @property
    def dimension(self) -> Dimension:
        """What the rows are."""
        return self.plan.dimension

    @property
    def metadata(self) -> dict[str, Any]:
        """What the journal has of it beside the plan."""
        start, end = self.plan.start, self.plan.end
        window = {"window": [start, end]} if start is not None or end is not None else {}
        given = {} if self.events is None else {"provided_events": len(self.events)}
        back = {} if self.lookback is None else {"lookback_days": self.lookback}
        interval = {} if self.plan.interval is None else {"interval": self.plan.interval}
        return {**back, **interval, **window, **given}


def reason_against(settings: Settings) -> str:
    """Why what the settings want is not fetched; "" where it is."""
    market = settings.market
    refused = [each.text for each in obstacles(settings)]
    if refused:
        return "; ".join(refused)
    if not market.symbols and not market.macro:
        return _NO_SYMBOLS
    if not planned_dimensions(market):
        return _ALL_OFF
    there = available_sources()
    for path, name in _sources(market):
        if name.strip().lower() not in there:
            return f"{path} is {name}, which is no source; there are {', '.join(there)}"
    return ""


def planned_dimensions(market: MarketSettings) -> tuple[Dimension, ...]:
    """The dimensions that are wanted."""
    wanted = {
        Dimension.DAILY_BARS: market.daily and bool(market.symbols),
        Dimension.INTRADAY_BARS: market.intraday and bool(market.symbols),
        Dimension.MACRO_EVENTS: market.macro,
    }
    return tuple(dimension for dimension, want in wanted.items() if want)


def _sources(market: MarketSettings) -> Iterator[tuple[str, str]]:
    wanted = planned_dimensions(market)
    if {Dimension.DAILY_BARS, Dimension.INTRADAY_BARS}.intersection(wanted):
        yield "market.source", market.source
    if Dimension.MACRO_EVENTS in wanted and not market.macro_events and market.macro_file is None:
        yield "market.macro_source", market.macro_source


def planned(market: MarketSettings, now: datetime, calendars: Sequence[Calendar]) -> tuple[Planned, ...]:
    """What is to be fetched as of now.

    Args:
        market: the settings.
        now: until when.
        calendars: of the symbols: by the one that trades least, windows reach back furthest.

    Raises:
        ValueError: the settings can't be used, see `reason_against`.
    """
    makers = {
        Dimension.DAILY_BARS: lambda: _bars(market, Dimension.DAILY_BARS, None, market.daily_lookback),
        Dimension.INTRADAY_BARS: lambda: _bars(
            market, Dimension.INTRADAY_BARS, market.intraday_interval, market.intraday_lookback
        ),
        Dimension.MACRO_EVENTS: lambda: _macro(market),
    }
    return tuple(widened(makers[dimension](), now, calendars) for dimension in planned_dimensions(market))


def _bars(market: MarketSettings, dimension: Dimension, interval: str | None, lookback: int) -> Planned:
    plan = IngestPlan(dimensions=[dimension], symbols=market.symbols, interval=interval, source=market.source)
    return Planned(plan=plan, lookback=lookback)


def _macro(market: MarketSettings) -> Planned:
    """Events that are given come before a file of them, that before a window, that before days back from now."""
    plan = IngestPlan(dimensions=[Dimension.MACRO_EVENTS], symbols=market.macro_calendars, source=market.macro_source)
    if market.macro_events:
        return Planned(plan=msgspec.structs.replace(plan, source="inline"), events=market.macro_events)
    if market.macro_file is not None:
        return Planned(plan=msgspec.structs.replace(plan, source="file"), events=(), file=market.macro_file)
    if market.macro_start is not None and market.macro_end is not None:
        start, end = _moment(market.macro_start), _moment(market.macro_end)
        return Planned(plan=msgspec.structs.replace(plan, start=start, end=end))
    return Planned(plan=plan, lookback=market.macro_lookback)


def _moment(text: str) -> datetime:
    return parse_time(text, "UTC" if len(text.strip()) == _DATE else None)


def widened(each: Planned, now: datetime, calendars: Sequence[Calendar], times: float = 1.0) -> Planned:
    """The same with a window that reaches back so many times as far; one that was given stays as it is."""
    if each.lookback is None:
        return each
    back = each.lookback * times
    known = [] if each.dimension is Dimension.MACRO_EVENTS else [one for one in calendars if one.known]
    start = min([now - timedelta(days=back), *(_sessions_back(one, now, back) for one in known)])
    plan = msgspec.structs.replace(each.plan, start=start, end=None)
    return Planned(plan=plan, lookback=back, events=each.events, file=each.file)


def _sessions_back(calendar: Calendar, now: datetime, sessions: float) -> datetime:
    """When the session began that is so many sessions back, the one that is open or was open last counted."""
    wanted, reach = max(int(np.ceil(sessions)), 1), max(4.0 * sessions, 14.0)
    days = calendar.sessions(now - timedelta(days=reach), now)
    if not days.size:
        return now - timedelta(days=reach)
    # the session date itself, for daily bars bear its beginning; and its open, which may lie on the eve
    first = days[-wanted] if days.size >= wanted else days[0]
    opened = calendar.hours(days[days == first])[0][0]
    return from_us(int(min(opened, first.astype("datetime64[us]")).astype(np.int64)))
