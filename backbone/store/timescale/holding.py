"""Who holds publishing back: the oldest transaction with a number, wherever in the server it is open."""

from __future__ import annotations

from datetime import timedelta

from backbone.store.timescale.session import Session

__all__ = ["holder"]

_OLDEST = """
    SELECT h.pid, h.gid, h.name, h.owner, h.place, h.since, extract(epoch FROM clock_timestamp() - h.since)::float8
    FROM (
        SELECT backend_xid AS xid, pid, NULL::text AS gid, application_name AS name, usename AS owner, datname AS place,
            xact_start AS since
        FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
        UNION ALL
        SELECT transaction, NULL, gid, NULL, owner, database, prepared FROM pg_prepared_xacts
    ) AS h
    WHERE h.since < clock_timestamp() - $1::interval
        AND EXISTS (SELECT FROM telemetry.outbox WHERE position >= {horizon})
    ORDER BY age(h.xid) DESC LIMIT 1
"""


async def holder(session: Session, horizon: str, longer_than: timedelta) -> str | None:
    """Whose transaction keeps committed changes from being published, since when, and what to do; None: nobody's.

    Args:
        session: of any role; of others' sessions it sees all that pg_monitor may see, of prepared transactions all.
        horizon: expression of the first position that may not be read yet.
        longer_than: a transaction has to be open for this time to be named.
    """
    found = await session.row(_OLDEST.format(horizon=horizon), longer_than)
    if found is None:
        return None
    pid, gid, name, owner, place, since, seconds = found
    when = f"of {owner} in database {place}, open since {since:%Y-%m-%d %H:%M:%S} UTC ({seconds:.0f} s)"
    if gid is not None:
        return f"prepared transaction {gid!r} {when}; COMMIT PREPARED or ROLLBACK PREPARED it there"
    return f"transaction of pid {pid} ({name or 'no name'}) {when}; end it, or SELECT pg_terminate_backend({pid})"
