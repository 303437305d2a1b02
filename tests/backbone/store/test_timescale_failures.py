"""What errors of the server mean, and that no address or message gives a password away."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.store.errors import FencedOut, RowRefused, SchemaMismatch, StoreBusy, StoreError, StoreUnavailable
from backbone.store.timescale import Bounds, TimescaleStore
from backbone.store.timescale.database import place_of
from backbone.store.timescale.failures import KeysStand, connection_lost, explained, rolled_back


def server_error(sqlstate: str, **more: str) -> Any:
    fields = {"S": "ERROR", "V": "ERROR", "C": sqlstate, "M": "what happened", "D": "Key (symbol)=(SECRET)", **more}
    return asyncpg.PostgresError.new(fields)


@pytest.mark.parametrize(
    ("sqlstate", "meaning", "text"),
    [
        ("08006", StoreUnavailable, "try again"),
        ("57P01", StoreUnavailable, "try again"),
        ("57P03", StoreUnavailable, "try again"),
        ("57014", StoreBusy, "try again"),
        ("40001", StoreBusy, "try again"),
        ("40P01", StoreBusy, "try again"),
        ("55P03", StoreBusy, "try again"),
        ("53300", StoreUnavailable, "pool_size"),
        ("53100", StoreUnavailable, "disk is full"),
        ("53200", StoreUnavailable, "out of resources"),
        ("25006", StoreUnavailable, "primary"),
        ("28P01", StoreUnavailable, "store.password"),
        ("3D000", StoreUnavailable, "store.database"),
        ("42501", StoreUnavailable, "grant"),
        ("42P01", SchemaMismatch, "backbone migrate"),
        ("3F000", SchemaMismatch, "backbone migrate"),
        ("42703", SchemaMismatch, "backbone migrate"),
        ("23505", KeysStand, "somebody else"),
        ("23503", StoreError, "somebody else"),
        ("54000", RowRefused, "at a time"),
        ("22P02", RowRefused, "22P02"),
        ("23514", RowRefused, "23514"),
        ("P0001", StoreError, "server's log"),
        ("42P10", StoreError, "server's log"),
        ("42601", StoreError, "server's log"),
        ("XX000", StoreError, "server's log"),
    ],
)
def test_each_sqlstate_says_what_to_do_and_never_quotes_data(
    sqlstate: str, meaning: type[Exception], text: str
) -> None:
    error = explained(server_error(sqlstate), "db:5432/x", 10.0)
    assert type(error) is meaning
    assert text in str(error)
    assert sqlstate in str(error)
    assert "SECRET" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("sqlstate", ["42704", "22023"])
def test_an_option_of_the_url_that_the_server_does_not_take_is_no_matter_of_tables_or_rows(sqlstate: str) -> None:
    error = explained(server_error(sqlstate, S="FATAL", V="FATAL"), "db:5432/x", 10.0)
    assert type(error) is StoreUnavailable
    assert "store.url" in str(error)
    assert "migrate" not in str(error)


def test_what_the_client_complains_of_is_refused_too() -> None:
    error = explained(asyncpg.InterfaceError("another operation is in progress"), "db:5432/x", 10.0)
    assert type(error) is StoreError
    assert "another operation" in str(error)


def test_only_what_waiting_can_mend_is_waited_for() -> None:
    passing = {
        state: getattr(explained(server_error(state), "db:5432/x", 10.0), "passing", False)
        for state in ("57P03", "08006", "53300", "28P01", "3D000", "25006", "42501", "P0001")
    }
    assert [state for state, waits in passing.items() if waits] == ["57P03", "08006", "53300"]
    assert getattr(explained(ConnectionRefusedError("refused"), "db:5432/x", 10.0), "passing", False)


def test_a_bug_of_ours_is_not_explained_away() -> None:
    assert explained(TypeError("x"), "db:5432/x", 10.0) is None


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("reset"),
        OSError("no route"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
        server_error("57P01"),
    ],
)
def test_a_lost_connection_is_known_as_such(error: Exception) -> None:
    assert connection_lost(error)
    assert isinstance(explained(error, "db:5432/x", 10.0), StoreUnavailable)


def test_silence_is_no_lost_connection_and_the_stores_own_errors_pass() -> None:
    assert not connection_lost(TimeoutError())
    assert isinstance(explained(TimeoutError(), "db:5432/x", 10.0), StoreUnavailable)
    own = FencedOut("csv", "trades", 1, 2)
    assert explained(own, "db:5432/x", 10.0) is own


def test_a_commit_is_certain_only_where_the_server_says_so_and_lives_on() -> None:
    assert rolled_back(server_error("40001"))
    assert not rolled_back(server_error("57P01", S="FATAL", V="FATAL"))
    assert not rolled_back(ConnectionResetError())


SECRETS = st.text(min_size=6, max_size=20).filter(lambda text: text.isprintable())


@given(SECRETS, SECRETS)
def test_a_place_never_holds_user_or_password(user: str, password: str) -> None:
    user, password = f"user{user}", f"canary{password}"
    proper = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@db.example:5433/prices?sslmode=require"
    assert place_of(proper) == "db.example:5433/prices"
    assert "canary" not in place_of(f"postgresql://{user}:{password}@db.example:5433/prices?sslmode=require")
    assert "canary" not in repr(TimescaleStore(proper))


@pytest.mark.parametrize("password", ["ca[nary", "ca]nary", "ca/nary", "12/canary", "ca?nary", "ca#nary", "[canary]"])
async def test_an_address_that_can_not_be_read_is_refused_without_being_shown(password: str) -> None:
    with pytest.raises(StoreUnavailable, match="percent-encoded") as refused:
        await TimescaleStore(f"postgresql://user:{password}@db.example/prices").open()
    assert "nary" not in str(refused.value)
    assert refused.value.__context__ is None


def test_the_client_gives_up_after_the_server_should_have() -> None:
    bounds = Bounds(statement_timeout=2.0)
    assert bounds.server_settings("x")["statement_timeout"] == "2000"
    assert float(bounds.server_settings("x")["lock_timeout"]) < 2000
    assert 2.0 < bounds.command_timeout < bounds.deadline < bounds.long_deadline
