"""The ledger: which content was last known to stand over a range.

An entry is void as soon as a later one overlaps it, so "the newest entry over the range is this content" means that
the rows stored there are exactly this content.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.dimension import Dimension
from backbone.store.duckdb.known import Known
from backbone.store.duckdb.putting import MOMENT, put
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, first, given
from backbone.store.merging import Truths, Verdict
from backbone.store.ranges import Ranges

__all__ = ["KEPT", "compact", "enter", "judge", "void", "void_before"]

KEPT = 50_000
"""Small entries of a symbol that are kept as they are, the newest ones: rows that come late between them are known to
be new, and need no look at what is stored."""

SMALL_ROWS = 1000
_AT_A_TIME = 20
_VERY_FEW = 2
"""Ranges that are asked about one by one: to plan a join with a table that is given takes as long as three of them."""

_MAX_ID = 2**63 - 1


def judge(
    connection: Connection, known: Known, dimension: Dimension, ranges: Ranges, ingest_id: str
) -> tuple[Verdict, int]:
    """Look up the newest entry over each of the ranges, but for those that no entry reaches.

    Returns:
        The verdict, and how many rows were written over the ranges, about: an entry counts as a whole.
    """
    beyond = known.reach.beyond(connection, dimension, ranges)
    if beyond.all():
        return Verdict.of(len(ranges), ingest_id, []), 0
    look = _of_few if np.count_nonzero(~beyond) <= _VERY_FEW else _of_many
    found = look(connection, dimension, ranges, ~beyond)
    newest = [(n, content) for n, content, _ in found]
    return Verdict.of(len(ranges), ingest_id, newest), sum(stored for _, _, stored in found)


def _of_few(connection: Connection, dimension: Dimension, ranges: Ranges, chosen: Truths) -> list[tuple[int, str, int]]:
    """The number of each range that entries reach, the newest content, and how many rows."""
    query = """
        SELECT arg_max(ingest_id, id), sum(rows)::BIGINT FROM telemetry.ledger
        WHERE dimension = ? AND symbol = ? AND "interval" = ?
          AND end_ts >= make_timestamptz(?) AND start_ts <= make_timestamptz(?)
    """
    found = [(n, *first(connection, query, values)) for n, values in _each(dimension, ranges, chosen)]
    return [(n, content, stored) for n, content, stored in found if content is not None]


def _of_many(
    connection: Connection, dimension: Dimension, ranges: Ranges, chosen: Truths
) -> list[tuple[int, str, int]]:
    with _given(connection, ranges, chosen):
        return connection.execute(
            """
            SELECT r.n, arg_max(l.ingest_id, l.id) AS newest, sum(l.rows)::BIGINT AS stored
            FROM ranges r JOIN telemetry.ledger l
              ON l.dimension = ? AND l.symbol = r.symbol AND l."interval" = r."interval"
             AND l.start_ts <= r.end_ts AND l.end_ts >= r.start_ts
            GROUP BY r.n
            """,
            [dimension.value],
        ).fetchall()


def enter(
    connection: Connection, known: Known, dimension: Dimension, ranges: Ranges, ingest_id: str, fresh: Truths
) -> None:
    """Note that the ranges hold this content now.

    Entries within those that are not fresh are forgotten: they could never be the newest again.
    """
    _forget(connection, dimension, ranges, ~fresh)
    known.reach.extend(dimension, ranges)
    many, text, number = len(ranges), pa.string(), pa.int64()
    put(
        connection,
        "telemetry.ledger",
        {
            "id": (number, known.numbers.take(connection, "ledger_id", many)),
            "ingest_id": (text, [ingest_id] * many),
            "dimension": (text, [dimension.value] * many),
            "symbol": (text, ranges.symbols),
            "interval": (text, ranges.intervals),
            "start_ts": (MOMENT, ranges.starts_us.tolist()),
            "end_ts": (MOMENT, ranges.ends_us.tolist()),
            "rows": (number, ranges.lengths.tolist()),
        },
    )


def _forget(connection: Connection, dimension: Dimension, ranges: Ranges, chosen: Truths) -> None:
    """Delete the entries within ranges."""
    if np.count_nonzero(chosen) <= _VERY_FEW:
        for _, values in _each(dimension, ranges, chosen):
            connection.execute(
                """
                DELETE FROM telemetry.ledger WHERE dimension = ? AND symbol = ? AND "interval" = ?
                    AND start_ts >= make_timestamptz(?) AND end_ts <= make_timestamptz(?)
                """,
                values,
            )
        return
    with _given(connection, ranges, chosen):
        connection.execute(
            """
            DELETE FROM telemetry.ledger USING ranges r
            WHERE ledger.dimension = ? AND ledger.symbol = r.symbol AND ledger."interval" = r."interval"
              AND ledger.start_ts >= r.start_ts AND ledger.end_ts <= r.end_ts
            """,
            [dimension.value],
        )


def compact(connection: Connection) -> None:
    """Make one entry of a symbol's many old small ones, as live rows leave them, so that the ledger stays small.

    The one entry is void: it covers what they covered and what lies between, and names no content. So nothing passes as
    new or as known that did not before; rows that come again are compared with what is stored.
    """
    many = connection.execute(
        f"""
        SELECT dimension, symbol, "interval" FROM telemetry.ledger WHERE rows <= {SMALL_ROWS}
        GROUP BY ALL HAVING count(*) > {2 * KEPT} ORDER BY count(*) DESC LIMIT {_AT_A_TIME}
        """  # noqa: S608
    ).fetchall()
    for key in many:
        with transaction(connection):
            _make_one(connection, *key)


def _make_one(connection: Connection, dimension: str, symbol: str, interval: str) -> None:
    """Put one entry in the place of all small ones but the newest; its id is the greatest of theirs."""
    old = f'dimension = ? AND symbol = ? AND "interval" = ? AND rows <= {SMALL_ROWS} AND id <= ?'
    key = [dimension, symbol, interval]
    newest = f"SELECT id FROM telemetry.ledger WHERE {old} ORDER BY id DESC OFFSET {KEPT} LIMIT 1"  # noqa: S608
    last = count(connection, newest, [*key, _MAX_ID])
    span = f"SELECT epoch_us(min(start_ts)), epoch_us(max(end_ts)) FROM telemetry.ledger WHERE {old}"  # noqa: S608
    start, end = first(connection, span, [*key, last])
    connection.execute(f"DELETE FROM telemetry.ledger WHERE {old}", [*key, last])  # noqa: S608
    connection.execute(
        "INSERT INTO telemetry.ledger VALUES (?, '', ?, ?, ?, make_timestamptz(?), make_timestamptz(?), 0)",
        [last, *key, start, end],
    )


def _each(dimension: Dimension, ranges: Ranges, chosen: Truths) -> Iterator[tuple[int, list[object]]]:
    """The number of each of the chosen ones, and what names it: dimension, symbol, interval, start and end."""
    for n in np.flatnonzero(chosen).tolist():
        span = int(ranges.starts_us[n]), int(ranges.ends_us[n])
        yield n, [dimension.value, ranges.symbols[n], ranges.intervals[n], *span]


def _given(connection: Connection, ranges: Ranges, chosen: Truths) -> AbstractContextManager[None]:
    """The chosen ones as the table `ranges`."""
    return given(connection, "ranges", ranges.to_arrow().take(array_of(np.flatnonzero(chosen))))


def void_before(connection: Connection, dimension: Dimension, before_us: int) -> None:
    """Take note that rows before a moment are gone: whatever reaches beyond it is no longer complete."""
    connection.execute(
        "DELETE FROM telemetry.ledger WHERE dimension = ? AND end_ts < make_timestamptz(?)",
        [dimension.value, before_us],
    )
    connection.execute(
        """
        UPDATE telemetry.ledger SET ingest_id = '', start_ts = make_timestamptz(?)
        WHERE dimension = ? AND start_ts < make_timestamptz(?)
        """,
        [before_us, dimension.value, before_us],
    )


def void(
    connection: Connection, dimension: Dimension, symbol: str, interval: str | None, start_us: int, end_us: int
) -> int:
    """Let no entry that reaches into a range name a content any more; it still says that something was written."""
    return count(
        connection,
        """
        UPDATE telemetry.ledger SET ingest_id = ''
        WHERE dimension = ? AND symbol = ? AND "interval" = ?
            AND start_ts <= make_timestamptz(?) AND end_ts >= make_timestamptz(?)
        """,
        [dimension.value, symbol, interval or "", end_us, start_us],
    )
