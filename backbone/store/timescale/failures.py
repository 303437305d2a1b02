"""What an error of the client or the server means to the caller of the store.

Messages carry the SQLSTATE, the server's first line and the name of a constraint, never DETAIL, which quotes data.
"""

from __future__ import annotations

import asyncpg

from backbone.settings import redact
from backbone.store.errors import RowRefused, SchemaMismatch, StoreBusy, StoreError, StoreUnavailable, Unsupported
from backbone.store.timescale.tls import distrust

__all__ = [
    "BROKEN",
    "EXPLAINED",
    "KeysStand",
    "SetBack",
    "connection_lost",
    "explained",
    "forbidden",
    "plan_is_stale",
    "rolled_back",
]

BROKEN = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What giving up a connection may raise that is given up anyway."""

EXPLAINED = (*BROKEN, EOFError, StoreError, ValueError)
"""What `explained` has an answer to; all else is a bug of ours."""

_LOST = ("08", "57P01", "57P02", "57P03")
_BUSY = ("40001", "40P01", "55P03", "57014", "25P03", "25P04")
_NO_TABLES = ("42P01", "3F000", "42703", "42883", "42704")
_OF_A_LOGIN = ("42704", "22023")  # FATAL: an option of the URL that the server does not know, or not with this value
_OF_A_ROW = ("23502", "23514")  # what a column or a check of the tables does not take
_REMEDIES = {
    "25006": "it is a read-only standby: give store.url the primary",
    "28": "check store.user and store.password",
    "3D000": "make the database, or correct store.database",
    "42501": "grant the role what it lacks, or connect as the owner of the tables",
    "53100": "its disk is full: make room",
    "53300": "it has no connection left: lower store.pool_size, or raise max_connections",
    "53": "it is out of resources: see its log",
}

_NUMBERED = ("ledger_pkey", "ingest_runs_pkey")


class SetBack(SchemaMismatch):
    """The server counts transactions, or ids of ours, from lower than what is stored."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: the server counts from lower than what is stored, it was restored from elsewhere; "
            "run `backbone migrate`, which goes on above that"
        )


class KeysStand(StoreError):
    """A row stands already under a key that the ledger does not know of."""


def explained(error: BaseException, place: str, waited: float) -> StoreError | ValueError | None:
    """The error to raise instead, None if this one is a bug of ours and has to be seen as it is.

    Whatever server and client complain of is no such bug, known to this table or not: a trigger may raise what it
    likes.

    Args:
        error: what the client raised.
        place: host, port and database.
        waited: seconds after which the client gives up on a statement.
    """
    if (distrusted := distrust(error, place)) is not None:
        return distrusted
    if isinstance(error, StoreError | ValueError):
        return error
    if isinstance(error, TimeoutError):
        return StoreUnavailable(
            f"{place} did not answer in time, or all connections were busy (a statement gets {waited:g} s); "
            "see `backbone status`, then the server",
            passing=True,
        )
    if isinstance(error, asyncpg.PostgresError) and getattr(error, "sqlstate", None):
        return _by_sqlstate(error, place)
    if connection_lost(error):
        text = f"{place}: connection lost or refused: {_first_line(error)}; is the server up?"
        return StoreUnavailable(text, passing=True)
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return StoreError(f"{place}: {_first_line(error)}; nothing was written, see the server's log")
    return None


def _by_sqlstate(error: asyncpg.PostgresError, place: str) -> StoreError | ValueError:
    state = str(error.sqlstate)
    text = f"{place}: {_first_line(error)} (SQLSTATE {state})"
    if state in _OF_A_LOGIN and getattr(error, "severity_en", "") == "FATAL":
        return StoreUnavailable(f"{text}; correct the options behind the ? of store.url")
    if state in _NO_TABLES:
        return SchemaMismatch(f"{text}; run `backbone migrate`")
    if state in _BUSY:
        return StoreBusy(f"{text}; try again", passing=True)
    if state.startswith(_LOST):
        return StoreUnavailable(f"{text}; try again", passing=True)
    remedy = _REMEDIES.get(state) or _REMEDIES.get(state[:2])
    if remedy is not None:
        return StoreUnavailable(f"{text}; {remedy}", passing=state.startswith("53"))
    if state.startswith("54"):
        return RowRefused(f"{text}; a key text is too long, or too much was asked for at a time")
    if state.startswith("22") or state in _OF_A_ROW:
        return RowRefused(text)
    if state == "23505" and error.constraint_name in _NUMBERED:
        return SetBack(text)
    if state.startswith("23"):
        kind = KeysStand if state == "23505" else StoreError
        return kind(f"{text}, constraint {error.constraint_name}; somebody else writes to these tables")
    return StoreError(f"{text}; nothing was written, see the server's log")


def forbidden(error: BaseException, place: str) -> Unsupported:
    """The error to raise where a role that only reads was to write: no outage, and no trying again."""
    return Unsupported(f"{place}: {_first_line(error)} (SQLSTATE 42501); this role only reads: give one that may write")


def connection_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that nothing can have come of what was under way, unless it was a COMMIT."""
    if isinstance(error, asyncpg.PostgresError):
        return str(getattr(error, "sqlstate", "")).startswith(_LOST)
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error) or "released" in str(error)
    if isinstance(error, asyncpg.OutdatedSchemaCacheError):
        return False
    if isinstance(error, asyncpg.InternalClientError):
        return True  # the server's last words came between two steps of the client, which has lost its place
    if distrust(error, "") is not None:
        return False
    return isinstance(error, OSError | EOFError) and not isinstance(error, TimeoutError)


def beaten(error: BaseException) -> bool:
    """Whether the server has ended the transaction so that another one, which wanted the same, can go on."""
    return isinstance(error, asyncpg.PostgresError) and getattr(error, "sqlstate", "") in {"40P01", "40001"}


def plan_is_stale(error: BaseException) -> bool:
    """Whether a prepared statement does not fit the tables any more, because they were changed."""
    return isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError) or (
        isinstance(error, asyncpg.PostgresError) and getattr(error, "sqlstate", "") == "26000"
    )


def rolled_back(error: BaseException) -> bool:
    """Whether the server itself said of a COMMIT that it failed, and lives on: then it is certain."""
    return isinstance(error, asyncpg.PostgresError) and getattr(error, "severity_en", "") == "ERROR"


def _first_line(error: BaseException) -> str:
    return redact(str(error).strip().split("\n", 1)[0]) or type(error).__name__
