"""What the client raises, and what the caller of the store is told."""

from __future__ import annotations

import asyncpg
import pytest

from backbone.store.errors import StoreUnavailable
from backbone.store.timescale.failures import connection_lost, explained, plan_is_stale

PLACE = "127.0.0.1:5432/backbone"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("reset"),
        EOFError("end"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.CannotConnectNowError("the database system is in recovery mode"),
        asyncpg.CrashShutdownError("terminating connection because of crash of another server process"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_broke_means_that_the_store_is_unavailable(error: Exception) -> None:
    assert connection_lost(error)
    assert isinstance(explained(error, PLACE, 10.0), StoreUnavailable)


def test_a_schema_that_changed_is_no_lost_connection() -> None:
    error = asyncpg.OutdatedSchemaCacheError("cache lookup failed for type")
    assert plan_is_stale(error)
    assert not connection_lost(error)


def test_a_bug_is_seen_as_it_is() -> None:
    error = asyncpg.InterfaceError("another operation is in progress")
    assert not connection_lost(error)
    assert explained(error, PLACE, 10.0) is None
