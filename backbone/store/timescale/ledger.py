"""The ledger: which content was last known to stand over a range.

An entry is void as soon as a later one overlaps it, so "the newest entry over the range is this content" means that
the rows stored there are exactly this content. Ids are given under the lock of the symbol's shard: greater is later.
"""

from __future__ import annotations

from backbone.domain.dimension import Dimension
from backbone.store.merging import Verdict
from backbone.store.ranges import Ranges
from backbone.store.timescale.session import Session

__all__ = ["enter", "judge", "void_before"]

_RANGES = "unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])"

_NEWEST = f"""
    SELECT newest.n - 1, l.ingest_id
    FROM (
        SELECT r.n, max(l.id) AS id
        FROM {_RANGES} WITH ORDINALITY AS r(symbol, "interval", start_us, end_us, n)
        JOIN telemetry.ledger l ON l.dimension = $1 AND l.symbol = r.symbol AND l."interval" = r."interval"
            AND l.end_us >= r.start_us AND l.start_us <= r.end_us
        GROUP BY r.n
    ) newest JOIN telemetry.ledger l USING (id)
"""  # noqa: S608

_FORGET = f"""
    DELETE FROM telemetry.ledger l USING {_RANGES} AS r(symbol, "interval", start_us, end_us)
    WHERE l.dimension = $1 AND l.symbol = r.symbol AND l."interval" = r."interval"
        AND l.start_us >= r.start_us AND l.end_us <= r.end_us
"""  # noqa: S608

_ENTER = """
    INSERT INTO telemetry.ledger (dimension, ingest_id, symbol, "interval", start_us, end_us, rows)
    SELECT $1, $7, r.* FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) AS r
"""


def _columns(ranges: Ranges) -> tuple[list[str], list[str], list[int], list[int]]:
    return ranges.symbols, ranges.intervals, ranges.starts_us.tolist(), ranges.ends_us.tolist()


async def judge(session: Session, dimension: Dimension, ranges: Ranges, ingest_id: str) -> Verdict:
    """Look up the newest entry over each range."""
    newest = await session.fetch(_NEWEST, dimension.value, *_columns(ranges))
    return Verdict.of(len(ranges), ingest_id, newest)


async def enter(session: Session, dimension: Dimension, ranges: Ranges, ingest_id: str, *, fresh: bool) -> None:
    """Note that the ranges hold this content now.

    Unless they are all fresh, entries within them are forgotten: they could never be the newest again.
    """
    columns = _columns(ranges)
    if not fresh:
        await session.change(_FORGET, dimension.value, *columns)
    await session.change(_ENTER, dimension.value, *columns, ranges.lengths.tolist(), ingest_id)


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
