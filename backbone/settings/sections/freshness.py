"""Freshness and feeds: for how long the next row of each dimension may be due."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.sections.by_dimension import ByDimension

__all__ = ["FeedSettings", "FreshnessSettings", "Overdue"]

Overdue = Annotated[float, Meta(gt=0, le=31_536_000)]
"""Seconds, up to a year."""


class FreshnessSettings(ByDimension[float], frozen=True, kw_only=True):
    """How many seconds, of the time in which its market is open, the next row may be due before data counts as stale.

    What is twice as late has failed. See `backbone.quality.freshness` for how the time is counted.
    """

    daily_bars: Annotated[Overdue, Meta(description="a daily bar after its close, by trading days of 24 h")] = 86_400.0
    intraday_bars: Annotated[Overdue, Meta(description="a bar after its own end, while its market is open")] = 900.0
    trades: Annotated[Overdue, Meta(description="a trade after the one before, while its market is open")] = 300.0
    quotes: Annotated[Overdue, Meta(description="a quote after the one before, while its market is open")] = 60.0
    order_book: Annotated[Overdue, Meta(description="an order book after the one before, while its market is open")] = (
        60.0
    )
    macro_events: Annotated[Overdue, Meta(description="an event of a calendar after the one before, day and night")] = (
        604_800.0
    )


class FeedSettings(FreshnessSettings, frozen=True, kw_only=True):
    """The same, by which a feed counts as late: of a daily bar some hours are, before its data is of no use."""

    daily_bars: Annotated[Overdue, Meta(description="a daily bar after its close, by trading days of 24 h")] = 21_600.0
    macro_events: Annotated[Overdue, Meta(description="an event of a calendar after the one before, day and night")] = (
        86_400.0
    )
