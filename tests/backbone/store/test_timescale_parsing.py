"""What a statement names and calls, told without a server; what hides is found."""

from __future__ import annotations

import pytest

from backbone.store.errors import StatementRefused
from backbone.store.statements import Statement
from backbone.store.timescale.parsing import Readable, readable
from backbone.store.timescale.tokens import tokens_of

SCHEMAS = {"pg_catalog", "public", "telemetry", "market_data", "information_schema", "Odd"}

HIDDEN = {
    "in escapes that go on": "SELECT E'a'\n'\\'' || pg_sleep(9) || '...'",
    "in escapes": "SELECT e'\\'', pg_sleep(9), '",
    "in numbers": 'SELECT U&"pg\\005fsleep"(9)',
    "in a text of numbers": "SELECT u&'\\0027'",
    "behind a comment": "SELECT pg_sleep/* */(9)",
    "behind a line comment": "SELECT pg_sleep -- x\n (9)",
    "behind a nested comment": "SELECT /* /* */ ' */ version(), '1'",
    "in quotes": 'SELECT "version"()',
    "in capitals": "SELECT VERSION()",
    "behind DISTINCT ON": "SELECT DISTINCT ON (1) version()",
    "as a table": "SELECT * FROM version()",
    "as a table with columns": "SELECT * FROM json_to_record('{}') AS x(version int)",
    "as columns of a record": "SELECT * FROM trades, dblink_exec('x') AS (a int)",
    "behind a text in dollars": "SELECT $a$ $b$ $a$, version(), $c$ $c$",
    "in ROWS FROM": "SELECT * FROM ROWS FROM (version())",
    "in an operator": "SELECT 1 OPERATOR(public.+) 1",
    "in a schema": "SELECT public.f(1)",
    "in a schema in quotes": 'SELECT "Odd".f(1)',
    "in a schema behind blanks": "SELECT telemetry . outbox",
    "in a database": "SELECT * FROM db.market_data.trades",
    "in a type": "SELECT pg_lsn '0/0'",
    "in capitals of the system": 'SELECT * FROM "PG_CLASS"',
    "behind the end of our parentheses": "SELECT 1) AS a, (SELECT 2",
    "as a column of a row": "SELECT t.json_agg FROM trades t",
    "as a column of a row in parentheses": 'SELECT (t)."to_jsonb" FROM trades t',
    "as an attribute": "SELECT t.pg_typeof FROM trades t",
    "as XML": "SELECT xmlparse(document '<a/>')",
    "as copies of copies": "WITH a AS NOT MATERIALIZED (SELECT 1), b AS not/**/materialized (TABLE a) TABLE b",
    "as a type in quotes": "SELECT '1259'::\"regclass\"::text",
    "as a type before its text": "SELECT regrole '10'",
    "as the name of the answer": 'SELECT 1 AS "the answer", array_agg(price) FROM trades',
    "as a text that doubles by words": """
        WITH RECURSIVE t(s) AS (SELECT 'x' UNION ALL SELECT overlay(s placing s FROM 1 FOR 0) FROM t)
        SELECT max(s) FROM t
    """,
    "as a lock": "SELECT 1 FROM trades FOR SHARE",
    "a text without end": "SELECT 'a",
    "a name without end": 'SELECT "a',
    "a comment without end": "SELECT /* a",
    "a text in dollars without end": "SELECT $a$ a",
    "a lone dollar": "SELECT $ 1",
}


def read(text: str, extension: str | None = None) -> Readable:
    return readable(Statement(name="mine", text=text), "market_data", SCHEMAS, extension)


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_what_hides_is_refused(text: str) -> None:
    with pytest.raises(StatementRefused):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'pg_sleep(9)', \"it's\", $$ version() $$, $a$ $$ ' $a$ FROM trades",
        "SELECT 1 /* version() /* nested */ ' */ -- pg_sleep(1)",
        "WITH RECURSIVE t(n) AS (SELECT 1), u(m) AS NOT MATERIALIZED (VALUES (1)) SELECT * FROM t, u",
        "SELECT n FROM generate_series(1, 5) AS g(n)",
        "SELECT count(*) FILTER (WHERE price > 1) OVER (PARTITION BY symbol ORDER BY ts) FROM trades",
        "SELECT a.symbol FROM trades AS a JOIN quotes AS q USING (symbol, ts) WHERE a.price IN (1, 2)",
        "SELECT CAST(price AS numeric(10, 2)), extract(epoch FROM ts), 'x'::varchar(3) FROM trades;",
        "( SELECT 1 ) UNION ALL ( SELECT 2 )",
        "VALUES (1), (2)",
        "TABLE trades",
    ],
)
def test_what_only_reads_passes(text: str) -> None:
    assert "market_data" in read(text).sql


@pytest.mark.parametrize("how", ["array_agg(price)", "string_agg(symbol, ',')", "ARRAY(SELECT price FROM trades)"])
def test_rows_may_be_wide_where_many_become_one_and_are_fetched_one_by_one_then(how: str) -> None:
    wide, plain = read(f"SELECT {how} FROM trades"), read("SELECT * FROM trades")  # noqa: S608
    assert (wide.at_once, plain.at_once) == (1, 500)
    assert "> 8388608" in wide.sql
    assert "> 131072" in plain.sql


def test_a_place_is_told_as_it_was_written() -> None:
    text = "SELECT\n  time_bucket('1 day', ts), nope FROM trades"
    asked = read(text, "public")
    assert '"public".time_bucket(' in asked.sql
    assert asked.place(asked.sql.index("nope") + 1) == " at line 2, column 29"
    assert asked.place(asked.sql.index("time_bucket('") + 1) == " at line 2, column 3"
    assert asked.place(1) == ""


def test_names_are_as_the_server_knows_them() -> None:
    found = [(token.kind, token.text) for token in tokens_of("SeLeCt \"A\"\"b\", n'it''s', $1, .5e3, a$b || 1::int")]
    assert found == [
        ("name", "select"),
        ("quoted", 'A"b'),
        ("sign", ","),
        ("text", "it's"),
        ("sign", ","),
        ("value", "$1"),
        ("sign", ","),
        ("number", ".5e3"),
        ("sign", ","),
        ("name", "a$b"),
        ("sign", "||"),
        ("number", "1"),
        ("sign", "::"),
        ("name", "int"),
    ]
