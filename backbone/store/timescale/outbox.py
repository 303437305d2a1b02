"""The outbox: changes in commit order, waiting for the relay.

A position is the number of the transaction (64 bits, never used twice) shifted by 17 bits, plus the number of the row
in it. It is known before the COMMIT, needs no lock across symbols, and is read so that nothing is ever passed over:

- Of one symbol, positions ascend in commit order: a writer has its number only once it holds the lock of the symbol's
  shard, and holds that until its COMMIT is visible.
- Across symbols they may not: a transaction with a smaller number may commit after one with a greater. So readers see
  only positions below the horizon, the smallest number still under way in the snapshot they read with. All below it
  has ended for good, so whoever has seen position p never meets a smaller one later.

The price: a transaction that stays open holds the horizon back, whatever it does. That shows as the age of the oldest
unpublished row beside that of the oldest open transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.dimension import Dimension
from backbone.domain.hashing import shard_of
from backbone.domain.values import python_of
from backbone.store.errors import CursorSetBack, PositionLost, StoreError
from backbone.store.payloads import Origin, Payload
from backbone.store.records import OutboxRow, OutboxStatus, Reached
from backbone.store.timescale.combined import Combined
from backbone.store.timescale.copying import Bytes, Field, Rows, Stream, constant, int4
from backbone.store.timescale.counting import ROW_BITS
from backbone.store.timescale.cursors import PUBLISHED
from backbone.store.timescale.few import FEW_ROWS
from backbone.store.timescale.holding import holder
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.server import server_of
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import MAX_BIGINT, plain
from backbone.store.timescale.workers import Workers

__all__ = ["HORIZON", "Batch", "Outbox", "batch_of", "first_position", "move", "place"]

_LONG: Final = timedelta(seconds=1)  # our own transactions are open for moments
_FEW_BYTES: Final = 256 * 1024
_MOST_ROWS: Final = 1 << ROW_BITS
_DIMENSIONS: Final = {each.value: each for each in Dimension}  # to ask the class takes a microsecond for each row

HORIZON: Final = f"(telemetry.revision_of(pg_snapshot_xmin(pg_current_snapshot())) << {ROW_BITS})"
"""The first position that a reader of this snapshot may not see yet."""

_STATUS: Final = f"""
SELECT (SELECT max(position) FROM telemetry.positions), c.position, count(o.position), min(o.created_at),
    pg_is_in_recovery()
FROM (
    SELECT CASE $1::text WHEN '' THEN {PUBLISHED}
        ELSE (SELECT coalesce(min(position), 0) FROM telemetry.cursors WHERE sink = $1) END AS position
) AS c
LEFT JOIN telemetry.outbox o ON o.position > c.position GROUP BY c.position
"""  # noqa: S608


_BEHIND: Final = """
SELECT p.position, coalesce((SELECT c.position FROM telemetry.cursors c WHERE c.sink = $1 AND c.shard = 0), 0)
FROM telemetry.pruned p
"""


class Outbox(Part):
    """The changes that wait, as the relay sees them."""

    @question
    async def read_outbox(
        self,
        session: Session,
        after: int,
        limit: int = 500,
        *,
        whole: bool = False,
        max_bytes: int = 8 * 2**20,
        sink: str = "",
        known: int = 0,
    ) -> list[OutboxRow]:
        """Rows after a position and below the horizon; payloads are fetched only of those that fit."""
        rows = await session.fetch(
            f"""
            WITH sizes AS (
                SELECT position, sum(bytes) OVER (ORDER BY position) AS total,
                    row_number() OVER (ORDER BY position) AS n
                FROM (
                    SELECT position, bytes FROM telemetry.outbox
                    WHERE position > $1 AND position < {HORIZON} ORDER BY position LIMIT $2
                ) AS next
            )
            SELECT position, event_id, ingest_id, dimension, symbol, rows, revision, payload, created_at, checksum
            FROM telemetry.outbox JOIN sizes USING (position)
            WHERE sizes.total <= $3 OR sizes.n = 1 ORDER BY position
            """,  # noqa: S608
            max(-MAX_BIGINT, min(after, MAX_BIGINT)),
            min(limit, MAX_BIGINT),
            min(max_bytes, MAX_BIGINT),
        )
        if whole or known:  # only now, for pruning notes how far it will go before it deletes
            pruned, stored = await session.row(_BEHIND, plain("sink", sink))
            if stored < known:
                raise CursorSetBack.of(f"{sink}, shard 0", known, stored)
            if whole and after < pruned:
                raise PositionLost.of(after)
        return [
            OutboxRow(position, event, ingest, _DIMENSIONS[dimension], symbol, rows, revision, payload, at, checksum)
            for position, event, ingest, dimension, symbol, rows, revision, payload, at, checksum in rows
        ]

    @question
    async def reached(self, session: Session) -> Reached:
        """How far the database has come: what waits for its sinks is not looked at, which may be all of a day."""
        newest, standby = await session.row("SELECT max(position), pg_is_in_recovery() FROM telemetry.positions")
        return Reached(newest or 0, standby)

    @question
    async def outbox_status(self, session: Session, sink: str = "") -> OutboxStatus:
        """How far a sink is behind, or the last of them."""
        newest, at, pending, oldest, standby = await session.row(_STATUS, plain("sink", sink))
        held_by = await holder(session, HORIZON, _LONG) if pending else None
        return OutboxStatus(newest or 0, at, pending, oldest, held_by, await server_of(session), standby)

    @question
    async def symbols(self, session: Session, dimension: Dimension) -> list[str]:
        """Symbols of a dimension that have a position, ascending."""
        found = await session.fetch(
            "SELECT symbol FROM telemetry.positions WHERE dimension = $1 ORDER BY symbol", dimension.value
        )
        return [symbol for (symbol,) in found]


def first_position(revision: int) -> int:
    """The position of the first outbox row of the transaction that gives this revision.

    Raises:
        StoreError: it does not go into a bigint.
    """
    if revision >> (63 - ROW_BITS):
        raise StoreError(
            f"transaction number {revision} given; positions end at 2^{63 - ROW_BITS} of them; nothing was written: "
            "begin a new database and ingest what this one has"
        )
    return revision << ROW_BITS


@dataclass(frozen=True, slots=True)
class Batch:
    """The outbox rows of one transaction, as columns: an Arrow array or `Bytes` each, or a value that all share."""

    columns: dict[str, Any]
    count: int
    width: int
    newest: dict[str, int]
    last: int

    @property
    def few(self) -> bool:
        """Whether they may be sent as parameters: a statement is put together on the event loop, a COPY beside it."""
        return self.count <= FEW_ROWS and self.count * self.width <= _FEW_BYTES

    def send(self, ending: Combined) -> None:
        """Let few of them go with the changes that end a transaction."""
        names, values = ", ".join(self.columns), [_parameter(each) for each in self.columns.values()]
        ending.add("sent", f"INSERT INTO telemetry.outbox ({names}) {_given(tuple(self.columns.values()))}", *values)

    async def copy(self, session: Session, workers: Workers) -> None:
        """Copy them into the outbox."""
        fields = [Field(name, constant(v) if isinstance(v, str | int) else v) for name, v in self.columns.items()]
        rows = Rows(tuple(fields), self.count, self.width)
        await session.copy_in("telemetry", "outbox", rows.columns, Stream(rows, workers))


def batch_of(dimension: Dimension, payloads: Sequence[Payload], origin: Origin) -> Batch:
    """Lay payloads out.

    Raises:
        ValueError: they are more than fit into one transaction.
    """
    if len(payloads) > _MOST_ROWS:
        raise ValueError(f"a chunk of {len(payloads)} outbox rows given; at most {_MOST_ROWS} fit; give smaller chunks")
    first = first_position(origin.revision)
    columns = {
        "position": array_of(range(first, first + len(payloads)), pa.int64()),
        "revision": origin.revision,
        "rows": array_of([payload.rows for payload in payloads], pa.int64()),
        "bytes": array_of([len(payload.data) for payload in payloads], pa.int64()),
        "created_at": array_of([origin.ingested_at_us] * len(payloads), pa.timestamp("us", tz="UTC")),
        "dimension": dimension.value,
        "ingest_id": origin.ingest_id,
        "event_id": array_of([payload.event_id for payload in payloads], pa.string()),
        "symbol": array_of([payload.symbol for payload in payloads], pa.string()),
        "shard": int4(np.array([shard_of(payload.symbol) for payload in payloads], dtype=np.int64)),
        "checksum": array_of([payload.checksum for payload in payloads], pa.int64()),
        "payload": Bytes([payload.data for payload in payloads]),
    }
    newest = {payload.symbol: first + n for n, payload in enumerate(payloads)}
    width = 256 + sum(len(payload.data) for payload in payloads) // max(1, len(payloads))
    return Batch(columns, len(payloads), width, newest, first + len(payloads) - 1)


def move(ending: Combined, dimension: Dimension, batch: Batch) -> None:
    """Note the newest position of each symbol; "moved" has a row for each that is newer than what stood."""
    ending.add("moved", _MOVE, dimension.value, list(batch.newest), list(batch.newest.values()))


_MOVE = """
    INSERT INTO telemetry.positions (dimension, symbol, position)
    SELECT $1, newest.* FROM unnest($2::text[], $3::bigint[]) AS newest
    ON CONFLICT (dimension, symbol) DO UPDATE SET position = excluded.position
    WHERE positions.position < excluded.position
    RETURNING 1
"""

_TYPES = {
    "int64": "bigint",
    "int32": "integer",
    "string": "text",
    "binary": "bytea",
    "timestamp[us, tz=UTC]": "timestamptz",
}


def _given(columns: tuple[Any, ...]) -> str:
    """A SELECT of rows that come as parameters: arrays side by side, single values in each row."""
    shared = {
        n: "text" if isinstance(each, str) else "bigint"
        for n, each in enumerate(columns, 1)
        if isinstance(each, str | int)
    }
    arrays = {n: _TYPES[str(each.type)] for n, each in enumerate(columns, 1) if n not in shared}
    picked = ", ".join(f"${n}::{shared[n]}" if n in shared else f"i.c{n}" for n in range(1, len(columns) + 1))
    given = ", ".join(f"${n}::{kind}[]" for n, kind in arrays.items())
    return f"SELECT {picked} FROM unnest({given}) AS i({', '.join(f'c{n}' for n in arrays)})"  # noqa: S608


def _parameter(values: Any) -> object:
    return (
        values
        if isinstance(values, str | int)
        else [*values.to_pylist()]
        if isinstance(values, Bytes)
        else python_of(values)
    )


async def place(session: Session) -> None:
    """Fill in the shards of rows that were written before there were any."""
    found = await session.fetch("SELECT DISTINCT symbol FROM telemetry.outbox WHERE shard IS NULL")
    names = [symbol for (symbol,) in found]
    await session.change(
        """
        UPDATE telemetry.outbox o SET shard = s.shard
        FROM unnest($1::text[], $2::integer[]) AS s(symbol, shard) WHERE s.symbol = o.symbol
        """,
        *(names, [shard_of(symbol) for symbol in names]),
    )
