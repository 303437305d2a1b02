"""Where a provider goes on: behind what is stored, less the days that it wants to give again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.ingest.plan import IngestPlan
from backbone.sources.port import Cursor, ProviderSource, Source
from backbone.store.records import Coverage, Query

__all__ = ["going_on"]


class Holdings(Protocol):
    """Who knows what is stored."""

    async def stored(self, dimension: Dimension, symbols: Sequence[str]) -> list[Coverage]:
        """What is stored of some symbols; of all, where none is named."""
        ...

    async def read(self, query: Query) -> Frame:
        """Rows that are stored."""
        ...


async def going_on(source: Source, plan: IngestPlan, holdings: Holdings, now: datetime) -> None:
    """Tell a provider what is stored, where the plan says no times; other sources begin at their beginning.

    A row of the future, such as a release to come or a bar of a mistyped year, says nothing of how far it has got.
    """
    if plan.start is not None or plan.end is not None or not isinstance(source, ProviderSource):
        return
    newest: dict[str, datetime] = {}
    for each in await holdings.stored(plan.dimension, plan.symbols):
        if plan.interval in {None, each.interval} or each.interval is None:
            latest = each.latest if each.latest <= now else await _newest_by(now, each, holdings)
            if latest is not None:
                newest[each.symbol] = max(latest, newest.get(each.symbol, latest))
    source.follow(Cursor(newest, source.lag))


async def _newest_by(now: datetime, stored: Coverage, holdings: Holdings) -> datetime | None:
    """The newest moment up to now of which there is a row; None: all are to come."""
    query = Query(stored.dimension, (stored.symbol,), interval=stored.interval, end=now, limit=1)
    return (await holdings.read(query)).end
