"""What stands before a chunk is written: asked in one statement, once its locks are held."""

from __future__ import annotations

from dataclasses import dataclass

from backbone.store.errors import FencedOut
from backbone.store.merging import Verdict
from backbone.store.ranges import Ranges
from backbone.store.records import Chunk
from backbone.store.timescale import ledger
from backbone.store.timescale.failures import SetBack
from backbone.store.timescale.outbox import first_position
from backbone.store.timescale.session import Session

__all__ = ["Standing", "look"]

# The statement takes its snapshot when it begins, after the statement that took the locks has ended: it sees all that
# earlier holders committed. For the same reason the transaction gets its number here and not before, and later than
# all of theirs. In one statement with the locks, or in a function that is not VOLATILE, all of this would look through
# a snapshot from before the wait for them.
_LOOK = f"""
    SELECT r.recorded, e.epoch, newest.numbers, newest.contents, c.position,
        CASE WHEN NOT r.recorded THEN telemetry.revision_of(pg_current_xact_id()) END
    FROM (
        SELECT EXISTS (
            SELECT FROM telemetry.ingest_runs WHERE run_id = $6 AND ingest_id = $7 AND status <> 'failed'
        ) AS recorded
    ) AS r
    CROSS JOIN (SELECT array_agg(n) AS numbers, array_agg(ingest_id) AS contents FROM ({ledger.NEWEST}) AS each) newest
    CROSS JOIN (SELECT coalesce(max(position), 0) AS position FROM telemetry.cursors) AS c
    LEFT JOIN telemetry.epochs e ON e.source = $8 AND e.dimension = $1
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found.

    Attributes:
        recorded: this run has committed this chunk already.
        epoch: that holds for source and dimension; None: none was ever claimed.
        verdict: what the ledger knows of each range.
        revision: of this transaction, greater than all that ever committed for the symbols whose locks it holds; 0
            where the chunk is recorded.
    """

    recorded: bool
    epoch: int | None
    verdict: Verdict
    revision: int

    def fence(self, chunk: Chunk) -> None:
        """An early look at the epoch, which saves a zombie's work.

        Raises:
            FencedOut: another one holds than the chunk's.
        """
        require(chunk, self.epoch)


def require(chunk: Chunk, held: int | None) -> None:
    """Refuse a chunk whose epoch does not hold.

    Raises:
        FencedOut: it was given, and does not.
    """
    if chunk.epoch is not None and held != chunk.epoch:
        raise FencedOut.of(f"{chunk.source}/{chunk.frame.dimension.value}", chunk.epoch, held)


async def look(session: Session, chunk: Chunk, ranges: Ranges) -> Standing:
    """Ask what stands.

    Raises:
        SetBack: the server counts transactions from lower than was published already.
    """
    recorded, epoch, numbers, contents, published, revision = await session.row(
        _LOOK,
        *(chunk.frame.dimension.value, *ledger.columns(ranges), chunk.run_id, chunk.ingest_id, chunk.source),
    )
    if not recorded and first_position(revision) <= published:
        raise SetBack(f"revision {revision}")
    verdict = Verdict.of(len(ranges), chunk.ingest_id, zip(numbers or (), contents or (), strict=True))
    return Standing(recorded, epoch, verdict, revision or 0)
