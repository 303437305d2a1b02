"""Rows that are put into a table, few or many: what stands there is what was given, whatever failed before."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from backbone.domain.clock import MAX_US, MIN_US
from backbone.store.duckdb.putting import FEW, MOMENT, Columns, put
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection

NUMBER, TEXT = pa.int64(), pa.string()
NUMBERS = "SELECT number FROM held ORDER BY number"


@pytest.fixture
def connection() -> Iterator[Connection]:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE held (number BIGINT NOT NULL, name VARCHAR, seen TIMESTAMPTZ, body BLOB, x DOUBLE)"
        )
        yield connection


def numbers(connection: Connection) -> list[int]:
    return [number for (number,) in connection.execute(NUMBERS).fetchall()]


@pytest.mark.parametrize("rows", [1, 2, FEW, FEW + 1])
def test_every_row_stands_as_it_was_given(connection: Connection, rows: int) -> None:
    columns: Columns = {
        "seen": (MOMENT, [[MIN_US, -1, 0, MAX_US][n % 4] for n in range(rows)]),
        "number": (NUMBER, [n - 2**63 for n in range(rows)]),
        "body": (pa.binary(), [b"\0\xff" * n or b"" for n in range(rows)]),
        "name": (TEXT, [[None, "", "né\0t"][n % 3] for n in range(rows)]),
    }
    put(connection, "held", columns)
    found = connection.execute("SELECT epoch_us(seen), number, body, name, x FROM held ORDER BY number").fetchall()
    given = [(*row, None) for row in zip(*(values for _, values in columns.values()), strict=True)]
    assert found == given


@pytest.mark.parametrize("bad", [None, 2**70])
def test_rows_of_a_put_that_failed_come_with_no_later_one(connection: Connection, bad: int | None) -> None:
    put(connection, "held", {"number": (NUMBER, [1])})
    with pytest.raises(duckdb.Error):
        put(connection, "held", {"number": (NUMBER, [2, 3, bad])})
    put(connection, "held", {"number": (NUMBER, [4])})
    assert numbers(connection) == [1, 4]


def test_columns_of_unequal_length_put_nothing_then_or_later(connection: Connection) -> None:
    put(connection, "held", {"number": (NUMBER, [1]), "name": (TEXT, ["a"])})
    with pytest.raises(ValueError, match="shorter"):
        put(connection, "held", {"number": (NUMBER, [2, 3]), "name": (TEXT, ["b"])})
    put(connection, "held", {"number": (NUMBER, [4]), "name": (TEXT, ["c"])})
    assert numbers(connection) == [1, 4]


def test_the_same_table_is_put_into_by_other_columns(connection: Connection) -> None:
    put(connection, "held", {"number": (NUMBER, [1]), "name": (TEXT, ["a"])})
    put(connection, "held", {"number": (NUMBER, [2]), "body": (pa.binary(), [b"b"])})
    put(connection, "held", {"name": (TEXT, ["3"]), "number": (NUMBER, [3])})
    found = connection.execute("SELECT number, name, body FROM held ORDER BY number").fetchall()
    assert found == [(1, "a", None), (2, None, b"b"), (3, "3", None)]


def test_what_is_rolled_back_is_gone_and_what_follows_goes_in(connection: Connection) -> None:
    for number in (1, 2, 3):
        connection.begin()
        put(connection, "held", {"number": (NUMBER, [number])})
        connection.rollback() if number == 2 else connection.commit()
    assert numbers(connection) == [1, 3]


def test_a_table_that_has_changed_is_put_into_as_it_is(connection: Connection) -> None:
    put(connection, "held", {"number": (NUMBER, [1])})
    connection.execute("DROP TABLE held")
    with pytest.raises(duckdb.Error):
        put(connection, "held", {"number": (NUMBER, [2])})
    connection.execute("CREATE TABLE held (other VARCHAR, number BIGINT)")
    put(connection, "held", {"number": (NUMBER, [3])})
    assert connection.execute("SELECT other, number FROM held").fetchall() == [(None, 3)]


def test_connections_are_put_into_apart(connection: Connection) -> None:
    with connection.cursor() as other, transaction(connection):
        put(connection, "held", {"number": (NUMBER, [1])})
        put(other, "held", {"number": (NUMBER, [2])})
        assert numbers(connection) == [1]  # its snapshot is from before
    assert numbers(connection) == [1, 2]
