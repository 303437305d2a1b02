"""Bad rows: kept aside, listed, found by their ids, forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backbone.domain.text import excerpt
from backbone.store.records import QuarantineRow
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import MAX_BIGINT, moment

__all__ = ["Quarantine", "chosen"]

_COLUMNS = "source, location, reason, excerpt, dimension, run_id, recorded_at, coalesce(payload, '')"
_ID_BYTES = 8


class Quarantine(Part):
    """What was not let in."""

    @question
    async def quarantine(self, session: Session, rows: Sequence[QuarantineRow]) -> int:
        """Keep rows that are not kept yet."""
        texts = [
            [excerpt(getattr(row, name)) for row in rows]
            for name in ("source", "location", "reason", "excerpt", "dimension", "run_id")
        ]
        return await session.change(
            """
            INSERT INTO telemetry.quarantine
                (identity, source, location, reason, excerpt, dimension, run_id, recorded_at, payload)
            SELECT * FROM unnest(
                $1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
                $9::bytea[]
            ) ON CONFLICT (identity) DO NOTHING
            """,
            *([row.identity for row in rows], *texts),
            *([moment(row.at) for row in rows], [row.payload or None for row in rows]),
        )

    @question
    async def quarantined(self, session: Session, limit: int = 100, skip: int = 0) -> list[QuarantineRow]:
        """Rows, newest first."""
        found = await session.fetch(
            f"""
            SELECT {_COLUMNS} FROM telemetry.quarantine
            ORDER BY recorded_at DESC, source, dimension, location, reason LIMIT $1 OFFSET $2
            """,  # noqa: S608
            *(min(limit, MAX_BIGINT), min(skip, MAX_BIGINT)),
        )
        return [QuarantineRow(*row) for row in found]

    @question
    async def quarantined_at(self, session: Session, ids: Sequence[str]) -> list[QuarantineRow]:
        """Those with these ids, which are how their identities begin."""
        found = await session.fetch(
            f"SELECT {_COLUMNS} FROM telemetry.quarantine "  # noqa: S608
            f"WHERE encode(substring(identity FOR {_ID_BYTES}), 'hex') = ANY($1::text[])",
            [each.replace("\0", "") for each in ids],
        )
        rows = {row.id: row for row in (QuarantineRow(*each) for each in found)}
        return [rows[each] for each in ids if each in rows]

    @question
    async def delete_quarantined(self, session: Session, rows: Sequence[QuarantineRow]) -> int:
        """Forget rows."""
        return await session.change(
            "DELETE FROM telemetry.quarantine WHERE identity = ANY($1::bytea[])", [row.identity for row in rows]
        )

    @question
    async def clear_quarantine(self, session: Session, until: datetime, most: int) -> int:
        """Forget all up to a moment, some at a time."""
        return await session.change(
            """
            DELETE FROM telemetry.quarantine WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM telemetry.quarantine WHERE recorded_at <= $1 LIMIT $2
            ))
            """,
            moment(until),
            min(most, MAX_BIGINT),
        )


async def chosen(session: Session, condition: str, *values: object) -> tuple[QuarantineRow, ...]:
    """Rows that meet a condition."""
    found = await session.fetch(f"SELECT {_COLUMNS} FROM telemetry.quarantine WHERE {condition}", *values)  # noqa: S608
    return tuple(QuarantineRow(*each) for each in found)
