"""Contracts: what happens when a source's columns are others than before."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.sections.by_dimension import ByDimension

__all__ = ["Contract", "ContractSettings"]

Contract = Literal["evolve", "freeze", "discard", "quarantine"]
_WHAT = "where a source's columns differ from those of its run before: take them, refuse the run, "
_MORE = "leave out what differs, or keep the rows aside"


class ContractSettings(ByDimension[Contract], frozen=True, kw_only=True):
    """What a source may change of its columns without being asked."""

    daily_bars: Annotated[Contract, Meta(description=_WHAT + _MORE)] = "evolve"
    intraday_bars: Annotated[Contract, Meta(description="the same of intraday bars")] = "evolve"
    trades: Annotated[Contract, Meta(description="the same of trades")] = "evolve"
    quotes: Annotated[Contract, Meta(description="the same of quotes")] = "evolve"
    order_book: Annotated[Contract, Meta(description="the same of order books")] = "evolve"
    macro_events: Annotated[Contract, Meta(description="the same of macro events")] = "evolve"
