"""What a statement of SQL may do, and what it may not, whichever store answers it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import anyio
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.errors import StatementRefused, StoreBusy, TooMuch
from backbone.store.port import Store
from backbone.store.records import Chunk
from backbone.store.statements import TABLES, Statement

DAY = datetime(2024, 1, 2, tzinfo=UTC)
TRADES = Dimension.TRADES

HOSTILE = {
    # writing
    "delete": "DELETE FROM trades",
    "update": "UPDATE trades SET price = 1",
    "insert": "INSERT INTO trades SELECT * FROM trades",
    "insert behind WITH": "WITH a AS (SELECT 1) INSERT INTO trades SELECT * FROM trades",
    "delete within WITH": "WITH a AS (DELETE FROM trades RETURNING *) SELECT * FROM a",
    "drop": "DROP TABLE trades",
    "truncate": "TRUNCATE trades",
    "create": "CREATE TABLE mine AS SELECT 1",
    "create temporary": "CREATE TEMP TABLE mine (x int)",
    "select into": "SELECT 1 AS x INTO mine",
    "alter": "ALTER TABLE trades ADD COLUMN x int",
    "merge": "MERGE INTO trades USING quotes ON false WHEN MATCHED THEN DELETE",
    "sequence": "SELECT nextval('a')",
    "set sequence": "SELECT setval('a', 1)",
    # the transaction, and several statements
    "two": "SELECT 1; SELECT 2",
    "a write behind": "SELECT 1; DELETE FROM trades",
    "commit": "COMMIT",
    "begin": "BEGIN",
    "out of the parentheses": "SELECT 1) AS a; DELETE FROM trades; SELECT * FROM (SELECT 1",
    "prepare": "PREPARE a AS DELETE FROM trades",
    "execute": "EXECUTE a",
    "nothing": ";",
    "a comment": "-- SELECT 1",
    # settings
    "set": "SET memory_limit = '1TB'",
    "set local": "SET LOCAL statement_timeout = 0",
    "reset": "RESET ALL",
    "pragma": "PRAGMA enable_external_access = true",
    "set by a function": "SELECT set_config('transaction_read_only', 'off', true)",
    "a setting": "SELECT current_setting('temp_directory')",
    "role": "SET ROLE postgres",
    # files, programs, the network
    "copy out": "COPY trades TO '/tmp/stolen'",
    "copy in": "COPY trades FROM '/etc/passwd'",
    "a csv": "SELECT * FROM read_csv('/etc/passwd')",
    "a text": "SELECT * FROM read_text('/etc/passwd')",
    "a file as a table": "SELECT * FROM '/etc/passwd'",
    "a quoted file as a table": 'SELECT * FROM "/etc/passwd"',
    "a folder": "SELECT * FROM glob('/*')",
    "an address": "SELECT * FROM read_parquet('https://example.org/a.parquet')",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "attach": "ATTACH '/tmp/other.db' AS other",
    "call": "CALL force_checkpoint()",
    "the server's files": "SELECT pg_read_file('/etc/passwd')",
    "another server": "SELECT * FROM dblink('host=localhost', 'SELECT 1') AS t(a int)",
    "a large object": "SELECT lo_import('/etc/passwd')",
    "the environment": "SELECT getenv('HOME')",
    # what is nobody's business
    "tables of ours": "SELECT * FROM telemetry.outbox",
    "rows by their schema": "SELECT * FROM market_data.trades",
    "former versions": "SELECT * FROM trades_revisions",
    "settings as rows": "SELECT * FROM duckdb_settings()",
    "secrets as rows": "SELECT * FROM duckdb_secrets()",
    "the catalogue": "SELECT * FROM pg_catalog.pg_class",
    "the catalogue, unnamed": "SELECT * FROM pg_class",
    "the catalogue, quoted": 'SELECT * FROM "pg_class"',
    "the schema": "SELECT * FROM information_schema.tables",
    "statements of others": "SELECT * FROM pg_stat_activity",
    "a schema that WITH names": 'WITH "telemetry.identity" AS (SELECT 1) SELECT * FROM telemetry.identity',
    "rows by their schema that WITH names": 'WITH "market_data.quotes" AS (SELECT 1) SELECT * FROM market_data.quotes',
    "a table by its name in a text": "SELECT 'telemetry.outbox'::regclass::varchar",
    "a role by its number": "SELECT CAST(10 AS regrole)::varchar",
    "names of the catalogue in a list": "SELECT '{pg_shadow}'::_regclass::varchar",
    "a name of the system": "WITH pg_class AS (SELECT 1) SELECT * FROM pg_class",
    "a function with its schema": "SELECT pg_catalog.version()",
    "SQL in a text": "SELECT * FROM query('SELECT 1')",
    "SQL in a text, as XML": "SELECT query_to_xml('SELECT 1', true, true, '')",
    # others
    "locks": "SELECT pg_advisory_xact_lock(1)",
    "an end of others": "SELECT pg_terminate_backend(1)",
    "sleep": "SELECT pg_sleep(100)",
    "sleep in milliseconds": "SELECT sleep_ms(100000)",
    "a long text": "SELECT repeat('x', 1000000000)",
    "a padded text": "SELECT lpad('x', 1000000000, 'y')",
    "a long list": "SELECT list_resize([1], 1000000000)",
    "a text that doubles": "WITH RECURSIVE t AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM t) SELECT max(s) FROM t",
    "a text joined often": f"SELECT {'||'.join(['symbol'] * 40)} AS a, {'||'.join(['venue'] * 60)} FROM trades",  # noqa: S608
    "texts joined in queries of texts": "SELECT 'a' || (" * 40 + "SELECT 'b'" + ")" * 40,
    "a text replaced by more": "SELECT replace('xxx', 'x', 'xxxxxxxxxx')",
    "explain": "EXPLAIN ANALYZE DELETE FROM trades",
}
ENDLESS = {
    "rows without end": "SELECT * FROM generate_series(1, 1000000000000) AS t(i)",
    "a cross join": "SELECT count(*) FROM generate_series(1, 10000000) AS a(i), generate_series(1, 10000000) AS b(j)",
    "a recursion": "WITH RECURSIVE t AS (SELECT 1::bigint AS n UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    "a list of all": "SELECT array_agg(i) FROM generate_series(1, 1000000000) AS t(i)",
    "a text of all": "SELECT string_agg(i::varchar, ',') FROM generate_series(1, 1000000000) AS t(i)",
    "a sort of all": "SELECT md5(i::varchar) AS m FROM generate_series(1, 1000000000) AS t(i) ORDER BY m",
}


def asked(text: str, *values: Any, **more: Any) -> Statement:
    return Statement(**{"name": "mine", "text": text, "values": values, "seconds": 20.0, **more})


def traded(count: int = 5, symbol: str = "AIG") -> Chunk:
    rows = [
        {"symbol": symbol, "ts": DAY + timedelta(seconds=n), "sequence": n, "price": 48.5 + n, "venue": "XNYS"}
        for n in range(count)
    ]
    frame = Frame.from_records(TRADES, rows)
    return Chunk(ingest_id("csv", frame), "run", "csv", frame)


async def test_what_does_more_than_to_read_is_refused_and_the_next_chunk_goes_in(store: Store) -> None:
    await store.write(traded(3))
    taken = []
    for number, (name, text) in enumerate(HOSTILE.items()):
        try:
            await store.run_statement(asked(text))
            taken.append(name)
        except StatementRefused:
            assert (await store.write(traded(1, f"S{number}"))).inserted == 1
    assert taken == []
    answer = await store.run_statement(asked("SELECT count(*) AS n FROM trades"))
    assert answer.to_pylist() == [{"n": 3 + len(HOSTILE)}]


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
async def test_what_has_no_end_is_stopped_while_others_write(store: Store, text: str) -> None:
    await store.write(traded(3))
    refused: list[Exception] = []

    async def ask() -> None:
        try:
            await store.run_statement(asked(text, seconds=1.0))
        except TooMuch as error:
            refused.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        for number in range(5):
            assert (await store.write(traded(2, f"S{number}"))).inserted == 2
    assert len(refused) == 1


async def test_each_table_has_its_columns_in_order(store: Store) -> None:
    for table, columns in TABLES.items():
        answer = await store.run_statement(asked(f"SELECT * FROM {table}"))  # noqa: S608
        assert tuple(answer.column_names) == columns
        assert answer.num_rows == 0


async def test_rows_are_what_was_stored_with_where_they_came_from(store: Store) -> None:
    await store.write(traded(3))
    text = "SELECT symbol, ts, sequence, price, size, venue, source FROM trades ORDER BY ts DESC LIMIT 2"
    answer = await store.run_statement(asked(text))
    assert [tuple(row.values()) for row in answer.to_pylist()] == [
        ("AIG", DAY + timedelta(seconds=2), 2, 50.5, None, "XNYS", "csv"),
        ("AIG", DAY + timedelta(seconds=1), 1, 49.5, None, "XNYS", "csv"),
    ]
    assert answer.schema.types[:4] == [pa.string(), pa.timestamp("us", "UTC"), pa.int64(), pa.float64()]


async def test_values_are_bound_and_never_read_as_sql(store: Store) -> None:
    await store.write(traded(3))
    text = "SELECT count(*) AS n FROM trades WHERE symbol = $1 AND ts >= $2 AND price > $3"
    for symbol, found in (("AIG", 2), ("' OR true --", 0)):
        answer = await store.run_statement(asked(text, symbol, DAY + timedelta(seconds=1), 1.0))
        assert answer.to_pylist() == [{"n": found}]
    given = (DAY.date(), timedelta(days=1, seconds=2), [1, 2], Decimal("1.5"), b"ab", None, True)
    text = """
        SELECT $1::date AS a, $2::interval AS b, $3::int[] AS c, $4::numeric AS d, $5::bytea AS e, $6::text AS f,
            $7::bool AS g
    """
    (row,) = (await store.run_statement(asked(text, *given))).to_pylist()
    assert row["a"] == DAY.date()
    assert (row["b"].days, row["b"].nanoseconds) in {(1, 2 * 10**9), (0, 86_402 * 10**9)}
    assert [row[name] for name in "cdefg"] == [[1, 2], Decimal("1.5"), b"ab", None, True]


async def test_a_date_is_its_midnight_where_a_moment_is_asked_for(store: Store) -> None:
    await store.write(traded(3))
    text = "SELECT count(*) AS n FROM trades WHERE ts >= $1"
    for day, found in ((DAY.date(), 3), (DAY.date() + timedelta(days=1), 0), (date(1, 1, 1), 3)):
        assert (await store.run_statement(asked(text, day))).to_pylist() == [{"n": found}]
    moment = datetime(2024, 1, 2, 3, tzinfo=timezone(timedelta(hours=3)))
    text = "SELECT count(*) AS n FROM trades WHERE ts >= $1 AND ts = ANY($2)"
    assert (await store.run_statement(asked(text, moment, [moment, DAY]))).to_pylist() == [{"n": 1}]


async def test_a_value_counts_each_time_it_is_named_and_as_many_are_given_as_are_named(store: Store) -> None:
    text = "SELECT $1::bigint + $1::bigint AS twice, $2::varchar AS nothing"
    assert (await store.run_statement(asked(text, 2, None))).to_pylist() == [{"twice": 4, "nothing": None}]
    for values in ((), (2,), (2, None, 3)):
        with pytest.raises(StatementRefused):
            await store.run_statement(asked(text, *values))


async def test_the_interval_of_bars_is_a_column_like_others(store: Store) -> None:
    text = "SELECT interval, count(*) AS n FROM intraday_bars WHERE interval = '1h' GROUP BY interval"
    assert (await store.run_statement(asked(text))).num_rows == 0


async def test_a_corrected_row_is_there_once_as_it_is_now(store: Store) -> None:
    await store.write(traded(2))
    rows = [{"symbol": "AIG", "ts": DAY, "sequence": 0, "price": 99.0, "venue": "XNYS"}]
    frame = Frame.from_records(TRADES, rows)
    await store.write(Chunk(ingest_id("csv", frame), "run", "csv", frame))
    answer = await store.run_statement(asked("SELECT price FROM trades ORDER BY ts"))
    assert answer.column(0).to_pylist() == [99.0, 49.5]


@pytest.mark.parametrize("value", [DAY.replace(tzinfo=None), {"a": 1}, object(), [[1]], "x" * 20_000])
def test_what_can_not_be_bound_is_refused_where_it_is_given(value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"\$1"):
        asked("SELECT $1", value)


@pytest.mark.parametrize("text", ["", "  ", "x" * 20_000, "SELECT '\0'", "SELECT '\ud800'"])
def test_a_text_that_is_no_statement_is_refused_where_it_is_given(text: str) -> None:
    with pytest.raises(ValueError, match="statement"):
        asked(text)


async def test_odd_types_are_told_as_they_are(store: Store) -> None:
    text = """
        SELECT 1.10::numeric(10, 2) AS exact, interval '1 month 2 days 3 seconds' AS span, date '0001-01-01' AS first,
            timestamptz '9999-12-31 23:59:59.999999+00' AS last, timestamp '2024-01-02 03:04:05' AS naive,
            time '12:30' AS noon, 'NaN'::double precision AS nan, true AS yes, NULL AS missing, 7::smallint AS small
    """
    answer = await store.run_statement(asked(text))
    (row,) = answer.to_pylist()
    assert row.pop("nan") != 0
    assert row == {
        "exact": Decimal("1.10"),
        "span": pa.MonthDayNano([1, 2, 3_000_000_000]),
        "first": date(1, 1, 1),
        "last": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        "naive": datetime(2024, 1, 2, 3, 4, 5),  # noqa: DTZ001  that is what is asked for
        "noon": datetime(2024, 1, 1, 12, 30).time(),  # noqa: DTZ001
        "yes": True,
        "missing": None,
        "small": 7,
    }


@pytest.mark.parametrize(
    "expression", ["timestamptz 'infinity'", "date '-infinity'", "timestamp 'infinity'"], ids=lambda text: text[:12]
)
async def test_a_moment_without_end_is_refused(store: Store, expression: str) -> None:
    with pytest.raises(StatementRefused, match="infinite"):
        await store.run_statement(asked(f"SELECT {expression} AS x"))


async def test_two_columns_of_one_name_are_told_apart(store: Store) -> None:
    answer = await store.run_statement(asked("SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a"))
    assert answer.to_pylist() == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": 4}]


async def test_an_answer_of_many_columns_of_one_name_holds_nobody_up(store: Store) -> None:
    answer = await store.run_statement(asked(f"SELECT {', '.join(['1 AS a'] * 1600)}"))
    assert answer.column_names == ["a", *(f"a_{number}" for number in range(1, 1600))]


async def test_what_the_database_does_not_understand_says_where(store: Store) -> None:
    with pytest.raises(StatementRefused, match=r"nope.*line 2, column 9"):
        await store.run_statement(asked("SELECT 1 AS a,\n 2 AS b nope"))
    with pytest.raises(StatementRefused, match="nope"):
        await store.run_statement(asked("SELECT nope FROM trades"))


async def test_an_answer_is_bounded_in_rows_and_bytes_unless_the_first_rows_are_enough(store: Store) -> None:
    text = "SELECT i FROM generate_series(1, 5000) AS t(i) ORDER BY i"
    with pytest.raises(TooMuch, match=r"more than 4,999 rows.*sql\.max_rows"):
        await store.run_statement(asked(text, max_rows=4999))
    with pytest.raises(TooMuch, match=r"more than 100 bytes.*sql\.max_bytes"):
        await store.run_statement(asked(text, max_bytes=100))
    assert (await store.run_statement(asked(text, max_rows=5000))).num_rows == 5000
    first = await store.run_statement(asked(text, max_rows=10, limit=3))
    assert first.column(0).to_pylist() == [1, 2, 3]


async def test_a_statement_sees_one_moment_and_ctes_windows_and_joins_work(store: Store) -> None:
    await store.write(traded(4))
    text = """
        WITH RECURSIVE steps(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM steps WHERE n < 3),
            moved AS (SELECT symbol, price - lag(price) OVER (PARTITION BY symbol ORDER BY ts) AS by FROM trades)
        SELECT m.symbol, count(m.by) AS moves, max(s.n) AS steps FROM moved AS m JOIN steps AS s ON s.n = 3
        GROUP BY m.symbol -- ) a comment
    """
    answer = await store.run_statement(asked(text))
    assert answer.to_pylist() == [{"symbol": "AIG", "moves": 3, "steps": 3}]


async def test_one_that_is_stopped_says_so_and_leaves_nothing_at_work(store: Store) -> None:
    refused: list[Exception] = []

    async def ask() -> None:
        try:
            await store.run_statement(asked(ENDLESS["a cross join"], seconds=60.0, name="endless"))
        except StoreBusy as error:
            refused.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        while not refused:
            await anyio.lowlevel.checkpoint()
            await store.stop_statement("endless")
    assert "stopped" in str(refused[0])
    await store.stop_statement("endless")


async def test_one_that_is_stopped_before_its_turn_never_begins_and_others_do(store: Store) -> None:
    await store.stop_statement("early")
    with pytest.raises(StoreBusy, match="stopped"):
        await store.run_statement(asked(ENDLESS["a cross join"], seconds=60.0, name="early"))
    assert (await store.run_statement(asked("SELECT 1 AS a"))).to_pylist() == [{"a": 1}]
