"""What the store's actor is asked about what somebody holds of it as of an earlier moment."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from backbone.domain import arguments
from backbone.store.port import Store
from backbone.store.records import Query
from backbone.store.request import StoreRequest
from backbone.store.since import Since, SinceResult

__all__ = ["NoteExport", "ReadSince"]


class NoteExport(StoreRequest[None], frozen=True):
    """Keep that an export was published, and of which moment it is."""

    token: str
    level: int

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("token", self.token)
        arguments.count("level", self.level)

    def on(self, store: Store) -> Coroutine[Any, Any, None]:
        """Ask a store."""
        return store.note_export(self.token, self.level)


class ReadSince(StoreRequest[SinceResult], frozen=True):
    """What of a window has changed since a moment, and the rows of that."""

    query: Query
    since: Since

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("query", self.query, Query)
        arguments.instance("since", self.since, Since)
        asked = self.query
        if not asked.symbols or any(each is not None for each in (asked.limit, asked.as_of, asked.bucket)):
            raise ValueError(f"query={arguments.shown(asked)} given; allowed are symbols, interval, start and end")

    def on(self, store: Store) -> Coroutine[Any, Any, SinceResult]:
        """Ask a store."""
        return store.read_since(self.query, self.since)
