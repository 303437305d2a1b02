"""TimescaleDB where it is there: what it is, hypertables, and chunks that go as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from backbone.domain.dimension import Dimension
from backbone.store.errors import Unsupported
from backbone.store.sql import quoted
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import Tables

__all__ = ["Extension", "arrange", "drop_chunks", "extension", "plain_tables"]


@dataclass(frozen=True, slots=True)
class Extension:
    """The extension in this database.

    Attributes:
        schema: where its functions are.
        version: of the extension.
        licence: "timescale" with compression and policies, "apache" without.
    """

    schema: str
    version: str
    licence: str


async def extension(session: Session) -> Extension | None:
    """The extension, or None: then the tables are plain."""
    found = await session.row(
        """
        SELECT n.nspname, e.extversion, coalesce(current_setting('timescaledb.license', true), 'unknown')
        FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'
        """
    )
    return None if found is None else Extension(*found)


async def plain_tables(session: Session, tables: Tables) -> Sequence[Dimension]:
    """The dimensions whose table is no hypertable, in a database that has the extension."""
    found = await session.fetch(
        "SELECT hypertable_name FROM timescaledb_information.hypertables WHERE hypertable_schema = $1", tables.schema
    )
    chunked = {name for (name,) in found}
    return [dimension for dimension in Dimension if dimension.value not in chunked]


async def arrange(session: Session, tables: Tables, having: Extension) -> Sequence[Dimension]:
    """Make hypertables of the tables that are plain yet; rows that are there move into chunks."""
    missing = await plain_tables(session, tables)
    for dimension in missing:
        await session.value(
            f"""
            SELECT {quoted(having.schema)}.create_hypertable(
                $1::text::regclass, 'ts', chunk_time_interval => $2::interval,
                create_default_indexes => false, migrate_data => true, if_not_exists => true
            )
            """,
            tables.rows(dimension),
            dimension.chunk,
        )
    return missing


async def drop_chunks(
    session: Session, tables: Tables, dimension: Dimension, before: datetime, having: Extension | None
) -> None:
    """Drop the chunks that end by that moment; rows before it in the chunk that goes on stay.

    Raises:
        Unsupported: the tables are another role's, who alone may do so.
    """
    if having is None or dimension in await plain_tables(session, tables):
        return
    statement = f"SELECT {quoted(having.schema)}.drop_chunks($1::text::regclass, older_than => $2::timestamptz)"
    try:
        await session.fetch(statement, tables.rows(dimension), before)
    except asyncpg.InsufficientPrivilegeError as error:  # no outage: all else is this role's to do
        raise Unsupported(
            f"{dimension.value}: chunks are dropped by the owner of the tables alone (SQLSTATE 42501); nothing was "
            "dropped: run `backbone retention --apply` as that role, and leave retention.enabled out for this one"
        ) from error
