"""Prove that the store answers and takes writes, and say what is there and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from backbone.store.migrations import Migration
from backbone.store.records import StoreInfo
from backbone.store.timescale import chunks
from backbone.store.timescale.holding import holder
from backbone.store.timescale.migrator import applied
from backbone.store.timescale.outbox import HORIZON
from backbone.store.timescale.roles import reads_only
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import Tables

__all__ = ["probe"]

_LONG = timedelta(seconds=5)

_FACTS = """
    SELECT current_setting('server_version') AS version, current_user AS role, pg_is_in_recovery() AS standby,
           current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync,
           current_setting('max_connections')::integer AS max_connections,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
           (SELECT extract(epoch FROM max(clock_timestamp() - xact_start))::float8 FROM pg_stat_activity
            WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()) AS oldest_transaction_s
"""


async def probe(session: Session, tables: Tables, migrations: Sequence[Migration], place: str) -> StoreInfo:
    """Commit a change that changes nothing, where the role may, read it back, and report."""
    facts = await session.row(_FACTS)
    missing = sorted({migration.name for migration in migrations} - set(await applied(session)))
    reader = not missing and await reads_only(session)
    writable = not missing and not facts["standby"] and not reader
    if writable:
        async with session.transaction(repeatable=True):
            await session.change("UPDATE telemetry.identity SET generation = generation")
    generation = "" if missing else await session.value("SELECT generation FROM telemetry.identity")
    held_by = None if missing else await holder(session, HORIZON, _LONG)
    having = await chunks.extension(session)
    plain = [] if having is None or missing else await chunks.plain_tables(session, tables)
    reasons = _reasons(facts, missing, having, [each.value for each in plain], held_by, reader=reader)
    return StoreInfo(
        backend="timescale",
        version=_version(facts["version"], having),
        path=place,
        generation=generation,
        healthy=writable or reader,
        degraded_reason="; ".join(reasons) or None,
        details={
            "licence": "none" if having is None else having.licence,
            "connections": f"{facts['connections']} of {facts['max_connections']}",
            "oldest_transaction_s": f"{facts['oldest_transaction_s'] or 0.0:.1f}",
        },
    )


def _version(server: str, having: chunks.Extension | None) -> str:
    number = server.partition(" ")[0]
    return f"PostgreSQL {number}" if having is None else f"PostgreSQL {number}, TimescaleDB {having.version}"


def _reasons(
    facts: Any,
    missing: Sequence[str],
    having: chunks.Extension | None,
    plain: Sequence[str],
    held_by: str | None,
    *,
    reader: bool,
) -> Sequence[str]:
    reasons = []
    if reader:
        reasons.append(f"read only: {facts['role']} may not write; ingest and record are refused")
    if facts["standby"]:
        reasons.append("read-only standby: nothing can be written; give store.url the primary")
    if missing:
        reasons.append(f"migrations pending: {', '.join(missing)}; run `backbone migrate`")
    if having is None:
        reasons.append("plain PostgreSQL: works, without chunks; CREATE EXTENSION timescaledb, then `backbone migrate`")
    if plain:
        reasons.append(f"plain tables: {', '.join(plain)}; run `backbone migrate` to make hypertables of them")
    if held_by is not None:
        reasons.append(f"publishing is held back: {held_by}")
    if facts["synchronous_commit"] == "off" or facts["fsync"] == "off":
        reasons.append("synchronous_commit or fsync is off: the server may lose its last commits in a crash")
    return reasons
