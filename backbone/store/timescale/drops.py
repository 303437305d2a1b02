"""How often rows were dropped: an epoch of no source, raised with each drop, in its transaction."""

from __future__ import annotations

from datetime import datetime

from backbone.domain.dimension import Dimension
from backbone.store.merging import DROPS
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import moment

__all__ = ["Drops", "note"]


class Drops(Part):
    """What whoever keeps windows has to know of drops."""

    @question
    async def drop_count(self, session: Session) -> int:
        """The sum over all dimensions."""
        return int(await session.value("SELECT sum(epoch) FROM telemetry.epochs WHERE source = $1", DROPS) or 0)


async def note(session: Session, dimension: Dimension, now: datetime) -> None:
    """Count one more."""
    await session.change(
        """
        INSERT INTO telemetry.epochs (source, dimension, epoch, updated_at) VALUES ($1, $2, 1, $3)
        ON CONFLICT (source, dimension) DO UPDATE SET epoch = epochs.epoch + 1, updated_at = excluded.updated_at
        """,
        *(DROPS, dimension.value, moment(now)),
    )
