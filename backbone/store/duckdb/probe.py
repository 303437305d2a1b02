"""Prove that the store answers and takes writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from backbone.store.duckdb.memory import MEMORY
from backbone.store.duckdb.migrator import applied
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, first
from backbone.store.migrations import Migration
from backbone.store.records import StoreInfo

__all__ = ["probe"]


def probe(connection: Connection, path: str, migrations: Sequence[Migration]) -> StoreInfo:
    """Commit a change that changes nothing, read it back, and report."""
    generation = ""
    missing = sorted({migration.name for migration in migrations} - set(applied(connection)))
    if not missing:
        with transaction(connection):
            connection.execute("UPDATE telemetry.identity SET generation = generation")
        (generation,) = first(connection, "SELECT generation FROM telemetry.identity")
    return StoreInfo(
        backend="duckdb",
        version=duckdb.__version__,
        path=path,
        generation=generation,
        healthy=not missing,
        degraded_reason=f"migrations pending: {', '.join(missing)}; run `backbone migrate`" if missing else None,
        details={"lifetime": "this process"} if path == MEMORY else _sizes(path),
    )


def _sizes(path: str) -> dict[str, str]:
    """Bytes of the file and of its write-ahead log."""
    files = {"file_bytes": Path(path), "wal_bytes": Path(f"{path}.wal")}
    return {name: str(file.stat().st_size) if file.exists() else "0" for name, file in files.items()}
