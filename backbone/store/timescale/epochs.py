"""Who may write of each source."""

from __future__ import annotations

from typing import Final

from backbone.domain.dimension import Dimension
from backbone.store.timescale import locks
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import moment, plain

__all__ = ["HOLD", "Epochs"]


class Epochs(Part):
    """Claims."""

    @question
    async def claim_epoch(self, session: Session, source: str, dimension: Dimension) -> int:
        """Raise the epoch by one, from 0 before the first claim.

        A writer that holds its epoch and has not yet committed keeps the row locked: the claim waits for it. So once
        an epoch is claimed, nothing of an earlier one is still under way.
        """
        async with session.transaction(repeatable=True):
            await locks.take_claim(session, source, dimension)
            epoch: int = await session.value(
                """
                INSERT INTO telemetry.epochs (source, dimension, epoch, updated_at) VALUES ($1, $2, 1, $3)
                ON CONFLICT (source, dimension)
                DO UPDATE SET epoch = epochs.epoch + 1, updated_at = excluded.updated_at
                RETURNING epoch
                """,
                *(plain("source", source), dimension.value, moment(self._clock())),
            )
        return epoch


HOLD: Final = "SELECT epoch FROM telemetry.epochs WHERE source = $1 AND dimension = $2 FOR SHARE"
"""Holds the fence until the COMMIT: no other epoch can be claimed in between. Says which one holds, as of now."""
