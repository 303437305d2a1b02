"""What has changed since an export: asked of the ledger once, and known until the next change of a symbol."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.clock import MIN_US, to_us
from backbone.domain.dimension import Dimension
from backbone.store.duckdb import outbox
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.reading import rows_of
from backbone.store.duckdb.remembered import Written
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, first, given
from backbone.store.merging import DROPS
from backbone.store.records import Query
from backbone.store.since import CUTS, DAY_US, NOTES, Changes, Since, SinceResult, Stretch, queries_of, stretches_of

__all__ = ["Sinces", "note_cut"]

_NOTES_KEPT = 100


class Sinces(Part):
    """What somebody holds who read an earlier moment."""

    @question("writing")
    def note_export(self, connection: Connection, token: str, level: int) -> None:
        """Keep that an export was published."""
        now = to_us(self._clock())
        with transaction(connection):
            connection.execute(
                """
                INSERT INTO telemetry.epochs VALUES (?, ?, ?, make_timestamptz(?))
                ON CONFLICT DO UPDATE SET epoch = excluded.epoch, updated_at = excluded.updated_at
                """,
                [NOTES, token, level, now],
            )
            connection.execute(
                f"""
                DELETE FROM telemetry.epochs WHERE source = ? AND dimension NOT IN (
                    SELECT dimension FROM telemetry.epochs WHERE source = ?
                    ORDER BY updated_at DESC, dimension LIMIT {_NOTES_KEPT}
                )
                """,  # noqa: S608
                [NOTES, NOTES],
            )
        self._session.known.remembered.forget()

    async def read_since(self, query: Query, since: Since) -> SinceResult:
        """What has changed, from memory where that holds and nothing is to be read; else of one moment."""
        return self._at_once(query, since) or await self._read_since(query, since)

    def _at_once(self, query: Query, since: Since) -> SinceResult | None:
        self._session.require_open()
        positions, memory = self._session.known.positions, self._session.known.remembered
        if memory.doubts(query.dimension, query.symbols):
            return None
        position = positions.of(query.dimension, query.symbols)
        if position is None:
            return None
        found = list[Written]()
        for symbol in query.symbols:
            own = positions.of(query.dimension, (symbol,))
            remembered = memory.of((since.token, query.dimension, symbol), own)
            if remembered is None:
                return None
            found.append(remembered)
        changes = _changes(query, found)
        return None if stretches_of(query, since, changes) else SinceResult((), (), position)

    @question("rows")
    def _read_since(self, connection: Connection, query: Query, since: Since) -> SinceResult:
        positions, remembered = self._session.known.positions, self._session.known.remembered
        owns = [positions.of(query.dimension, (symbol,)) for symbol in query.symbols]
        drops = remembered.drops  # before the rows, as positions are
        with transaction(connection):
            level = first(
                connection,
                "SELECT epoch FROM telemetry.epochs WHERE source = ? AND dimension = ?",
                [NOTES, since.token],
            )
            found = None if level is None else _found(connection, query, since, level[0], drops)
            changes = Changes(known=False) if found is None else _changes(query, found)
            stretches = stretches_of(query, since, changes)
            queries = queries_of(query, stretches) if changes.known else None
            frames = tuple(rows_of(connection, each) for each in ([query] if queries is None else queries))
            position = outbox.position_of(connection, query.dimension, query.symbols)
        positions.note_found(query.dimension, query.symbols, position)
        for symbol, own, each in zip(query.symbols, owns, found or (), strict=False):
            if own is not None:
                remembered.keep((since.token, query.dimension, symbol), each._replace(position=own))
        return SinceResult(None if queries is None else stretches, frames, position)


def _found(connection: Connection, query: Query, since: Since, level: int, drops: int) -> list[Written]:
    """The entries of each symbol that came since, those of one day as one."""
    with given(connection, "asked", pa.table({"symbol": array_of(query.symbols, pa.string())})):
        rows = connection.execute(
            f"""
            SELECT l.symbol, l."interval", epoch_us(min(l.start_ts)), epoch_us(max(l.end_ts))
            FROM telemetry.ledger l JOIN asked USING (symbol) WHERE l.dimension = ? AND l.id > ?
            GROUP BY l.symbol, l."interval", epoch_us(l.start_ts) // {DAY_US} ORDER BY ALL
            """,  # noqa: S608
            [query.dimension.value, level],
        ).fetchall()
    cut = _cut(connection, query.dimension, since.drops)
    return [
        Written(0, drops, cut, tuple((interval, start, end) for name, interval, start, end in rows if name == symbol))
        for symbol in query.symbols
    ]


def _cut(connection: Connection, dimension: Dimension, drops: int) -> int:
    """Up to which moment rows may be gone that were there after so many drops; all, where nobody noted how far."""
    if count(connection, "SELECT sum(epoch) FROM telemetry.epochs WHERE source = ?", [DROPS]) == drops:
        return MIN_US
    found = first(
        connection,
        """
        SELECT CASE WHEN c.updated_at = d.updated_at THEN c.epoch ELSE 9223372036854775807 END
        FROM telemetry.epochs d LEFT JOIN telemetry.epochs c ON c.source = ? AND c.dimension = d.dimension
        WHERE d.source = ? AND d.dimension = ?
        """,
        [CUTS, DROPS, dimension.value],
    )
    return MIN_US if found is None else int(found[0])


def _changes(query: Query, found: Sequence[Written]) -> Changes:
    written = [
        Stretch(symbol, start, end)
        for symbol, each in zip(query.symbols, found, strict=True)
        for interval, start, end in each.entries
        if query.interval in (None, interval)
    ]
    return Changes(True, max((each.cut_us for each in found), default=MIN_US), tuple(written))


def note_cut(connection: Connection, dimension: Dimension, before_us: int, now_us: int) -> None:
    """Keep up to which moment rows were ever dropped; with the count of drops, in their transaction."""
    connection.execute(
        """
        INSERT INTO telemetry.epochs VALUES (?, ?, ?, make_timestamptz(?))
        ON CONFLICT DO UPDATE SET
            epoch = greatest(epochs.epoch, excluded.epoch), updated_at = excluded.updated_at
        """,
        [CUTS, dimension.value, before_us, now_us],
    )
