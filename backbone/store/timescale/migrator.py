"""Bring a database up to date. Any number of processes may try at once: one works, the others find it done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from backbone.store.errors import SchemaMismatch
from backbone.store.migrations import Migration, pending
from backbone.store.records import MigrationReport
from backbone.store.sql import quoted
from backbone.store.timescale import chunks, counting, locks, outbox
from backbone.store.timescale.roles import reads_only, refuse_foreign
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import Tables

__all__ = ["applied", "migrate"]

_BOOTSTRAP = """
CREATE SCHEMA IF NOT EXISTS telemetry;
CREATE TABLE IF NOT EXISTS telemetry.schema_migrations (
    name text COLLATE "C" PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL
);
"""

_AFTER: dict[str, Callable[[Session], Awaitable[None]]] = {"0003_delivery": outbox.place}
"""What SQL alone can not do, in the transaction of the migration."""

_NO_HURRY = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"


async def migrate(
    session: Session, tables: Tables, migrations: Sequence[Migration], *, now: datetime, dry_run: bool
) -> MigrationReport:
    """Apply what is missing, each migration in a transaction with the note that it was applied.

    Raises:
        SchemaMismatch: a migration in force was edited or is not known, or the server or database can't be used.
    """
    await _require(session)
    await refuse_foreign(session, tables)
    if dry_run:
        in_force = await applied(session)
        missing = pending(migrations, in_force)
        names = tuple(migration.name for migration in missing)
        return MigrationReport(applied=(), pending=names, current=max(in_force, default=""))
    if await reads_only(session):
        return await _as_it_is(session, migrations)
    done: list[str] = []
    while (name := await _next(session, tables, migrations, now)) is not None:
        done.append(name)
    await _settle(session, tables)
    return MigrationReport(applied=tuple(done), pending=(), current=max(await applied(session), default=""))


async def _as_it_is(session: Session, migrations: Sequence[Migration]) -> MigrationReport:
    """What is in force, for a role that may only read: nothing is brought up to date by it.

    Raises:
        SchemaMismatch: something is missing, so that what is read may be elsewhere.
    """
    in_force = await applied(session)
    missing = pending(migrations, in_force)
    if missing:
        names = ", ".join(migration.name for migration in missing)
        raise SchemaMismatch(f"migrations pending: {names}; this role only reads: run `backbone migrate` as the owner")
    return MigrationReport(applied=(), pending=(), current=max(in_force, default=""))


async def applied(session: Session) -> dict[str, str]:
    """Checksum by name of the migrations in force."""
    if await session.value("SELECT to_regclass('telemetry.schema_migrations')") is None:
        return {}
    return dict(await session.fetch("SELECT name, checksum FROM telemetry.schema_migrations ORDER BY name"))


async def _next(session: Session, tables: Tables, migrations: Sequence[Migration], now: datetime) -> str | None:
    """Apply the first migration that is missing; None when none is."""
    if not pending(migrations, await applied(session)):
        return None
    async with session.transaction():
        await session.script(_NO_HURRY)
        await locks.take_migration(session)
        missing = pending(migrations, await applied(session))
        if not missing:
            return None
        first = missing[0]
        await session.script(_BOOTSTRAP)
        await session.script(f"CREATE SCHEMA IF NOT EXISTS {quoted(tables.schema)}")
        await refuse_foreign(session, tables)  # they may be somebody's who was faster
        # names without a schema in a migration are tables of rows
        await session.script(f"SET LOCAL search_path TO {quoted(tables.schema)}")
        await session.script(first.sql)
        if first.name in _AFTER:
            await _AFTER[first.name](session)
        await session.change(
            "INSERT INTO telemetry.schema_migrations VALUES ($1, $2, $3)", first.name, first.checksum, now
        )
    return first.name


async def _settle(session: Session, tables: Tables) -> None:
    """What depends on the server and not on a version: hypertables, and numbers that only ever rise."""
    having = await chunks.extension(session)
    if having is not None and await chunks.plain_tables(session, tables):
        async with session.transaction():
            await session.script(_NO_HURRY)
            await locks.take_migration(session)
            await chunks.arrange(session, tables, having)
    await counting.catch_up(session)


async def _require(session: Session) -> None:
    number, encoding = await session.row(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding')"
    )
    if number < 140_000:
        raise SchemaMismatch(f"PostgreSQL {number // 10_000} given; 14 or newer is needed; upgrade the server")
    if encoding != "UTF8":
        raise SchemaMismatch(f"a database in {encoding} given; make one with ENCODING 'UTF8'")
