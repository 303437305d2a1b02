"""Bring a DuckDB file up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import duckdb

from backbone.store.duckdb import outbox
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


def _nothing(connection: Connection) -> None: ...


_AFTER: dict[str, Callable[[Connection], None]] = {"0003_delivery": outbox.place}
"""What SQL alone can not do, in the transaction of the migration."""


def migrate(
    connection: Connection, migrations: Sequence[Migration], *, now: datetime, dry_run: bool
) -> MigrationReport:
    """Apply what is missing, each migration in a transaction with the note that it was applied."""
    in_force = applied(connection)
    missing = pending(migrations, in_force)
    if dry_run:
        return MigrationReport(
            applied=(), pending=tuple(migration.name for migration in missing), current=max(in_force, default="")
        )
    if missing:
        connection.execute(_BOOTSTRAP)
    for migration in missing:
        with transaction(connection):
            connection.execute(migration.sql)
            _AFTER.get(migration.name, _nothing)(connection)
            connection.execute(
                "INSERT INTO telemetry.schema_migrations VALUES (?, ?, make_timestamptz(?))",
                [migration.name, migration.checksum, parameter(now)],
            )
    done = tuple(migration.name for migration in missing)
    return MigrationReport(applied=done, pending=(), current=max((*in_force, *done), default=""))


def applied(connection: Connection) -> dict[str, str]:
    """Checksum by name of the migrations in force."""
    try:  # cheaper than asking whether the table is there, which makes a new database list all that it has by itself
        found = connection.execute("SELECT name, checksum FROM telemetry.schema_migrations ORDER BY name").fetchall()
    except duckdb.CatalogException:
        return {}
    return dict(found)
