"""Contracts: what happens when a source's columns are others than before."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from backbone.domain.dimension import Dimension
from backbone.settings.sections.base import Section

__all__ = ["Contract", "ContractSettings"]

Contract = Literal["evolve", "freeze", "discard", "quarantine"]
_WHAT = "where a source's columns differ from those of its run before: take them, refuse the run, "
_MORE = "leave out what differs, or keep the rows aside"


class ContractSettings(Section, frozen=True, kw_only=True):
    """What a source may change of its columns without being asked."""

    daily_bars: Annotated[Contract, Meta(description=_WHAT + _MORE)] = "evolve"
    intraday_bars: Annotated[Contract, Meta(description="the same of intraday bars")] = "evolve"
    trades: Annotated[Contract, Meta(description="the same of trades")] = "evolve"
    quotes: Annotated[Contract, Meta(description="the same of quotes")] = "evolve"
    order_book: Annotated[Contract, Meta(description="the same of order books")] = "evolve"
    macro_events: Annotated[Contract, Meta(description="the same of macro events")] = "evolve"

    def of(self, dimension: Dimension) -> Contract:
        """The contract of a dimension."""
        contracts: dict[Dimension, Contract] = {
            Dimension.DAILY_BARS: self.daily_bars,
            Dimension.INTRADAY_BARS: self.intraday_bars,
            Dimension.TRADES: self.trades,
            Dimension.QUOTES: self.quotes,
            Dimension.ORDER_BOOK: self.order_book,
            Dimension.MACRO_EVENTS: self.macro_events,
        }
        return contracts[dimension]
