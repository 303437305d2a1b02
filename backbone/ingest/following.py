"""Where a provider goes on: behind what is stored, less the days that it wants to give again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from backbone.domain.dimension import Dimension
from backbone.ingest.plan import IngestPlan
from backbone.sources.port import Cursor, ProviderSource, Source
from backbone.store.records import Coverage

__all__ = ["going_on"]


class Holdings(Protocol):
    """Who knows what is stored."""

    async def stored(self, dimension: Dimension, symbols: Sequence[str]) -> list[Coverage]:
        """What is stored of some symbols; of all, where none is named."""
        ...


async def going_on(source: Source, plan: IngestPlan, holdings: Holdings) -> None:
    """Tell a provider what is stored, where the plan says no times; other sources begin at their beginning."""
    if plan.start is not None or plan.end is not None or not isinstance(source, ProviderSource):
        return
    newest: dict[str, datetime] = {}
    for each in await holdings.stored(plan.dimension, plan.symbols):
        if plan.interval in {None, each.interval} or each.interval is None:
            newest[each.symbol] = max(each.latest, newest.get(each.symbol, each.latest))
    source.follow(Cursor(newest, source.lag))
