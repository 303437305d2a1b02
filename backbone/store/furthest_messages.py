"""What is asked of how far rows go."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import force_setattr

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.store.port import Store
from backbone.store.records import Latest
from backbone.store.request import StoreRequest

__all__ = ["ReadLatest"]


class ReadLatest(StoreRequest[list[Latest]], frozen=True):
    """The newest moment of each symbol and interval of a dimension, or of some of its symbols."""

    dimension: Dimension
    symbols: Sequence[str] = ()
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        force_setattr(self, "symbols", arguments.symbols(self.symbols))
        force_setattr(self, "as_of", arguments.moment("as_of", self.as_of))

    def on(self, store: Store) -> Coroutine[Any, Any, list[Latest]]:
        """Ask a store."""
        return store.latest(self.dimension, self.symbols, self.as_of)
