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

from backbone.domain.clock import from_us
from backbone.domain.dimension import Kind
from backbone.domain.stored import frame_of
from backbone.store.duckdb.lane import Lane
from backbone.store.duckdb.part import Part as PartOfStore
from backbone.store.duckdb.selecting import Selection, where
from backbone.store.duckdb.sql import Connection, count, first, parameter, rows_table, table
from backbone.store.errors import SnapshotLost
from backbone.store.merging import DROPS
from backbone.store.snapshots import PART_ROWS, PageSums, Part, PartFacts, PartPage, Parts, Snapshot
from backbone.store.sql import quoted

__all__ = ["Held", "Snapshots"]

T = TypeVar("T")

_MANY = PART_ROWS // 8  # rows behind which it is worth the 10 ms that it takes to give memory back
_PG_EPOCH_US = 946_684_800_000_000
_NULL = "'7FF8000000000001'"
_ZERO = "'0000000000000000'"


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
        """Count what there is, part by part.

        Revisions alone do not tell the rows of a file that was restored from those that were lost by it: both were
        numbered on from the same backup.
        """
        symbol = quoted(parts.dimension.partition_column) if parts.by_symbol else "NULL::VARCHAR"
        naive = "make_timestamp(epoch_us(ts))"
        begin = "NULL" if parts.period == "all" else f"epoch_us(date_trunc('{parts.period}', {naive})::TIMESTAMP)"
        condition, values = where(parts.query)
        columns = ", ".join(quoted(name) for name in parts.dimension.columns)
        statement = f"""
            SELECT {symbol}, {begin}, count(*), epoch_us(min(ts)), epoch_us(max(ts)),
                max(revision), sum(revision::HUGEINT)::VARCHAR, sum(hash({columns})::HUGEINT)::VARCHAR
            FROM {rows_table(parts.dimension)} WHERE {condition} GROUP BY 1, 2 ORDER BY 1, 2
        """  # noqa: S608
        found = await self._at(snapshot, lambda connection: connection.execute(statement, values).fetchall())
        return [
            PartFacts(
                parts.part(symbol, None if begin is None else from_us(begin)),
                rows,
                from_us(earliest),
                from_us(latest),
                f"{rows}-{newest}-{total}-{content}",
            )
            for symbol, begin, rows, earliest, latest, newest, total, content in found
        ]

    async def read_part(
        self, snapshot: str, part: Part, after: Sequence[object] | None = None, limit: int = PART_ROWS
    ) -> PartPage:
        """The next rows, as columns."""
        selection = Selection(part.query)
        statement, values = _page(part, selection, after, limit)

        def read(connection: Connection) -> PartPage:
            rows = table(connection, statement, values)
            return PartPage(frame_of(part.dimension, rows, selection.known), more=rows.num_rows == limit)

        return await self._at(snapshot, read, lambda page: page.frame.num_rows)

    async def sum_part(
        self, snapshot: str, part: Part, after: Sequence[object] | None = None, limit: int = PART_ROWS
    ) -> PageSums:
        """Hashes of the next rows, made by DuckDB."""
        page, values = _page(part, Selection(part.query), after, limit)
        columns, key = part.columns, ", ".join(quoted(name) for name in part.dimension.key if name in part.columns)
        hashes = ", ".join(_hash(part.dimension.kinds[name], quoted(name), key) for name in columns)
        statement = f"SELECT count(*), {hashes} FROM ({page})"  # noqa: S608
        rows, *found = await self._at(snapshot, lambda c: first(c, statement, values), lambda found: found[0])
        return PageSums(rows, {name: bytes.fromhex(text) for name, text in zip(columns, found, strict=True)})

    async def close_snapshot(self, snapshot: str) -> None:
        """End the transaction."""
        held = self._snapshots.pop(snapshot, None)
        if held is not None:
            await self._session.give_back(held.lane)

    async def _at(self, name: str, work: Callable[[Connection], T], rows: Callable[[T], int] = lambda _: 0) -> T:
        """Do a piece of work that sees the moment; what one of many rows has freed goes back at once.

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
            done = work(connection)
            if rows(done) >= _MANY:
                held.lane.give_back()
            return done

        return await held.lane.run(seen)


def _begin(connection: Connection) -> tuple[int, int, int, str, int]:
    """Begin to read: what is looked at first makes the moment stand."""
    connection.begin()
    position = count(connection, "SELECT max(position) FROM telemetry.positions")
    drops = count(connection, "SELECT sum(epoch) FROM telemetry.epochs WHERE source = ?", [DROPS])
    (generation,) = first(connection, "SELECT generation FROM telemetry.identity")
    level = count(connection, "SELECT max(id) FROM telemetry.ledger")
    return count(connection, "SELECT txid_current()"), position, drops, generation, level


def _page(part: Part, selection: Selection, after: Sequence[object] | None, limit: int) -> tuple[str, list[object]]:
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


def _hash(kind: Kind, column: str, key: str) -> str:
    """The hash of a column, in the order of the key."""
    if kind == "string":
        length = f"coalesce(octet_length(encode({column})), -1)::INTEGER"
        parts = [_joined(_bits(length), key), _joined(f"hex(encode({column}))", key)]
        return f"sha256({' || '.join(f'unhex(sha256({part}))' for part in parts)})"
    if kind == "double":
        bits = f"CASE {column} WHEN 0 THEN {_ZERO} ELSE {_bits(column)} END"
        text = f"CASE WHEN {column} IS NULL OR isnan({column}) THEN {_NULL} ELSE {bits} END"
    else:
        text = _bits(f"(epoch_us({column}) - {_PG_EPOCH_US})" if kind == "timestamp" else column)
    return f"sha256({_joined(text, key)})"


def _bits(value: str) -> str:
    """The bits of a number as text, the highest first."""
    return f"hex(CAST(CAST({value} AS BIT) AS BLOB))"


def _joined(text: str, key: str) -> str:
    return f"unhex(coalesce(string_agg({text}, '' ORDER BY {key}), ''))"
