"""What the store's actor is asked about mended rows."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from msgspec.structs import force_setattr

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.store.port import Store
from backbone.store.repairs import RepairRow
from backbone.store.request import StoreRequest

__all__ = ["ReadRepairs"]


class ReadRepairs(StoreRequest[list[RepairRow]], frozen=True):
    """Rows that were mended: at most 10,000, the newest repair first."""

    dimension: Dimension
    symbol: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    limit: int = 100

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        if self.symbol is not None:
            arguments.text("symbol", self.symbol)
        start, end = arguments.window(self.start, self.end)
        force_setattr(self, "start", start)
        force_setattr(self, "end", end)
        force_setattr(self, "limit", arguments.page("limit", self.limit))

    def on(self, store: Store) -> Coroutine[Any, Any, list[RepairRow]]:
        """Ask a store."""
        return store.repairs(self.dimension, self.symbol, self.start, self.end, self.limit)
