"""Databases in memory: rows outlive the connections to them, and no longer."""

import pytest

from backbone.store.duckdb.memory import MemoryDatabase

CONFIG = {"enable_external_access": "false"}

attached = pytest.mark.parametrize("attached", [True, False])


@attached
def test_each_is_a_database_of_its_own(attached: bool) -> None:
    one, two = MemoryDatabase(attached=attached), MemoryDatabase(attached=attached)
    first, second = one.connect(CONFIG), two.connect(CONFIG)
    for connection in (first, second):
        connection.execute("CREATE SCHEMA s; CREATE TABLE s.t (a INTEGER)")
    first.execute("INSERT INTO s.t VALUES (1)")
    assert first.execute("SELECT count(*) FROM s.t").fetchall() == [(1,)]
    assert second.execute("SELECT count(*) FROM s.t").fetchall() == [(0,)]
    for each in (first, second, one, two):
        each.close()


@attached
def test_rows_outlive_a_connection_and_its_open_transaction(attached: bool) -> None:
    database = MemoryDatabase(attached=attached)
    first = database.connect(CONFIG)
    first.execute("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
    first.execute("BEGIN; INSERT INTO t VALUES (2)")
    first.close()
    second = database.connect(CONFIG)
    assert second.execute("SELECT a FROM t").fetchall() == [(1,)]
    second.close()
    database.close()
    database.close()


@attached
def test_nothing_is_left_of_one_that_was_closed(attached: bool) -> None:
    one = MemoryDatabase(attached=attached)
    connection = one.connect(CONFIG)
    connection.execute("CREATE TABLE t (a INTEGER)")
    (name,) = connection.execute("SELECT current_database()").fetchall()[0]
    connection.close()
    one.close()
    two = MemoryDatabase(attached=attached)
    other = two.connect(CONFIG)
    assert (name,) not in other.execute("SELECT database_name FROM duckdb_databases()").fetchall()
    assert other.execute("SHOW TABLES").fetchall() == []
    other.close()
    two.close()


def test_other_settings_are_another_instance() -> None:
    databases = [MemoryDatabase(attached=True) for _ in range(2)]
    connections = [each.connect({"threads": str(n)}) for n, each in enumerate(databases, 1)]
    assert [each.execute("SELECT current_setting('threads')").fetchall()[0][0] for each in connections] == [1, 2]
    for connection, database in zip(connections, databases, strict=True):
        connection.close()
        database.close()
