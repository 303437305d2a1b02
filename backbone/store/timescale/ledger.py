"""The ledger: which content was last known to stand over a range.

An entry is void as soon as a later one overlaps it, so "the newest entry over the range is this content" means that
the rows stored there are exactly this content. The newest is the one of the greatest revision, which is given under the
lock of the symbol's shard; ids only tell apart what was entered before there were revisions, for a restore may set the
sequence of ids back.
"""

from __future__ import annotations

from typing import Final

from backbone.domain.dimension import Dimension
from backbone.store.ranges import Ranges
from backbone.store.timescale.combined import Combined
from backbone.store.timescale.session import Session

__all__ = ["LENGTH", "LENGTHS", "NEWEST", "columns", "enter", "void", "void_before"]

_RANGES = "unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])"

_MOST = "0, 60000000, 3600000000, 86400000000, 2592000000000"
"""Microseconds: a moment, a minute, an hour, a day, thirty days. The index has entries of about one length together."""

LENGTH: Final = f"width_bucket(l.end_us - l.start_us - 1, ARRAY[{_MOST}]::bigint[])"
"""Which of them an entry `l` belongs to, from 0."""

LENGTHS: Final = f"ARRAY[{_MOST}, 400000000000000000]::bigint[]"
"""How long the entries of each are at most."""

# Of entries of one length only those can reach into a range that end within that length behind it. Without this, all
# that end behind the range would be looked through: of a row from the beginning of a long history all of it.
NEWEST: Final = f"""
    SELECT r.n - 1 AS n, newest.ingest_id
    FROM {_RANGES} WITH ORDINALITY AS r(symbol, "interval", start_us, end_us, n)
    CROSS JOIN LATERAL (
        SELECT found.ingest_id
        FROM unnest(ARRAY[0, 1, 2, 3, 4, 5], {LENGTHS}) AS c(length, most)
        CROSS JOIN LATERAL (
            SELECT l.ingest_id, l.revision, l.id FROM telemetry.ledger l
            WHERE l.dimension = $1 AND l.symbol = r.symbol AND l."interval" = r."interval" AND {LENGTH} = c.length
                AND l.end_us >= r.start_us AND l.end_us <= r.end_us + c.most AND l.start_us <= r.end_us
            ORDER BY l.revision DESC, l.id DESC LIMIT 1
        ) AS found
        WHERE r.start_us <= (
            SELECT last.end_us FROM telemetry.ledger last
            WHERE last.dimension = $1 AND last.symbol = r.symbol AND last."interval" = r."interval"
            ORDER BY last.end_us DESC LIMIT 1
        )
        ORDER BY found.revision DESC, found.id DESC LIMIT 1
    ) AS newest
"""  # noqa: S608
"""Number and content of the newest entry over each of the ranges that have one."""

# that an entry within a range ends behind its beginning follows, and is said for the index
_FORGET = f"""
    DELETE FROM telemetry.ledger l USING {_RANGES} AS r(symbol, "interval", start_us, end_us)
    WHERE l.dimension = $1 AND l.symbol = r.symbol AND l."interval" = r."interval"
        AND l.start_us >= r.start_us AND l.end_us >= r.start_us AND l.end_us <= r.end_us
"""  # noqa: S608

_ENTER = """
    INSERT INTO telemetry.ledger (dimension, ingest_id, revision, symbol, "interval", start_us, end_us, rows)
    SELECT $1, $7, $8, r.* FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) AS r
"""


def columns(ranges: Ranges) -> tuple[list[str], list[str], list[int], list[int]]:
    """The ranges as parameters."""
    return ranges.symbols, ranges.intervals, ranges.starts_us.tolist(), ranges.ends_us.tolist()


def enter(
    ending: Combined, dimension: Dimension, ranges: Ranges, ingest_id: str, revision: int, *, fresh: bool
) -> None:
    """Note that the ranges hold this content now.

    Unless they are all fresh, entries within them are forgotten: they could never be the newest again.
    """
    given = columns(ranges)
    if not fresh:
        ending.add("forgotten", _FORGET, dimension.value, *given)
    ending.add("entered", _ENTER, dimension.value, *given, ranges.lengths.tolist(), ingest_id, revision)


async def void_before(session: Session, dimension: Dimension, before_us: int) -> None:
    """Take note that rows before a moment are gone: whatever reaches beyond it is no longer complete."""
    await session.change(
        "DELETE FROM telemetry.ledger WHERE dimension = $1 AND end_us < $2", dimension.value, before_us
    )
    await session.change(
        "UPDATE telemetry.ledger SET ingest_id = '', start_us = $2 WHERE dimension = $1 AND start_us < $2",
        dimension.value,
        before_us,
    )


async def void(
    session: Session, dimension: Dimension, symbol: str, interval: str | None, start_us: int, end_us: int
) -> int:
    """Let no entry that reaches into a range name a content any more; it still says that something was written."""
    return await session.change(
        """
        UPDATE telemetry.ledger SET ingest_id = ''
        WHERE dimension = $1 AND symbol = $2 AND "interval" = $3 AND start_us <= $4 AND end_us >= $5
        """,
        *(dimension.value, symbol, interval or "", end_us, start_us),
    )
