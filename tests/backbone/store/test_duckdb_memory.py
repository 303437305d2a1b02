from backbone.store.duckdb.memory import Scratch

CONFIG = {"enable_external_access": "false"}


def test_each_is_a_database_of_its_own() -> None:
    one, two = Scratch(CONFIG), Scratch(CONFIG)
    for scratch in (one, two):
        scratch.connection.execute("CREATE SCHEMA s; CREATE TABLE s.t (a INTEGER)")
    one.connection.execute("INSERT INTO s.t VALUES (1)")
    assert one.connection.execute("SELECT count(*) FROM s.t").fetchall() == [(1,)]
    assert two.connection.execute("SELECT count(*) FROM s.t").fetchall() == [(0,)]
    one.drop()
    two.drop()


def test_nothing_is_left_of_one_that_was_dropped() -> None:
    one = Scratch(CONFIG)
    one.connection.execute("BEGIN; CREATE TABLE t (a INTEGER)")
    (name,) = one.connection.execute("SELECT current_database()").fetchall()[0]
    one.drop()
    two = Scratch(CONFIG)
    assert (name,) not in two.connection.execute("SELECT database_name FROM duckdb_databases()").fetchall()
    assert two.connection.execute("SHOW TABLES").fetchall() == []
    two.drop()


def test_other_settings_are_another_instance() -> None:
    one, two = Scratch({"threads": "1"}), Scratch({"threads": "2"})
    threads = [each.connection.execute("SELECT current_setting('threads')").fetchall()[0][0] for each in (one, two)]
    assert threads == [1, 2]
    one.drop()
    two.drop()
