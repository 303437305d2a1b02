"""Bring a DuckDB file up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import duckdb

from backbone.store.duckdb import outbox
from backbone.store.duckdb.memory import MemoryDatabase
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, parameter
from backbone.store.migrations import Migration, pending
from backbone.store.records import MigrationReport

__all__ = ["applied", "migrate"]

_BOOTSTRAP = """
CREATE SCHEMA IF NOT EXISTS telemetry;
CREATE TABLE IF NOT EXISTS telemetry.schema_migrations (
    name VARCHAR NOT NULL,
    checksum VARCHAR NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL
);
"""

_ITS_OWN = "UPDATE telemetry.identity SET generation = replace(uuid()::VARCHAR, '-', '')"
"""Who reads positions elsewhere can tell by it that they are of another database."""


def _nothing(connection: Connection) -> None: ...


_AFTER: dict[str, Callable[[Connection], None]] = {"0003_delivery": outbox.place}
"""What SQL alone can not do, in the transaction of the migration."""


def migrate(
    connection: Connection,
    migrations: Sequence[Migration],
    *,
    now: datetime,
    dry_run: bool,
    memory: MemoryDatabase | None = None,
) -> MigrationReport:
    """Apply what is missing, each migration in a transaction with the note that it was applied.

    Args:
        connection: to the database.
        migrations: those shipped.
        now: the moment to note.
        dry_run: only say what is missing.
        memory: the database, where it is one in memory.
    """
    in_force = applied(connection)
    missing = pending(migrations, in_force)
    if dry_run:
        return MigrationReport(
            applied=(), pending=tuple(migration.name for migration in missing), current=max(in_force, default="")
        )
    if missing and (in_force or not (_copied(memory, connection, missing, now) or _at_once(connection, missing, now))):
        _one_by_one(connection, missing, now)
    done = tuple(migration.name for migration in missing)
    return MigrationReport(applied=done, pending=(), current=max((*in_force, *done), default=""))


def _one_by_one(connection: Connection, missing: Sequence[Migration], now: datetime) -> None:
    """Apply one after the other; where one fails, those before it stand."""
    connection.execute(_BOOTSTRAP)
    for migration in missing:
        with transaction(connection):
            _apply(connection, migration)
            _note(connection, [migration], now)


def _at_once(connection: Connection, missing: Sequence[Migration], now: datetime) -> bool:
    """Apply all to an empty database in one transaction, which is one wait for the disk; False: one of them fails."""
    try:
        with transaction(connection):
            connection.execute(_BOOTSTRAP)
            for migration in missing:
                _apply(connection, migration)
            _note(connection, missing, now)
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        return False
    return True


def _copied(memory: MemoryDatabase | None, connection: Connection, missing: Sequence[Migration], now: datetime) -> bool:
    """Fill an empty database in memory as others were filled, but for what is its own; False: it can't be."""
    key = "".join(migration.checksum for migration in missing)
    filling = memory and memory.filling(connection, key, lambda c: _one_by_one(c, missing, now))
    if filling is None:
        return False
    with transaction(connection):
        connection.execute(f"{filling}; {_ITS_OWN}")
        connection.execute("UPDATE telemetry.schema_migrations SET applied_at = make_timestamptz(?)", [parameter(now)])
    return True


def _apply(connection: Connection, migration: Migration) -> None:
    connection.execute(migration.sql)
    _AFTER.get(migration.name, _nothing)(connection)


def _note(connection: Connection, migrations: Sequence[Migration], now: datetime) -> None:
    """Note that they are in force."""
    rows = ", ".join(["(?, ?, make_timestamptz(?))"] * len(migrations))
    values = [each for one in migrations for each in (one.name, one.checksum, parameter(now))]
    connection.execute(f"INSERT INTO telemetry.schema_migrations VALUES {rows}", values)  # noqa: S608


def applied(connection: Connection) -> dict[str, str]:
    """Checksum by name of the migrations in force."""
    try:  # cheaper than asking whether the table is there, which makes a new database list all that it has by itself
        found = connection.execute("SELECT name, checksum FROM telemetry.schema_migrations ORDER BY name").fetchall()
    except duckdb.CatalogException:
        return {}
    return dict(found)
