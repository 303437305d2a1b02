"""Stores on the real server: with TimescaleDB, and on plain PostgreSQL, each in a database of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio
import asyncpg

from backbone.domain import Dimension, Frame
from backbone.domain.clock import utc_now
from backbone.domain.identifiers import ingest_id
from backbone.services import native
from backbone.store.records import Chunk
from backbone.store.timescale import Bounds, TimescaleStore

KINDS = ("timescale", "postgres")
DAY = datetime(2024, 1, 1, tzinfo=UTC)
BARS, TRADES = Dimension.INTRADAY_BARS, Dimension.TRADES

SMALL = Bounds(pool_size=1, max_overflow=5)
HASTY = Bounds(pool_size=1, max_overflow=3, pool_timeout=1.0, connect_timeout=1.0, statement_timeout=1.0)
"""For servers that do not answer: what waits, waits a second."""

_EMPTY = """
SELECT format(
    CASE tablename WHEN 'pruned' THEN 'UPDATE %I.%I SET position = 0' ELSE 'DELETE FROM %I.%I' END,
    schemaname, tablename
) FROM pg_tables
WHERE schemaname IN ('market_data', 'telemetry') AND tablename NOT IN ('schema_migrations', 'identity', 'xid_shift')
"""


def dsn_of(services: native.Services, database: str) -> str:
    return urlunsplit(urlsplit(services.environment["BACKBONE_STORE_URL"])._replace(path=f"/{database}"))


async def make_database(services: native.Services, kind: str) -> str:
    """A fresh database; returns its URL. Autovacuum is off: its transactions would hold the outbox's horizon back."""
    name = f"test_{kind}_{secrets.token_hex(4)}"
    await services.sql("ALTER SYSTEM SET autovacuum = off")
    await services.sql("SELECT pg_reload_conf()")
    await services.sql(f"CREATE DATABASE {name} OWNER backbone")
    if kind == "timescale":
        owner = await asyncpg.connect(dsn_of(services, name), timeout=5)
        await owner.execute("CREATE EXTENSION timescaledb")
        await owner.close()
    return dsn_of(services, name)


async def drop_database(services: native.Services, dsn: str) -> None:
    await services.sql(f"DROP DATABASE {urlsplit(dsn).path[1:]} WITH (FORCE)")


@asynccontextmanager
async def bare(dsn: str) -> AsyncIterator[Any]:
    """A connection of the client, beside the store."""
    connection = await asyncpg.connect(dsn, timeout=5, command_timeout=20)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def empty(dsn: str) -> None:
    """Delete what earlier tests left."""
    async with bare(dsn) as connection:
        for (statement,) in await connection.fetch(_EMPTY):
            await connection.execute(statement)


@asynccontextmanager
async def opened(
    dsn: str,
    *,
    bounds: Bounds = SMALL,
    clock: Callable[[], datetime] = utc_now,
    max_payload_bytes: int = 512 * 1024,
    **more: Any,
) -> AsyncIterator[TimescaleStore]:
    store = TimescaleStore(dsn, bounds=bounds, clock=clock, max_payload_bytes=max_payload_bytes, **more)
    await store.open()
    await store.migrate()
    try:
        yield store
    finally:
        await store.close()


async def until_somebody_waits(dsn: str, sessions: int = 1) -> None:
    """Until so many sessions of the database wait for a lock."""
    waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
    async with bare(dsn) as connection:
        with anyio.fail_after(5):
            while await connection.fetchval(waiting) < sessions:  # noqa: ASYNC110  the server tells nobody
                await anyio.sleep(0.01)


def bars(closes: dict[int, float | None], symbol: str = "EURUSD", start: datetime = DAY) -> Frame:
    """Hourly bars: close by hour."""
    return Frame.from_records(
        BARS,
        [
            {"symbol": symbol, "interval": "1h", "ts": start + timedelta(hours=hour), "close": close}
            for hour, close in closes.items()
        ],
    )


def chunk(frame: Frame, run_id: str, **more: Any) -> Chunk:
    return Chunk(ingest_id("csv", frame), run_id, "csv", frame, **more)
