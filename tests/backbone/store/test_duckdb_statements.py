"""What is DuckDB's own about statements of SQL: its types, and that it is read no further than it is wanted."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pytest

from backbone.store.duckdb import DuckDBStore, querying, spilling
from backbone.store.errors import StatementRefused, TooMuch
from tests.contracts.test_store_statements import ENDLESS, asked, traded

ENDLESS_ROWS = ENDLESS["rows without end"]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    store = DuckDBStore(tmp_path / "store.duckdb")
    await store.open()
    await store.migrate()
    yield store
    await store.close()


async def test_rows_without_end_are_refused_as_soon_as_they_are_too_many_bytes(store: DuckDBStore) -> None:
    with pytest.raises(TooMuch, match="more than 100,000 bytes"):
        await store.run_statement(asked(ENDLESS_ROWS, max_rows=10**12, max_bytes=100_000, seconds=1.0))
    assert (await store.run_statement(asked(ENDLESS_ROWS, limit=3))).column(0).to_pylist() == [1, 2, 3]


@pytest.mark.parametrize(
    "expression",
    ["'101'::bit", "1::uhugeint", "123::bignum", "1::variant", "[union_value(a := 1)]", "[{'a': '1'::bit}]"],
)
async def test_types_that_arrow_does_not_have_are_refused(store: DuckDBStore, expression: str) -> None:
    with pytest.raises(StatementRefused):
        await store.run_statement(asked(f"SELECT {expression} AS x"))


async def test_an_error_behind_the_first_rows_is_told_like_one_before_them(store: DuckDBStore) -> None:
    text = "SELECT CASE WHEN i = 50000 THEN 'x' ELSE '1' END::int AS n FROM range(100000) AS t(i)"
    with pytest.raises(StatementRefused, match=r"Could not convert string 'x' to INT32 at line 1, column"):
        await store.run_statement(asked(text))
    text = "SELECT i FROM range(1000000000000) AS t(i) WHERE i < 10000 OR i % 100000000 = 7"
    with pytest.raises(TooMuch, match=r"longer than 1 s"):
        await store.run_statement(asked(text, seconds=1.0))
    text = """
        SELECT i FROM range(10000) AS t(i) UNION ALL SELECT len(array_agg(j)) FROM range(1000000000) AS u(j)
    """
    with pytest.raises(TooMuch, match="more memory"):
        await store.run_statement(asked(text))
    assert (await store.write(traded(3))).inserted == 3


async def test_the_transaction_refuses_to_write_whatever_passed_before(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(traded(3))
    monkeypatch.setattr(querying, "require_reading", lambda connection, statement: False)
    with pytest.raises(StatementRefused, match="read-only"):
        await store.run_statement(asked("WITH a AS (DELETE FROM market_data.trades RETURNING 1) SELECT * FROM a"))
    assert (await store.run_statement(asked("SELECT count(*) AS n FROM trades"))).to_pylist() == [{"n": 3}]


UNPLANNED = {
    "queries in queries": "THIS AS NOT MATERIALIZED (SELECT x.n FROM LAST AS x, LAST AS y)",
    "columns": "THIS AS (SELECT * FROM LAST AS x, LAST AS y)",
    "columns twice": "THIS AS (SELECT *, * FROM LAST)",
    "rows": "THIS AS (SELECT LAST AS n, LAST AS m FROM LAST)",
    "structs": "THIS AS (SELECT {'a': n, 'b': n} AS n FROM LAST)",
    "tuples": "THIS AS (SELECT (n, n) AS n FROM LAST)",
}


@pytest.mark.parametrize("query", UNPLANNED.values(), ids=UNPLANNED)
async def test_what_could_not_be_planned_is_refused(store: DuckDBStore, query: str) -> None:
    for many, refused in ((26, True), (5, False)):
        steps = [query.replace("THIS", f"a{n}").replace("LAST", f"a{n - 1}") for n in range(1, many)]
        text = ", ".join(["WITH a0 AS (SELECT 1 AS n)", *steps])
        text += " SELECT count(*) AS n FROM LAST".replace("LAST", f"a{many - 1}")
        if refused:
            with pytest.raises(StatementRefused, match="stand in each other so often"):
                await store.run_statement(asked(text))
        else:
            assert (await store.run_statement(asked(text))).to_pylist() == [{"n": 1}]


async def test_what_makes_many_columns_once_is_answered(store: DuckDBStore) -> None:
    await store.write(traded(3))
    candles = ", ".join(
        "{'o': first(price), 'h': max(price), 'l': min(price), 'c': last(price)} AS x" for _ in range(8)
    )
    counts = ", ".join("count(*) FILTER (WHERE price > 1)" for _ in range(8))
    answer = await store.run_statement(asked("SELECT ALL FROM trades".replace("ALL", f"{candles}, {counts}")))
    assert (answer.num_rows, answer.num_columns) == (1, 16)
    text = "SELECT count(*) AS n FROM trades AS t JOIN trades AS u ON SAME"
    text = text.replace("SAME", " AND ".join(["(t.ts, 1) = (u.ts, 1)"] * 20))
    assert (await store.run_statement(asked(text))).to_pylist() == [{"n": 3}]


DEEP = {
    "a name of many parts": "SELECT a" + ".b" * 7000,
    "a sum of many": "SELECT " + "1+" * 700 + "1",
    "calls in calls": "SELECT " + "abs(" * 900 + "1" + ")" * 900,
    "queries in queries": "SELECT * FROM (" * 700 + "SELECT 1" + ")" * 700,
    "lists in lists": "SELECT NULL::INT" + "[]" * 400,
    "a function with its schema": "SELECT main.abs(1)",
    "a frame for each row": "SELECT mode(i) OVER (ORDER BY i) FROM range(10) AS t(i)",
    "texts compared sign by sign": "SELECT levenshtein(symbol, venue) FROM trades",
    "a file behind WITH": "WITH a AS (COPY trades TO '/tmp/stolen') SELECT 1",
    "rows behind WITH": "WITH a AS (INSERT INTO trades SELECT * FROM trades RETURNING *) SELECT 1",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
async def test_what_brings_the_parser_or_the_planner_down_is_refused(store: DuckDBStore, text: str) -> None:
    with pytest.raises(
        StatementRefused, match=r"not allowed|nested|Recursion level|over a window|not among|given;|schema"
    ):
        await store.run_statement(asked(text))


async def test_what_is_gathered_out_of_many_rows_is_not_copied_for_each_of_others(store: DuckDBStore) -> None:
    for gathered in ("array_agg(i)", "string_agg(i::varchar, ',')", "histogram(i)"):
        wide = 'SELECT l AS "a""b", j FROM (SELECT HOW AS l FROM range(100000) AS t(i)), range(2048) AS u(j)'
        wide = wide.replace("HOW", gathered)
        with pytest.raises(TooMuch, match="more than 1,000,000 bytes"):
            await store.run_statement(asked(wide, max_bytes=1_000_000))
        answer = await store.run_statement(asked(wide, max_bytes=10_000_000, limit=2))
        assert (answer.column_names, answer.num_rows) == (['a"b', "j"], 2)


async def test_intervals_that_arrow_can_not_tell_are_refused(store: DuckDBStore) -> None:
    with pytest.raises(StatementRefused, match="an interval has more hours than Arrow can tell"):
        await store.run_statement(asked("SELECT to_hours(3000000) AS x"))
    answer = await store.run_statement(asked("SELECT to_hours(2000000) AS x, NULL::interval AS x"))
    assert answer.to_pylist() == [{"x": pa.MonthDayNano([0, 0, 2_000_000 * 3600 * 10**9]), "x_1": None}]


@pytest.mark.parametrize("at", ["timestamptz 'infinity'", "date '-infinity'"])
async def test_moments_without_end_are_refused_in_maps_and_lists_too(store: DuckDBStore, at: str) -> None:
    for value in (f"map([1], [{at}])", f"map([{at}], [1])", f"[map([1], [{{'a': {at}}}])]"):
        with pytest.raises(StatementRefused, match="infinite"):
            await store.run_statement(asked(f"SELECT {value} AS x"))


async def test_a_table_is_described_and_summarized(store: DuckDBStore) -> None:
    await store.write(traded(3))
    described = await store.run_statement(asked("DESCRIBE trades"))
    assert described.column("column_name").to_pylist()[:4] == ["symbol", "ts", "sequence", "price"]
    summarized = await store.run_statement(asked("SUMMARIZE trades"))
    assert summarized.num_rows == described.num_rows


async def test_what_a_statement_was_asked_with_is_gone_behind_it(store: DuckDBStore) -> None:
    first = await store.run_statement(asked("SELECT count(*) AS n FROM trades"))
    await store.write(traded(3))
    again = await store.run_statement(asked("SELECT count(*) AS n FROM trades"))
    assert (first.to_pylist(), again.to_pylist()) == ([{"n": 0}], [{"n": 3}])


SORTED = "SELECT m FROM (SELECT md5(i::VARCHAR) AS m FROM range({rows}) AS t(i)) ORDER BY m LIMIT 1 OFFSET {last}"


async def test_one_that_lays_too_much_on_the_disk_is_refused_and_leaves_nothing_there(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path / "store.duckdb", memory_limit="48MB")
    await store.open()
    await store.migrate()
    try:
        endless = SORTED.format(rows=10**12, last=10**10)
        with pytest.raises(TooMuch, match=r"more than 8,000,000 bytes of temporary files; .*sql\.max_temp_bytes"):
            await store.run_statement(asked(endless, max_temp_bytes=8_000_000, seconds=120.0))
        laid = tmp_path / "store.duckdb.tmp"
        assert sum(path.stat().st_size for path in laid.rglob("*")) == 0
        assert (await store.write(traded(3))).inserted == 3
        answer = await store.run_statement(asked(SORTED.format(rows=2 * 10**6, last=2 * 10**6 - 1), seconds=120.0))
        assert answer.num_rows == 1  # the bound was that of a statement, and of nobody else
    finally:
        await store.close()


async def test_no_statement_takes_more_than_half_of_what_the_disk_has_free(
    store: DuckDBStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spilling, "_free_at", lambda folder: 5_000_000)
    with spilling.watched(duckdb.connect(tmp_path / "other.duckdb"), 2**40) as found:
        assert found.most == 2_500_000
    monkeypatch.undo()
    with spilling.watched(duckdb.connect(tmp_path / "third.duckdb"), 100) as found:
        assert found.most == 100


async def test_what_lay_there_before_counts_against_nobody(tmp_path: Path) -> None:
    (tmp_path / "before").write_bytes(b"x" * 1000)
    found = spilling.Spilling(tmp_path, 100)
    assert not found.look()
    (tmp_path / "more").write_bytes(b"x" * 101)
    assert found.look()
    (tmp_path / "more").unlink()
    assert found.look()
    assert not spilling.Spilling(tmp_path / "gone", 100).look()


async def test_what_others_take_away_again_makes_no_room_for_more(tmp_path: Path) -> None:
    (tmp_path / "others").write_bytes(b"x" * 1000)
    found = spilling.Spilling(tmp_path, 100)
    (tmp_path / "others").unlink()
    assert not found.look()
    (tmp_path / "own").write_bytes(b"x" * 101)
    assert found.look()


async def test_no_interrupt_comes_when_the_statement_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted, over, joined = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        """A connection that an interrupt reaches late."""

        def interrupt(self) -> None:
            interrupted.set()
            joined.wait()
            assert not over.is_set()

    class Watch(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            joined.set()
            super().join(timeout)

    monkeypatch.setattr(spilling, "first", lambda connection, text: ("gone",))
    monkeypatch.setattr(spilling.Spilling, "look", lambda spilling: True)
    monkeypatch.setattr(spilling, "Thread", Watch)
    with spilling.watched(cast(Any, Slow()), 100):
        interrupted.wait()
    over.set()
    assert not [each for each in threading.enumerate() if each.name == "spilling"]
    joined.set()
