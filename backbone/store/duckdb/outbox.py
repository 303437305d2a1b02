"""The outbox: changes in commit order, waiting for the relay. A sequence gives the order, for there is one writer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from backbone.domain.clock import from_us
from backbone.domain.dimension import Dimension
from backbone.domain.hashing import shard_of
from backbone.store.duckdb.cursors import published
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.sql import Connection, count, first, given, moment, table
from backbone.store.errors import PositionLost
from backbone.store.payloads import Origin, Payload
from backbone.store.records import OutboxRow, OutboxStatus

__all__ = ["Outbox", "append", "place", "position_of"]


class Outbox(Part):
    """The changes that wait, as the relay sees them."""

    @question
    def read_outbox(
        self, connection: Connection, after: int, limit: int = 500, *, whole: bool = False, max_bytes: int = 8 * 2**20
    ) -> list[OutboxRow]:
        """Rows after a position; sizes are looked at before payloads, so that memory stays bounded too."""
        if whole and after < count(connection, "SELECT position FROM telemetry.pruned"):
            raise PositionLost.of(after)
        sizes = table(
            connection,
            "SELECT position, bytes FROM telemetry.outbox WHERE position > ? ORDER BY position LIMIT ?",
            [after, limit],
        )
        if not sizes.num_rows:
            return []
        fitting = int(np.searchsorted(np.cumsum(sizes.column("bytes").to_numpy()), max_bytes, side="right"))
        last = sizes.column("position")[max(0, fitting - 1)].as_py()
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
        return [
            OutboxRow(position, event, ingest, Dimension(dimension), symbol, rows, revision, payload, from_us(at), sum_)
            for position, event, ingest, dimension, symbol, rows, revision, payload, at, sum_ in zip(
                *columns, strict=True
            )
        ]

    @question
    def outbox_status(self, connection: Connection) -> OutboxStatus:
        """How far the relay is behind."""
        at = published(connection)
        pending, oldest = first(
            connection, "SELECT count(*), epoch_us(min(created_at)) FROM telemetry.outbox WHERE position > ?", [at]
        )
        newest = count(connection, "SELECT max(position) FROM telemetry.positions")
        return OutboxStatus(newest=newest, cursor=at, pending=pending, oldest_pending_at=moment(oldest))

    @question
    def symbols(self, connection: Connection, dimension: Dimension) -> list[str]:
        """Symbols of a dimension that have a position, ascending."""
        found = connection.execute(
            "SELECT symbol FROM telemetry.positions WHERE dimension = ? ORDER BY symbol", [dimension.value]
        ).fetchall()
        return [symbol for (symbol,) in found]


def append(connection: Connection, dimension: Dimension, payloads: Sequence[Payload], origin: Origin) -> int:
    """Append payloads in the order given and return the position of the last one."""
    reserved = connection.execute(
        "SELECT nextval('telemetry.outbox_position') FROM range(?)", [len(payloads)]
    ).fetchall()
    positions = sorted(position for (position,) in reserved)
    rows = pa.table(
        {
            "position": pa.array(positions, pa.int64()),
            "event_id": [payload.event_id for payload in payloads],
            "symbol": [payload.symbol for payload in payloads],
            "rows": pa.array([payload.rows for payload in payloads], pa.int64()),
            "payload": pa.array([payload.data for payload in payloads], pa.binary()),
            "shard": pa.array([shard_of(payload.symbol) for payload in payloads], pa.int32()),
            "checksum": pa.array([payload.checksum for payload in payloads], pa.int64()),
        }
    )
    with given(connection, "outgoing", rows):
        connection.execute(
            """
            INSERT INTO telemetry.outbox
            SELECT position, event_id, ?, ?, symbol, rows, ?, octet_length(payload), payload, make_timestamptz(?),
                   shard, checksum
            FROM outgoing
            """,
            [origin.ingest_id, dimension.value, origin.revision, origin.ingested_at_us],
        )
        connection.execute(
            """
            INSERT INTO telemetry.positions SELECT ?, symbol, max(position) FROM outgoing GROUP BY symbol
            ON CONFLICT DO UPDATE SET position = excluded.position
            """,
            [dimension.value],
        )
    return int(positions[-1])


def position_of(connection: Connection, dimension: Dimension, symbols: Sequence[str]) -> int:
    """Newest position of a dimension and symbols (empty: all), 0 if there is none."""
    query = "SELECT max(position) FROM telemetry.positions WHERE dimension = ?"
    if symbols:
        return count(connection, f"{query} AND list_contains(?, symbol)", [dimension.value, list(symbols)])
    return count(connection, query, [dimension.value])


def place(connection: Connection) -> None:
    """Fill in the shards of rows that were written before there were any."""
    found = connection.execute("SELECT DISTINCT symbol FROM telemetry.outbox WHERE shard IS NULL").fetchall()
    names = [symbol for (symbol,) in found]
    shards = pa.table({"symbol": pa.array(names, pa.string()), "shard": pa.array(map(shard_of, names), pa.int32())})
    with given(connection, "shards", shards):
        connection.execute("UPDATE telemetry.outbox o SET shard = s.shard FROM shards s WHERE s.symbol = o.symbol")
