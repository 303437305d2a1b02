"""What the store's actor is asked by people, in SQL."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from backbone.domain import arguments
from backbone.store.port import Store
from backbone.store.request import StoreRequest
from backbone.store.statements import Statement

__all__ = ["RunStatement", "StopStatement"]


class RunStatement(StoreRequest[Any], frozen=True):
    """The answer to a statement, as an Arrow table."""

    statement: Statement

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("statement", self.statement, Statement)

    def on(self, store: Store) -> Coroutine[Any, Any, Any]:
        """Ask a store."""
        return store.run_statement(self.statement)


class StopStatement(StoreRequest[None], frozen=True):
    """Nobody waits for that one any more."""

    name: str

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("name", self.name)

    def on(self, store: Store) -> Coroutine[Any, Any, None]:
        """Ask a store."""
        return store.stop_statement(self.name)
