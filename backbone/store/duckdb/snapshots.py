"""One moment of the database: a transaction that only reads, on a connection of its own.

DuckDB can't show two connections the same moment, so parts are read one after the other, each by all of its threads.
While it stands the write-ahead log is not folded into the file, which is why it has to end.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import anyio
import pyarrow as pa

from backbone.domain.stored import frame_of
from backbone.store.duckdb.finding import parts_of
from backbone.store.duckdb.lane import Lane
from backbone.store.duckdb.part import Part as PartOfStore
from backbone.store.duckdb.selecting import Selection
from backbone.store.duckdb.sql import Connection, count, first, parameter, table
from backbone.store.duckdb.sums import hashes_of, told
from backbone.store.errors import SnapshotLost
from backbone.store.merging import DROPS
from backbone.store.snapshots import PART_ROWS, PageSums, Part, PartFacts, PartPage, Parts, Snapshot
from backbone.store.sql import quoted

__all__ = ["Held", "Snapshots"]

T = TypeVar("T")
Page = tuple[str, list[object]]

_MANY = PART_ROWS // 8  # rows behind which it is worth the 10 ms that it takes to give memory back


@dataclass(frozen=True, slots=True)
class Held:
    """One moment.

    Attributes:
        owner: who reads.
        seconds: for which it is held.
        until: when that ends, by the loop's clock.
        lane: the connection.
        transaction: its number; another one sees another moment.
    """

    owner: str
    seconds: float
    until: float
    lane: Lane
    transaction: int


class Snapshots(PartOfStore):
    """Moments that somebody reads."""

    _snapshots: dict[str, Held]

    async def open_snapshot(self, owner: str, seconds: float, readers: int = 1) -> Snapshot:  # noqa: ARG002
        """Hold this moment; there is one reader, however many were asked for."""
        for name in [name for name, held in self._snapshots.items() if held.owner == owner]:
            await self.close_snapshot(name)
        lane, until, name = self._session.apart(seconds), anyio.current_time() + seconds, secrets.token_hex(8)
        whole = False
        try:
            transaction, position, drops, generation, level = await lane.run(_begin)
            whole = True
        finally:
            if not whole:
                await self._session.give_back(lane)
        self._snapshots[name] = Held(owner, seconds, until, lane, transaction)
        return Snapshot(name, position, drops, generation, 1, level)

    async def find_parts(self, snapshot: str, parts: Parts) -> list[PartFacts]:
        """Count what there is, part by part."""
        return await self._at(snapshot, lambda connection, lane: parts_of(connection, parts, lane.give_back))

    async def read_part(
        self, snapshot: str, part: Part, after: Sequence[object] | None = None, limit: int = PART_ROWS
    ) -> PartPage:
        """The next rows, as columns."""
        selection = Selection(part.query)

        def made(rows: pa.Table) -> PartPage:
            return PartPage(frame_of(part.dimension, rows, selection.known), more=rows.num_rows == limit)

        return await self._page_at(snapshot, _page(part, selection, after, limit), made)

    async def sum_part(
        self, snapshot: str, part: Part, after: Sequence[object] | None = None, limit: int = PART_ROWS
    ) -> PageSums:
        """Hashes of the next rows, of their values as DuckDB tells them."""
        dimension, columns = part.dimension, part.columns
        page, values = _page(part, Selection(part.query), after, limit)
        # told of a page that was made: to sort what is told takes twice the time, and memory
        statement = f"SELECT {told(dimension, columns)} FROM ({page})"  # noqa: S608
        return await self._page_at(
            snapshot,
            (statement, values),
            lambda rows: PageSums(rows.num_rows, hashes_of(dimension, columns, rows)),
        )

    async def close_snapshot(self, snapshot: str) -> None:
        """End the transaction."""
        held = self._snapshots.pop(snapshot, None)
        if held is not None:
            await self._session.give_back(held.lane)

    async def _at(self, name: str, work: Callable[[Connection, Lane], T]) -> T:
        """Do a piece of work that sees the moment.

        Raises:
            SnapshotLost: it stands no more.
        """
        held = self._snapshots.get(name)
        if held is None:
            raise SnapshotLost.gone()
        if anyio.current_time() >= held.until:
            await self.close_snapshot(name)
            raise SnapshotLost.after(held.seconds)

        def seen(connection: Connection) -> T:
            if count(connection, "SELECT txid_current()") != held.transaction:  # an error has ended the transaction
                raise SnapshotLost.gone()
            return work(connection, held.lane)

        return await held.lane.run(seen)

    async def _page_at(self, name: str, page: Page, made: Callable[[pa.Table], T]) -> T:
        """What is made of a page; what one of many rows has freed goes back at once."""

        def work(connection: Connection, lane: Lane) -> T:
            rows = table(connection, *page)
            done = made(rows)
            if rows.num_rows >= _MANY:
                del rows
                lane.give_back()
            return done

        return await self._at(name, work)


def _begin(connection: Connection) -> tuple[int, int, int, str, int]:
    """Begin to read: what is looked at first makes the moment stand."""
    connection.begin()
    position = count(connection, "SELECT max(position) FROM telemetry.positions")
    drops = count(connection, "SELECT sum(epoch) FROM telemetry.epochs WHERE source = ?", [DROPS])
    (generation,) = first(connection, "SELECT generation FROM telemetry.identity")
    level = count(connection, "SELECT max(id) FROM telemetry.ledger")
    return count(connection, "SELECT txid_current()"), position, drops, generation, level


def _page(part: Part, selection: Selection, after: Sequence[object] | None, limit: int) -> Page:
    """The statement that gives the next rows, and the values for its marks."""
    rows, values = selection.standing()
    free = [name for name in part.dimension.key if name in part.columns]
    condition = "true"
    if after is not None:
        last = dict(zip(part.dimension.key, after, strict=True))
        marks = ", ".join("make_timestamptz(?)" if name == "ts" else "?" for name in free)
        condition = f"({', '.join(map(quoted, free))}) > ({marks})"
        values += [_plain(last[name]) for name in free]
        if free[0] == "ts":  # parts of the table are passed over by it
            condition += " AND ts >= make_timestamptz(?)"
            values.append(_plain(last["ts"]))
    order = ", ".join(map(quoted, free))
    return f"SELECT * FROM ({rows}) WHERE {condition} ORDER BY {order} LIMIT ?", [*values, limit]  # noqa: S608


def _plain(value: object) -> object:
    return parameter(value) if isinstance(value, datetime) else value
