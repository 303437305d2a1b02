"""What the store's actor is asked by who finds gaps, fills them, and explains a row."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from msgspec.structs import force_setattr

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.store.port import Store
from backbone.store.request import StoreRequest
from backbone.store.tracing import Trace

__all__ = ["ReadTallies", "TraceRow", "VoidLedger"]


class ReadTallies(StoreRequest[object], frozen=True):
    """How many rows each quarter of an hour has: a dict of numpy arrays by symbol and interval, see the port."""

    dimension: Dimension
    start: datetime
    end: datetime
    symbols: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        start, end = arguments.window(self.start, self.end)
        force_setattr(self, "start", arguments.instance("start", start, datetime))
        force_setattr(self, "end", arguments.instance("end", end, datetime))
        force_setattr(self, "symbols", arguments.symbols(self.symbols))

    def on(self, store: Store) -> Coroutine[Any, Any, object]:
        """Ask a store."""
        return store.tallies(self.dimension, self.start, self.end, symbols=self.symbols)


class VoidLedger(StoreRequest[int], frozen=True):
    """Let nothing pass as known over a range any more; answered by how many entries of the ledger were voided."""

    dimension: Dimension
    symbol: str
    interval: str | None
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        arguments.text("symbol", self.symbol)
        arguments.interval(self.interval)
        start, end = arguments.window(self.start, self.end)
        force_setattr(self, "start", arguments.instance("start", start, datetime))
        force_setattr(self, "end", arguments.instance("end", end, datetime))

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.void(self.dimension, self.symbol, self.interval, self.start, self.end)


class TraceRow(StoreRequest[Trace], frozen=True):
    """How the rows of a symbol at a moment came to be as they are."""

    dimension: Dimension
    symbol: str
    ts: datetime

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        arguments.text("symbol", self.symbol)
        force_setattr(self, "ts", arguments.instance("ts", arguments.moment("ts", self.ts), datetime))

    def on(self, store: Store) -> Coroutine[Any, Any, Trace]:
        """Ask a store."""
        return store.trace(self.dimension, self.symbol, self.ts)
