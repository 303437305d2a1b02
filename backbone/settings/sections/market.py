"""Market: what is fetched from providers when nobody says more, by `backbone run` and by schedule."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from backbone.settings.sections.base import Count, Days, Section, Text

__all__ = ["GivenEvent", "MarketSettings"]


class GivenEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A macro event that the settings or a file name; its time has an offset, and is called ts or timestamp."""

    calendar: Text
    event: Text
    ts: str | None = None
    timestamp: str | None = None
    currency: str | None = None
    actual: float | None = None
    forecast: float | None = None
    previous: float | None = None
    importance: str | None = None
    category: str | None = None

    def __post_init__(self) -> None:
        if (self.ts is None) == (self.timestamp is None):
            raise ValueError(f"event {self.event!r} has no time, or two; give it as ts")


class MarketSettings(Section, frozen=True, kw_only=True):
    """What is fetched from providers."""

    symbols: Annotated[tuple[Text, ...], Meta(description="what is fetched; none: no bars")] = ()
    source: Annotated[Text, Meta(description="provider of bars: yahoo, multi or one of an installed package")] = "yahoo"
    daily: Annotated[bool, Meta(description="fetch daily bars")] = True
    daily_lookback: Annotated[Days, Meta(description="so many sessions back from now, of each symbol's own market")] = (
        60
    )
    intraday: Annotated[bool, Meta(description="fetch intraday bars")] = False
    intraday_lookback: Annotated[Days, Meta(description="so many sessions back from now")] = 2
    intraday_interval: Annotated[Text, Meta(description="their interval")] = "1m"
    macro: Annotated[bool, Meta(description="fetch macro events")] = False
    macro_source: Annotated[Text, Meta(description="provider of macro events")] = "fred"
    macro_events: Annotated[
        tuple[GivenEvent, ...], Meta(description="these macro events, before all else: ts, calendar, event, …")
    ] = ()
    macro_file: Annotated[Text | None, Meta(description="or those in this JSON file, a list of the same")] = None
    macro_start: Annotated[Text | None, Meta(description="or those from this moment on; with macro_end")] = None
    macro_end: Annotated[Text | None, Meta(description="and up to this one")] = None
    macro_lookback: Annotated[Days, Meta(description="or those of so many days back from now")] = 7
    macro_calendars: Annotated[tuple[Text, ...], Meta(description="only of these calendars; none: of all")] = ()
    macro_limit: Annotated[
        Count | None, Meta(description="of those that are given, or in the file, the newest so many")
    ] = None
