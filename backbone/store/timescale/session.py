"""One connection for the time of one piece of work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import asyncpg

from backbone.store.errors import StoreError
from backbone.store.timescale.failures import BROKEN, KeysStand, rolled_back

__all__ = ["READ", "WRITE", "Session"]

READ = "ISOLATION LEVEL REPEATABLE READ, READ ONLY"
"""One moment for all statements."""

WRITE = "ISOLATION LEVEL READ COMMITTED, READ WRITE"
"""Each statement sees what was committed before it: what an earlier holder of a lock wrote, above all."""

_ROLLBACK_SECONDS = 1.0


class Session:
    """Statements and transactions on a connection that is this piece of work's alone.

    Values are parameters, or such harmless ones as `backbone.store.timescale.values.literal` writes out; of names only
    those of the tables are ever put into SQL.

    Args:
        connection: of the client.
        timeout: seconds for each statement; None: what the connection was made with.

    Attributes:
        committing: a COMMIT that matters was sent and not answered: only the server knows what came of it.
    """

    def __init__(self, connection: Any, timeout: float | None = None) -> None:
        self._connection = connection
        self._timeout = timeout
        self.committing = False

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """All rows of an answer; for small ones."""
        rows: list[Any] = await self._connection.fetch(query, *values, timeout=self._timeout)
        return rows

    async def row(self, query: str, *values: object) -> Any:
        """The first row of an answer, or None."""
        return await self._connection.fetchrow(query, *values, timeout=self._timeout)

    async def value(self, query: str, *values: object) -> Any:
        """The first value of an answer, or None."""
        return await self._connection.fetchval(query, *values, timeout=self._timeout)

    async def change(self, query: str, *values: object) -> int:
        """Carry out a statement; returns how many rows it touched."""
        status: str = await self._connection.execute(query, *values, timeout=self._timeout)
        last = status.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def script(self, statements: str) -> None:
        """Carry out several statements that take no values."""
        await self._connection.execute(statements, timeout=self._timeout)

    async def copy_in(
        self, schema: str | None, table: str, columns: tuple[str, ...], pieces: AsyncIterator[bytes]
    ) -> None:
        """Binary COPY of encoded rows into a table."""
        await self._connection.copy_to_table(table, schema_name=schema, columns=columns, source=pieces, format="binary")

    async def copy_out(self, query: str, pieces: list[bytes]) -> None:
        """Binary COPY of the rows of a statement without parameters; what comes is appended, piece by piece."""

        async def take(piece: bytes) -> None:
            pieces.append(bytes(piece))

        await self._connection.copy_from_query(query, output=take, format="binary")

    @asynccontextmanager
    async def transaction(
        self, mode: str = WRITE, *, first: str | None = None, repeatable: bool = False
    ) -> AsyncIterator[None]:
        """All or nothing.

        Args:
            mode: isolation, and whether anything is written.
            first: a statement without values that goes in one message with BEGIN; it has its own snapshot like any.
            repeatable: carrying it out twice does no harm, so where the answer to its COMMIT is lost it is begun anew
                like after any lost connection, and is never of unknown outcome. What only reads is always so.
        """
        try:
            await self._connection.execute(f"BEGIN {mode}" if first is None else f"BEGIN {mode}; {first}")
            yield
        except (asyncpg.PostgresError, StoreError, ValueError):
            await self._roll_back()
            raise
        # anything else leaves the connection in an unknown state: it is not used again, which rolls back too
        await self._commit(in_doubt=not repeatable and mode != READ)

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """A part of a transaction that may meet a row which stands already: then the part alone is undone.

        Raises:
            KeysStand: it was; the transaction goes on.
        """
        await self._connection.execute("SAVEPOINT attempt")
        try:
            yield
        except asyncpg.UniqueViolationError as error:
            await self._connection.execute("ROLLBACK TO SAVEPOINT attempt")
            raise KeysStand("a row stands already under one of the keys") from error
        await self._connection.execute("RELEASE SAVEPOINT attempt")

    async def _commit(self, *, in_doubt: bool) -> None:
        self.committing = in_doubt
        try:
            status = await self._connection.execute("COMMIT")
        except asyncpg.PostgresError as error:
            self.committing = in_doubt and not rolled_back(error)
            raise
        self.committing = False
        if status != "COMMIT":
            raise StoreError(f"COMMIT was answered by {status}: a statement had failed; nothing was written")

    async def _roll_back(self) -> None:
        """End the transaction where the server answers; where not, the connection is given up, which ends it too."""
        with suppress(*BROKEN), anyio.move_on_after(_ROLLBACK_SECONDS, shield=True):
            await self._connection.execute("ROLLBACK")
