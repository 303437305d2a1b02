"""One moment of the database, read over connections of its own.

The first of them exports its snapshot, and the others begin with it. All stay in a transaction that only reads: it has
no number, so that the outbox's horizon does not wait for it. What was deleted or replaced meanwhile can't be vacuumed
away, though, which is why the server itself ends such a transaction after the time that was asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import anyio
import asyncpg

from backbone.domain.frame import Frame
from backbone.store.errors import SnapshotLost
from backbone.store.merging import DROPS
from backbone.store.snapshots import PART_ROWS, PageSums, Part, PartFacts, PartPage, Parts, Snapshot
from backbone.store.sql import quoted
from backbone.store.timescale.columns import table_of
from backbone.store.timescale.failures import BROKEN
from backbone.store.timescale.part import Part as PartOfStore
from backbone.store.timescale.selecting import Selection
from backbone.store.timescale.server import server_of
from backbone.store.timescale.session import READ, Session

__all__ = ["Held", "Snapshots"]

_BOUNDED_SINCE: Final = 17  # the major version that ends a transaction by the time it lasts
_STANDS: Final = """
    SELECT (SELECT coalesce(max(position), 0) FROM telemetry.positions),
        (SELECT coalesce(sum(epoch), 0)::bigint FROM telemetry.epochs WHERE source = $1),
        (SELECT generation FROM telemetry.identity),
        telemetry.revision_of(pg_snapshot_xmin(pg_current_snapshot())) - 1
"""


@dataclass(slots=True)
class Held:
    """One moment.

    Attributes:
        owner: who reads.
        seconds: for which it is held.
        until: when that ends, by the loop's clock.
        turns: one for each connection.
        connections: all of them, each in a transaction that sees the moment.
        free: those that nobody uses.
    """

    owner: str
    seconds: float
    until: float
    turns: anyio.Semaphore
    connections: list[Any] = field(default_factory=list)
    free: list[Any] = field(default_factory=list)

    def drop(self) -> None:
        """Cut the connections, which ends the transactions, without waiting."""
        for connection in self.connections:
            connection.terminate()


class Snapshots(PartOfStore):
    """Moments that somebody reads."""

    _snapshots: dict[str, Held]

    async def open_snapshot(self, owner: str, seconds: float, readers: int = 1) -> Snapshot:
        """Hold this moment on so many connections."""
        for name in [name for name, held in self._snapshots.items() if held.owner == owner]:
            self._let_go_of(name)
        held = Held(owner, seconds, anyio.current_time() + seconds, anyio.Semaphore(readers))
        whole = False
        try:
            snapshot = await self._opened(held, readers)
            whole = True
        except (*BROKEN, TimeoutError) as error:
            raise self._database.explained(error) from error
        finally:
            if not whole:
                held.drop()
        self._snapshots[snapshot.name] = held
        return snapshot

    async def _opened(self, held: Held, readers: int) -> Snapshot:
        with anyio.fail_after(self._bounds.connect_timeout + self._bounds.deadline):
            first = await self._connected(held)
            session = Session(first)
            server = await server_of(session)  # a server that does not tell would end the transaction
            await first.execute(f"BEGIN {READ}")
            position, drops, generation, level = await session.row(_STANDS, DROPS)
            if readers > 1:
                exported = str(await session.value("SELECT pg_export_snapshot()")).replace("'", "''")
                for _ in range(readers - 1):
                    another = await self._connected(held)
                    await another.execute(f"BEGIN {READ}")
                    await another.execute(f"SET TRANSACTION SNAPSHOT '{exported}'")
            for connection in held.connections:
                await connection.execute("SAVEPOINT began")
        held.free = list(held.connections)
        return Snapshot(secrets.token_hex(8), position, drops, f"{generation} {server}".strip(), readers, level)

    async def _connected(self, held: Held) -> Any:
        connection = await self._database.apart(held.seconds)
        held.connections.append(connection)
        bounds = ["statement_timeout", "idle_in_transaction_session_timeout"]
        if connection.get_server_version().major >= _BOUNDED_SINCE:
            bounds.append("transaction_timeout")
        limit = max(1, round(1000 * held.seconds))
        await connection.execute("; ".join(f"SET {name} = {limit}" for name in bounds))
        return connection

    async def find_parts(self, snapshot: str, parts: Parts) -> list[PartFacts]:
        """Count what there is, part by part."""
        dimension = parts.dimension
        selection = Selection(self._tables, parts.query)
        symbol = quoted(dimension.partition_column) if parts.by_symbol else "NULL::text"
        begin = "NULL::timestamp" if parts.period == "all" else f"date_trunc('{parts.period}', ts AT TIME ZONE 'UTC')"
        statement = f"""
            SELECT {symbol}, {begin}, count(*), min(ts), max(ts), max(revision), sum(revision)::text
            FROM {self._tables.rows(dimension)} WHERE {selection.condition()} GROUP BY 1, 2 ORDER BY 1, 2
        """  # noqa: S608
        async with self._reader(snapshot) as session:
            found = await session.fetch(statement, *selection.values)
        return [
            PartFacts(parts.part(symbol, _moment(begin)), rows, earliest, latest, f"{rows}-{newest}-{total}")
            for symbol, begin, rows, earliest, latest, newest, total in found
        ]

    async def read_part(
        self, snapshot: str, part: Part, after: Sequence[object] | None = None, limit: int = PART_ROWS
    ) -> PartPage:
        """The next rows, as columns."""
        selection = Selection(self._tables, part.query)
        statement = selection.page(after, limit)
        async with self._reader(snapshot) as session:
            answer = tuple(await session.row(statement, *selection.values))
        table = await self._workers.run(answer[0], table_of, part.dimension, selection.known, answer)
        return PartPage(Frame.of_canonical(part.dimension, table), more=answer[0] == limit)

    async def sum_part(
        self, snapshot: str, part: Part, after: Sequence[object] | None = None, limit: int = PART_ROWS
    ) -> PageSums:
        """Hashes of the next rows, made by the server."""
        selection = Selection(self._tables, part.query)
        statement = selection.page_sums(after, limit)
        async with self._reader(snapshot) as session:
            rows, *hashes = await session.row(statement, *selection.values)
        return PageSums(rows, dict(zip(part.columns, hashes, strict=True)))

    async def close_snapshot(self, snapshot: str) -> None:
        """Let go of the connections."""
        self._let_go_of(snapshot)

    def drop_snapshots(self) -> None:
        """Let go of all of them, without waiting."""
        for name in list(self._snapshots):
            self._let_go_of(name)

    def _let_go_of(self, name: str) -> None:
        held = self._snapshots.pop(name, None)
        if held is not None:
            held.drop()

    @asynccontextmanager
    async def _reader(self, name: str) -> AsyncIterator[Session]:
        """A connection that sees the moment; a statement that fails leaves it as it was, a lost connection ends it."""
        held = self._snapshots.get(name)
        if held is None:
            raise SnapshotLost.gone()
        async with held.turns:
            sound = False
            try:
                with anyio.fail_after(max(0.0, held.until - anyio.current_time())):
                    connection = held.free.pop()
                    try:
                        yield Session(connection)
                    except asyncpg.PostgresError:
                        await connection.execute("ROLLBACK TO SAVEPOINT began")
                        raise
                    finally:
                        held.free.append(connection)
                sound = True
            except ValueError:
                sound = True
                raise
            except (*BROKEN, TimeoutError) as error:
                sound = not any(each.is_closed() for each in held.connections)
                if anyio.current_time() >= held.until:
                    sound = False
                    raise SnapshotLost.after(held.seconds) from error
                raise self._database.explained(error) from error
            finally:
                if not sound:
                    self._let_go_of(name)


def _moment(begin: datetime | None) -> datetime | None:
    return None if begin is None else begin.replace(tzinfo=UTC)
