"""What has changed since an export: asked of the ledger with the position, in one statement, which sees one moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from backbone.domain.clock import MIN_US
from backbone.domain.dimension import Dimension
from backbone.store.merging import DROPS
from backbone.store.records import Query
from backbone.store.since import (
    CUTS,
    DAY_US,
    NOTES,
    Changes,
    Since,
    SinceResult,
    Stretch,
    queries_of,
    stretches_of,
    window_of,
)
from backbone.store.timescale.ledger import LENGTH, LENGTHS
from backbone.store.timescale.part import question
from backbone.store.timescale.reading import BY_INDEX, Reading, complete_at, frame_of_pages
from backbone.store.timescale.selecting import Selection, checked
from backbone.store.timescale.session import READ, Session
from backbone.store.timescale.values import MAX_BIGINT, moment, plain

__all__ = ["Sinces", "note_cut"]

_NOTES_KEPT: Final = 100

_NOTE: Final = """
    INSERT INTO telemetry.epochs (source, dimension, epoch, updated_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (source, dimension) DO UPDATE SET epoch = excluded.epoch, updated_at = excluded.updated_at
"""

_FORGET: Final = f"""
    DELETE FROM telemetry.epochs WHERE source = $1 AND dimension NOT IN (
        SELECT dimension FROM telemetry.epochs WHERE source = $1 ORDER BY updated_at DESC, dimension LIMIT {_NOTES_KEPT}
    )
"""  # noqa: S608

_CUT: Final = """
    INSERT INTO telemetry.epochs (source, dimension, epoch, updated_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (source, dimension)
    DO UPDATE SET epoch = greatest(epochs.epoch, excluded.epoch), updated_at = excluded.updated_at
"""

# The server plans it anew each time, which takes longer than to carry it out: the fewer tables, the less time. Of
# entries of one length only those can reach into the window that end within that length behind it.
_CHANGES: Final = f"""
    SELECT p.newest, p.horizon, n.level, n.drops, n.cut, w.symbols, w.starts, w.ends
    FROM ({{position}}) AS p, (
        SELECT max(epoch) FILTER (WHERE source = '{NOTES}') AS level,
            coalesce(sum(epoch) FILTER (WHERE source = '{DROPS}'), 0)::bigint AS drops,
            CASE max(updated_at) FILTER (WHERE source = '{DROPS}' AND dimension = $1)
                WHEN max(updated_at) FILTER (WHERE source = '{CUTS}') THEN max(epoch) FILTER (WHERE source = '{CUTS}')
                ELSE CASE WHEN bool_or(source = '{DROPS}' AND dimension = $1) THEN {MAX_BIGINT} END
            END AS cut
        FROM telemetry.epochs
        WHERE source = '{DROPS}' OR (source = '{CUTS}' AND dimension = $1) OR (source = '{NOTES}' AND dimension = $3)
    ) AS n, LATERAL (
        SELECT array_agg(l.symbol) AS symbols, array_agg(l.start_us) AS starts, array_agg(l.end_us) AS ends
        FROM (
            SELECT l.symbol, min(l.start_us) AS start_us, max(l.end_us) AS end_us
            FROM unnest(ARRAY[0, 1, 2, 3, 4, 5], {LENGTHS}) AS of(length, most), telemetry.ledger l
            WHERE l.dimension = $1 AND l.symbol = ANY($4::text[]) AND ($7::text IS NULL OR l."interval" = $7)
                AND {LENGTH} = of.length AND l.end_us >= $5 AND l.end_us <= $6 + of.most AND l.start_us <= $6
                AND l.revision > n.level
            GROUP BY l.symbol, l.start_us / {DAY_US}
        ) AS l
    ) AS w
"""  # noqa: S608


class Sinces(Reading):
    """What somebody holds who read an earlier moment."""

    @question
    async def note_export(self, session: Session, token: str, level: int) -> None:
        """Keep that an export was published; for a role that may only read it is not kept, and not used for reads."""
        if self._database.reads_only:
            return
        async with session.transaction(repeatable=True):
            await session.change(_NOTE, NOTES, token, level, moment(self._clock()))
            await session.change(_FORGET, NOTES)

    @question
    async def read_since(self, session: Session, query: Query, since: Since) -> SinceResult:
        """What has changed; where rows are to be read it is asked again, of their moment."""
        asked = checked(query)
        newest, horizon, changes = await self._changes(session, asked, since)
        if changes.known and not stretches_of(asked, since, changes):
            return SinceResult((), (), newest, complete_at(newest, horizon))
        async with session.transaction(READ, first=BY_INDEX):
            newest, horizon, changes = await self._changes(session, asked, since)
            stretches = stretches_of(asked, since, changes)
            queries = queries_of(asked, stretches) if changes.known else None
            found = [
                await self.pages_of(session, Selection(self._tables, each))
                for each in ([asked] if queries is None else queries)
            ]
        frames = [
            await self._workers.run(sum(page.num_rows for page in pages), frame_of_pages, asked.dimension, pages)
            for pages in found
        ]
        anew = None if queries is None else stretches
        return SinceResult(anew, tuple(frames), newest, complete_at(newest, horizon))

    async def _changes(self, session: Session, query: Query, since: Since) -> tuple[int, int | None, Changes]:
        """The newest position, the horizon, and what has changed."""
        selection = Selection(self._tables, query)
        window = window_of(query)
        symbols = [plain("symbol", symbol) for symbol in query.symbols]
        statement = _CHANGES.format(position=selection.position())
        own: list[Any] = [since.token, symbols, *window, query.interval if query.dimension.has_interval else ""]
        newest, horizon, level, drops, cut, *written = await session.row(statement, *selection.values, *own)
        changes = Changes(
            known=level is not None,
            cut_us=MIN_US if drops == since.drops or cut is None else cut,
            written=tuple(map(Stretch, *(each or () for each in written))),
        )
        return newest, horizon, changes


async def note_cut(session: Session, dimension: Dimension, before_us: int, now: datetime) -> None:
    """Keep up to which moment rows were ever dropped; with the count of drops, in their transaction."""
    await session.change(_CUT, CUTS, dimension.value, before_us, moment(now))
