"""A connection beside the store's own: for who holds a moment, and for who reads it on an executor."""

from __future__ import annotations

import math
from typing import Any

from backbone.settings import Secret, SettingsError
from backbone.settings.connections import fill_in
from backbone.settings.sections.store import StoreSettings
from backbone.settings.transport import refusal_of_store
from backbone.store.errors import SnapshotLost, StoreUnavailable

__all__ = ["READING_SECONDS", "address_of", "close", "connected", "database_of", "is_lost", "joined", "lost"]

READING_SECONDS = 3600.0
"""One partition is read within that."""

_CLOSE_SECONDS = 5.0
_LOST = frozenset({"42704", "22023"})  # undefined_object, and invalid_parameter_value before PostgreSQL 17


def database_of(store: StoreSettings) -> Any:
    """What connects to it; nothing is asked yet.

    Raises:
        SettingsError: it is on another machine, and not asked by verified TLS.
        StoreUnavailable: asyncpg is not installed here.
    """
    try:
        from backbone.store.timescale import Bounds
        from backbone.store.timescale.database import Database
        from backbone.store.timescale.tls import require_files
    except ModuleNotFoundError as error:
        raise StoreUnavailable("the data source needs asyncpg in Spark's Python: pip install asyncpg") from error
    dsn = store.dsn()
    if dsn is None:
        raise StoreUnavailable("store.url is missing")
    bounds = Bounds(connect_timeout=store.connect_timeout, statement_timeout=READING_SECONDS)
    database = Database(dsn, bounds, f"{store.application_name} spark", insecure=store.insecure)
    if database.exposed and not store.insecure:
        raise SettingsError(refusal_of_store(database.exposed))
    require_files(dsn)
    return database


def address_of(store: StoreSettings) -> Secret:
    """The URL for a client that by itself waits for ever: for a server that is silent, and for a network that is gone.

    Raises:
        SettingsError, StoreUnavailable: as `database_of`.
    """
    database_of(store)
    dsn = store.dsn()
    waiting = {
        "connect_timeout": str(max(2, math.ceil(store.connect_timeout))),
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "application_name": f"{store.application_name} spark",
    }
    return fill_in("" if dsn is None else dsn.reveal(), None, waiting)


async def connected(store: StoreSettings, seconds: float) -> Any:
    """A connection of which a transaction lasts at most so long.

    Raises:
        StoreUnavailable: the server does not answer or refuses.
    """
    from backbone.store.timescale.failures import EXPLAINED

    database, connection = database_of(store), None
    try:
        connection = await database.apart(seconds)
        limit = max(1, round(1000 * seconds))
        names = ("statement_timeout", "idle_in_transaction_session_timeout")
        await connection.execute("; ".join(f"SET {name} = {limit}" for name in names))
    except EXPLAINED as error:
        if connection is not None:
            connection.terminate()
        raise database.explained(error) from error
    return connection


async def joined(store: StoreSettings, moment: str) -> Any:
    """A connection in a transaction that sees the moment.

    Raises:
        SnapshotLost: nobody holds it any more.
        StoreUnavailable: the server does not answer or refuses.
    """
    import asyncpg

    from backbone.store.timescale.session import READ

    connection = await connected(store, READING_SECONDS)
    try:
        await connection.execute(f"BEGIN {READ}")
        await connection.execute(f"SET TRANSACTION SNAPSHOT '{_quoted(moment)}'")
    except asyncpg.PostgresError as error:
        connection.terminate()
        if is_lost(error):
            raise lost() from None
        raise StoreUnavailable(f"the moment can't be read: {error}") from error
    return connection


def is_lost(error: Exception) -> bool:
    """Whether a client says, of the statement that names the moment, that there is no such one."""
    return getattr(error, "sqlstate", None) in _LOST


def lost() -> SnapshotLost:
    """What to say where nobody holds the moment any more."""
    return SnapshotLost("the moment is gone: who held it has ended, or it lasted too long; read again under another")


async def close(connection: Any) -> None:
    """Close it, politely or not."""
    try:
        await connection.close(timeout=_CLOSE_SECONDS)
    except (OSError, TimeoutError):
        connection.terminate()


def _quoted(text: str) -> str:
    return text.replace("'", "''")
