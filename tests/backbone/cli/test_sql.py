"""`backbone sql`: a SELECT, in each form, from the store itself; what is wrong with it, and by which exit code."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.backbone.cli.conftest import Cli
from tests.backbone.cli.test_processes import DEADLINE, SCRIPT
from tests.backbone.cli.test_subscribe import Trading, trading  # noqa: F401  a fixture
from tests.programs import lean

ODD = """
SELECT 1.50::decimal(10, 2) AS exact, interval '1 month -2 days 3.5 seconds' AS span, [1, 2] AS list,
    {'a': 1, 'at': timestamptz '2024-01-01'} AS struct, '=cmd()' AS text, NULL AS missing, sum(3::hugeint) AS huge,
    'nan'::double AS nan, date '2024-01-02' AS day, timestamptz '2024-01-02 03:04:05.6+00' AS ts, 'ab'::blob AS bytes
"""


def test_csv_in_a_pipe_is_escaped_for_spreadsheets_and_says_so(cli: Cli) -> None:
    done = cli("sql", ODD)
    assert done.code == 0
    header, row = done.out.splitlines()
    assert header == '"exact","span","list","struct","text (escaped)","missing","huge","nan","day","ts","bytes"'
    assert row == (
        '"1.50","P1M-2DT3.5S","[1,2]","{""a"":1,""at"":""2024-01-01T00:00:00Z""}","\'=cmd()",,"3",nan,'
        '"2024-01-02","2024-01-02T03:04:05.600000Z","YWI="'
    )
    assert "texts of text are escaped" in done.err


def test_whole_numbers_of_more_than_64_bits_are_texts(cli: Cli) -> None:
    query = "SELECT 18446744073709551616::hugeint AS huge, [-9223372036854775809::hugeint] AS list, 7::hugeint AS small"
    assert cli("-q", "sql", query).out.splitlines()[1] == '"18446744073709551616","[""-9223372036854775809""]","7"'
    (line,) = cli("-q", "sql", query, "--format", "jsonl").out.splitlines()
    assert json.loads(line) == {"huge": "18446744073709551616", "list": ["-9223372036854775809"], "small": 7}


def test_a_name_that_a_spreadsheet_would_run_is_escaped_too(cli: Cli) -> None:
    assert cli("sql", "-q", 'SELECT 1 AS "=1+1"').out == '"\'=1+1"\n1\n'


def test_json_has_a_line_for_each_row(cli: Cli) -> None:
    done = cli("-q", "sql", f"{ODD} UNION ALL {ODD}", "--format", "jsonl")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert rows == 2 * [
        {
            "exact": "1.50",
            "span": "P1M-2DT3.5S",
            "list": [1, 2],
            "struct": {"a": 1, "at": "2024-01-01T00:00:00Z"},
            "text": "=cmd()",
            "missing": None,
            "huge": 3,
            "nan": None,
            "day": "2024-01-02",
            "ts": "2024-01-02T03:04:05.600000Z",
            "bytes": "YWI=",
        }
    ]


def test_a_table_for_people_says_how_many_rows_there_are(cli: Cli) -> None:
    done = cli("sql", "SELECT i, chr(27) || '[31m' AS red FROM range(3) AS t(i)", "--format", "table")
    assert done.out.splitlines() == ["i  red", "0  [31m", "1  [31m", "2  [31m", "3 rows"]


def test_files_are_of_the_form_that_their_name_says(cli: Cli, tmp_path: Path) -> None:
    query = "SELECT i, 'x' AS x FROM range(3) AS t(i)"
    for name in ("a.parquet", "a.arrow", "a.csv", "a.jsonl"):
        assert cli("-q", "sql", query, "--output", str(tmp_path / name)).code == 0
    expected = [{"i": i, "x": "x"} for i in range(3)]
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == expected
    assert pa.ipc.open_stream((tmp_path / "a.arrow").read_bytes()).read_all().to_pylist() == expected
    assert (tmp_path / "a.csv").read_text() == '"i","x"\n0,"x"\n1,"x"\n2,"x"\n'
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == expected


def test_what_parquet_can_not_hold_is_refused(cli: Cli, tmp_path: Path) -> None:
    done = cli("-q", "sql", "SELECT interval '1 day' AS x", "--output", str(tmp_path / "a.parquet"))
    assert (done.code, "cast it to text" in done.err) == (2, True)
    assert not (tmp_path / "a.parquet").exists()


def test_the_first_rows_are_given_where_asked_for_and_it_is_said(cli: Cli) -> None:
    done = cli("sql", "SELECT i FROM range(10) AS t(i)", "--limit", "3")
    assert done.out == '"i"\n0\n1\n2\n'
    assert "these are the first 3 rows, there are more" in done.err
    assert "first" not in cli("sql", "SELECT i FROM range(3) AS t(i)", "--limit", "3").err
    assert len(cli("sql", "SELECT i FROM range(100) AS t(i)", "--limit", "0").out.splitlines()) == 101


def test_a_statement_can_stand_in_stdin(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("SELECT 'é' AS x".encode())))
    assert cli("-q", "sql", "-").out == '"x"\n"é"\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    assert cli("-q", "sql", "-").code == 2


VALUES = ("IBM", "-7", "2.5", "null", "true", '["a", "b"]', "2024-01-02", "2024-01-02T03:04:05.6Z", '"2024"')
BOUND = """
SELECT $1 AS text, $2 AS whole, $3 AS number, $4 AS missing, $5 AS flag, len($6) AS list, $7 AS day, $8 AS ts,
    $9 AS quoted
"""
TOLD = {
    "text": "IBM",
    "whole": -7,
    "number": 2.5,
    "missing": None,
    "flag": True,
    "list": 2,
    "day": "2024-01-02",
    "ts": "2024-01-02T03:04:05.600000Z",
    "quoted": "2024",
}


def bound() -> tuple[str, ...]:
    return ("sql", BOUND, "--format", "jsonl", *(word for value in VALUES for word in ("-p", value)))


def test_values_are_bound_each_as_what_it_is(cli: Cli) -> None:
    done = cli("-q", *bound())
    assert (done.code, json.loads(done.out)) == (0, TOLD)
    assert cli("-q", "sql", "SELECT $1 AS x", "--param=' OR 1=1 --").out == '"x"\n"\' OR 1=1 --"\n'


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("SELECT $1 AS x",), "not provided for the following parameters: 1"),
        (("SELECT 1", "-p", "1"), "Expected 0, got 1"),
        (("SELECT $1 AS x", "-p", '{"a": 1}'), "an object can't be bound"),
        (("SELECT $1 AS x", "-p", "[[1]]"), "allowed is a list of plain values"),
        (("SELECT 1 WHERE $1::int > 0", "-p", "IBM"), "Could not convert string 'IBM'"),
    ],
    ids=str,
)
def test_values_that_do_not_fit_the_statement_are_refused(cli: Cli, words: tuple[str, ...], said: str) -> None:
    done = cli("-q", "sql", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("SELEC 1",), 2, 'syntax error at or near "SELEC" at line 1, column 1'),
        (("SELECT nope FROM trades",), 2, 'Referenced column "nope" not found'),
        (("DELETE FROM trades",), 2, "DELETE given; allowed is one SELECT"),
        ((" ",), 2, "an empty statement given"),
        (("SELECT 1" + " " * 20_000,), 2, "a statement of 20,008 characters given"),
        (("SELECT " + "1+" * 700 + "1",), 2, "nested too deeply"),
        (("SELECT 'x'::int FROM range(10000) AS t(i) WHERE i > 9000",), 2, "Could not convert string 'x' to INT32"),
        (("SELECT 1", "--timeout", "inf"), 2, "timeout"),
        (("SELECT 1", "--limit", "-1"), 2, "--limit -1"),
        (("SELECT 1", "--timeout", "0"), 2, "--timeout 0"),
        (("SELECT * FROM range(2000)", "--set", "sql.max_rows=1000"), 1, "more than 1,000 rows"),
        (("SELECT count(*) FROM range(10000000000000)", "--timeout", "0.1"), 1, "longer than 0.1 s"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_line_and_a_code(cli: Cli, words: tuple[str, ...], code: int, said: str) -> None:
    done = cli("-q", "sql", *words)
    assert (done.code, done.out) == (code, "")
    (line,) = done.err.splitlines()
    assert said in line


def test_ctrl_c_hangs_up_at_once_whatever_the_backbone_is_at(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    given = [str(SCRIPT), "sql", "SELECT 1", "--timeout", "3600", "--set", f"control.path={path}"]
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        silent.settimeout(DEADLINE)
        pipe = subprocess.PIPE
        with subprocess.Popen(given, cwd=tmp_path, env=lean(), stdout=pipe, stderr=pipe, text=True) as process:
            try:
                client, _ = silent.accept()
                with client:
                    client.settimeout(DEADLINE)
                    assert b"SELECT 1" in client.recv(65536)
                    process.send_signal(signal.SIGINT)
                    assert client.recv(1) == b""
                assert process.wait(DEADLINE) == 130
            finally:
                process.kill()


def test_a_running_backbone_answers_while_it_writes(trading: Trading, cli: Cli) -> None:  # noqa: F811
    query = "SELECT symbol, count(*) AS bars FROM intraday_bars GROUP BY 1 ORDER BY 1"
    first = cli("sql", query)
    assert (first.code, first.out, first.err) == (0, '"symbol","bars"\n"EURUSD",2\n', "")
    for words, code, said in (
        (("DELETE FROM trades",), 2, "DELETE given; allowed is one SELECT"),
        (("SELECT * FROM range(2000000)",), 1, "more than 1,000,000 rows"),
        (("SELECT 1", "--set", "control.enabled=false"), 4, "open in another process"),
    ):
        done = cli("-q", "sql", *words)
        assert (done.code, done.out, said in done.err) == (code, "", True)
    trading.record()
    assert cli("sql", query).code == 0
    done = cli(*bound())
    assert (done.code, json.loads(done.out), done.err) == (0, TOLD, "")
    done = cli("-q", "sql", "SELECT len($1)", "-p", json.dumps([f"S{n:07}" for n in range(8000)]))
    assert (done.code, done.out, "bytes given; a running backbone takes 65,536" in done.err) == (2, "", True)
