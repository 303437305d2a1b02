"""Sections that say the same thing of each dimension."""

from __future__ import annotations

from typing import Generic, TypeVar

from backbone.domain.dimension import Dimension
from backbone.settings.sections.base import Section

__all__ = ["ByDimension"]

T = TypeVar("T")


class ByDimension(Section, Generic[T], frozen=True, kw_only=True):
    """One value for each dimension; a section of this kind says what they mean, and which they are unless given."""

    daily_bars: T
    intraday_bars: T
    trades: T
    quotes: T
    order_book: T
    macro_events: T

    def of(self, dimension: Dimension) -> T:
        """What is said of a dimension."""
        said: dict[Dimension, T] = {
            Dimension.DAILY_BARS: self.daily_bars,
            Dimension.INTRADAY_BARS: self.intraday_bars,
            Dimension.TRADES: self.trades,
            Dimension.QUOTES: self.quotes,
            Dimension.ORDER_BOOK: self.order_book,
            Dimension.MACRO_EVENTS: self.macro_events,
        }
        return said[dimension]
