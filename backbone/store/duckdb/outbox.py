"""The outbox: changes in commit order, waiting for the relay. A sequence gives the order, for there is one writer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.clock import from_us
from backbone.domain.dimension import Dimension
from backbone.domain.hashing import shard_of
from backbone.domain.values import numpy_of
from backbone.store.duckdb.cursors import cursor_of, published
from backbone.store.duckdb.numbers import Numbers
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.parts import LARGEST_WHOLE, Parts
from backbone.store.duckdb.putting import MOMENT, Columns, put, rows_of
from backbone.store.duckdb.sql import Connection, count, first, given, moment, table
from backbone.store.errors import CursorSetBack, PositionLost
from backbone.store.payloads import Origin, Payload
from backbone.store.records import OutboxRow, OutboxStatus, Reached

__all__ = ["PARTS", "Outbox", "append", "place", "position_of"]

PARTS: Final = Parts("telemetry.outbox_parts", "position")
"""Of payloads."""

_PAYLOAD = 7  # of the columns that `_between` asks for


class Outbox(Part):
    """The changes that wait, as the relay sees them."""

    @question("delivery")
    def read_outbox(
        self,
        connection: Connection,
        after: int,
        limit: int = 500,
        *,
        whole: bool = False,
        max_bytes: int = 8 * 2**20,
        sink: str = "",
        known: int = 0,
    ) -> list[OutboxRow]:
        """Rows after a position; sizes are looked at before payloads, so that memory stays bounded too."""
        if known and (stored := cursor_of(connection, sink)) < known:
            raise CursorSetBack.of(f"{sink}, shard 0", known, stored)
        last = _fitting(connection, after, limit, max_bytes)
        rows = _between(connection, after, last) if last else []
        # only now, for they may be pruned between two looks; one transaction would take a third more time
        if whole and after < count(connection, "SELECT position FROM telemetry.pruned"):
            raise PositionLost.of(after)
        return rows

    @question("delivery", looks=True)
    def reached(self, connection: Connection) -> Reached:
        """How far the database has come."""
        return Reached(count(connection, "SELECT max(position) FROM telemetry.positions"))

    @question("delivery", looks=True)
    def outbox_status(self, connection: Connection, sink: str = "") -> OutboxStatus:
        """How far a sink is behind, or the last of them."""
        at = published(connection, sink)
        newest = count(connection, "SELECT max(position) FROM telemetry.positions")
        pending, oldest = 0, None
        if newest > at:
            pending, oldest = first(
                connection, "SELECT count(*), epoch_us(min(created_at)) FROM telemetry.outbox WHERE position > ?", [at]
            )
        return OutboxStatus(newest=newest, cursor=at, pending=pending, oldest_pending_at=moment(oldest))

    @question("delivery")
    def symbols(self, connection: Connection, dimension: Dimension) -> list[str]:
        """Symbols of a dimension that have a position, ascending."""
        found = connection.execute(
            "SELECT symbol FROM telemetry.positions WHERE dimension = ? ORDER BY symbol", [dimension.value]
        ).fetchall()
        return [symbol for (symbol,) in found]


def _fitting(connection: Connection, after: int, limit: int, max_bytes: int) -> int:
    """The last of the rows behind a position that fit, or the first; 0: there is none. No payload is looked at."""
    sizes = table(
        connection,
        "SELECT position, bytes FROM telemetry.outbox WHERE position > ? ORDER BY position LIMIT ?",
        [after, limit],
    )
    if not sizes.num_rows:
        return 0
    fitting = int(np.searchsorted(np.cumsum(numpy_of(sizes.column("bytes"))), max_bytes, side="right"))
    return int(sizes.column("position")[max(0, fitting - 1)].as_py())


def _between(connection: Connection, after: int, last: int) -> list[OutboxRow]:
    """The rows behind a position up to another one, with payloads."""
    rows = table(
        connection,
        """
        SELECT position, event_id, ingest_id, dimension, symbol, rows, revision, payload,
               epoch_us(created_at) AS created_us, checksum
        FROM telemetry.outbox WHERE position > ? AND position <= ? ORDER BY position
        """,
        [after, last],
    )
    columns = [column.to_pylist() for column in rows.columns]
    large = {} if all(columns[_PAYLOAD]) else PARTS.between(connection, after, last)
    return [
        OutboxRow(
            position,
            event,
            ingest,
            Dimension(dimension),
            symbol,
            rows,
            revision,
            payload or large.get(position, payload),  # without its parts it is damaged, and told by who reads it
            from_us(at),
            sum_,
        )
        for position, event, ingest, dimension, symbol, rows, revision, payload, at, sum_ in zip(*columns, strict=True)
    ]


def append(
    connection: Connection, numbers: Numbers, dimension: Dimension, payloads: Sequence[Payload], origin: Origin
) -> list[OutboxRow]:
    """Append payloads in the order given."""
    positions = numbers.take(connection, "outbox_position", len(payloads))
    at, ingest, revision = from_us(origin.ingested_at_us), origin.ingest_id, origin.revision
    rows = [
        OutboxRow(
            position, each.event_id, ingest, dimension, each.symbol, each.rows, revision, each.data, at, each.checksum
        )
        for position, each in zip(positions, payloads, strict=True)
    ]
    put(connection, "telemetry.outbox", _columns(rows, origin.ingested_at_us))
    PARTS.keep(connection, [(row.position, row.payload) for row in rows if len(row.payload) > LARGEST_WHOLE])
    _move(connection, dimension, {row.symbol: row.position for row in rows})
    return rows


def _columns(rows: Sequence[OutboxRow], at_us: int) -> Columns:
    text, number = pa.string(), pa.int64()
    return {
        "position": (number, [row.position for row in rows]),
        "event_id": (text, [row.event_id for row in rows]),
        "ingest_id": (text, [row.ingest_id for row in rows]),
        "dimension": (text, [row.dimension.value for row in rows]),
        "symbol": (text, [row.symbol for row in rows]),
        "rows": (number, [row.rows for row in rows]),
        "revision": (number, [row.revision for row in rows]),
        "bytes": (number, [len(row.payload) for row in rows]),
        "payload": (pa.binary(), [row.payload if len(row.payload) <= LARGEST_WHOLE else b"" for row in rows]),
        "created_at": (MOMENT, [at_us] * len(rows)),
        "shard": (pa.int32(), [shard_of(row.symbol) for row in rows]),
        "checksum": (number, [row.checksum for row in rows]),
    }


def _move(connection: Connection, dimension: Dimension, positions: dict[str, int]) -> None:
    """Set the newest position of symbols: most have one, and to update is cheaper than to ask which."""
    symbols, values = list(positions), list(positions.values())
    if len(positions) == 1:
        moved = count(
            connection,
            "UPDATE telemetry.positions SET position = ? WHERE dimension = ? AND symbol = ?",
            [*values, dimension.value, *symbols],
        )
        if not moved:
            connection.execute("INSERT INTO telemetry.positions VALUES (?, ?, ?)", [dimension.value, *symbols, *values])
        return
    moves: Columns = {"symbol": (pa.string(), symbols), "position": (pa.int64(), values)}
    newest = rows_of(moves)
    moved = count(
        connection,
        f"""
        UPDATE telemetry.positions SET position = newest.position FROM ({newest}) AS newest
        WHERE dimension = ? AND positions.symbol = newest.symbol
        """,  # noqa: S608
        [symbols, values, dimension.value],
    )
    if moved < len(positions):
        connection.execute(
            f"INSERT INTO telemetry.positions SELECT ?, symbol, position FROM ({newest}) ON CONFLICT DO NOTHING",  # noqa: S608
            [dimension.value, symbols, values],
        )


def position_of(connection: Connection, dimension: Dimension, symbols: Sequence[str]) -> int:
    """Newest position of a dimension and symbols (empty: all), 0 if there is none."""
    query = "SELECT max(position) FROM telemetry.positions WHERE dimension = ?"
    if len(symbols) == 1:
        return count(connection, f"{query} AND symbol = ?", [dimension.value, *symbols])
    if symbols:
        return count(connection, f"{query} AND list_contains(?, symbol)", [dimension.value, list(symbols)])
    return count(connection, query, [dimension.value])


def place(connection: Connection) -> None:
    """Fill in the shards of rows that were written before there were any."""
    found = connection.execute("SELECT DISTINCT symbol FROM telemetry.outbox WHERE shard IS NULL").fetchall()
    names = [symbol for (symbol,) in found]
    if not names:
        return
    shards = pa.table({"symbol": array_of(names, pa.string()), "shard": array_of(map(shard_of, names), pa.int32())})
    with given(connection, "shards", shards):
        connection.execute("UPDATE telemetry.outbox o SET shard = s.shard FROM shards s WHERE s.symbol = o.symbol")
