"""What the store's actor is asked about bad rows: to keep them, to show them, to forget them."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import force_setattr

from backbone.domain import arguments
from backbone.store.port import Store
from backbone.store.records import QuarantineRow
from backbone.store.request import StoreRequest

__all__ = ["ClearQuarantine", "DeleteQuarantine", "FindQuarantine", "QuarantineRows", "ReadQuarantine"]


class QuarantineRows(StoreRequest[int], frozen=True):
    """Keep bad rows; answered by how many are new."""

    rows: Sequence[QuarantineRow]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        for row in self.rows:
            arguments.instance("rows", row, QuarantineRow)

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.quarantine(self.rows)


class ReadQuarantine(StoreRequest[list[QuarantineRow]], frozen=True):
    """A page of the newest bad rows: at most 10,000 of them, behind those that are skipped."""

    limit: int = 100
    skip: int = 0

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        force_setattr(self, "limit", arguments.page("limit", self.limit))
        force_setattr(self, "skip", arguments.count("skip", self.skip))

    def on(self, store: Store) -> Coroutine[Any, Any, list[QuarantineRow]]:
        """Ask a store."""
        return store.quarantined(self.limit, self.skip)


class FindQuarantine(StoreRequest[list[QuarantineRow]], frozen=True):
    """Bad rows by their ids; those that are not there are left out."""

    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        force_setattr(self, "ids", arguments.texts("ids", self.ids))

    def on(self, store: Store) -> Coroutine[Any, Any, list[QuarantineRow]]:
        """Ask a store."""
        return store.quarantined_at(self.ids)


class DeleteQuarantine(StoreRequest[int], frozen=True):
    """Forget bad rows; answered by how many were there."""

    rows: Sequence[QuarantineRow]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        for row in self.rows:
            arguments.instance("rows", row, QuarantineRow)

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.delete_quarantined(self.rows)


class ClearQuarantine(StoreRequest[int], frozen=True):
    """Forget the bad rows that were met up to a moment; answered by how many went: fewer than `most`, that was all."""

    until: datetime
    most: int

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        force_setattr(self, "until", arguments.instance("until", arguments.moment("until", self.until), datetime))
        force_setattr(self, "most", arguments.count("most", self.most, 1))

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.clear_quarantine(self.until, self.most)
