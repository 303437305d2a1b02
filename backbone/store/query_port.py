"""The part of the store's port that answers statements of SQL which only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone.store.statements import Statement

__all__ = ["Queries"]


class Queries(Protocol):
    """Statements of people, beside all else that is asked."""

    async def run_statement(self, statement: Statement) -> pa.Table:
        """The whole answer, of one moment; who writes does not wait for it.

        Raises:
            StatementRefused: it does more than to read the six tables, or the database refuses it.
            TooMuch: it takes more than it may.
        """
        ...

    async def stop_statement(self, name: str) -> None:
        """Interrupt a statement whose asker has gone; one that has ended is no mistake."""
        ...
