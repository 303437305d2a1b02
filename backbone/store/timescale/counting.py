"""Numbers that only ever rise, also where tables were restored into a server that counts from lower."""

from __future__ import annotations

from typing import Final

from backbone.store.since import NOTES
from backbone.store.timescale import locks
from backbone.store.timescale.session import Session

__all__ = ["ROW_BITS", "catch_up"]

ROW_BITS: Final = 17
"""Of a position: the number of the row in its transaction."""

_BITS: Final = 46  # of a revision, at most

# an export is noted with how far its server had counted, which may be far above what was published last
_SHIFT = f"""
    UPDATE telemetry.xid_shift SET shift = shift + used.revision - telemetry.revision_of(pg_current_xact_id())
    FROM (
        SELECT coalesce(greatest(
            (SELECT max(position) >> {ROW_BITS} FROM telemetry.positions),
            (SELECT max(position) >> {ROW_BITS} FROM telemetry.cursors),
            (SELECT max(epoch) FROM telemetry.epochs WHERE source = '{NOTES}' AND epoch >> {_BITS} = 0)
        ), 0) AS revision
    ) AS used
    WHERE used.revision >= telemetry.revision_of(pg_current_xact_id())
"""  # noqa: S608

# a logical replica and a dump of the rows alone bring rows, and no sequences; a sequence is never set lower
_IDENTITIES = """
    SELECT setval(own.sequence, own.used) FROM (
        SELECT pg_get_serial_sequence('telemetry.ledger', 'id')::regclass AS sequence,
            (SELECT max(id) FROM telemetry.ledger) AS used
        UNION ALL
        SELECT pg_get_serial_sequence('telemetry.ingest_runs', 'id')::regclass,
            (SELECT max(id) FROM telemetry.ingest_runs)
    ) AS own WHERE own.used > coalesce(pg_sequence_last_value(own.sequence), 0)
"""


async def catch_up(session: Session) -> None:
    """Go on counting above all that is stored: transaction numbers, ids of the ledger and of the journal.

    What came since an export is told by greater numbers, so those of all that are noted count as well.
    """
    async with session.transaction(repeatable=True):
        await locks.take_migration(session)
        await session.change(_SHIFT)
        await session.fetch(_IDENTITIES)
