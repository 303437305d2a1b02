"""Files as people have them on the command line: what is told, what is said of the columns, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backbone.cli.exits import INPUT, USAGE
from backbone.cli.failures import UsageError
from backbone.cli.options import columns_of
from tests.backbone.cli.conftest import Cli

GERMAN = "Datum;Eröffnung;Hoch;Tief;Schluss;Volumen\n07.03.2024;10,50;10,80;10,40;10,70;1.200.300\n"
METATRADER = (
    "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
    "2024.03.08\t21:00:00\t1.09381\t1.09412\t1.09355\t1.09377\t1874\t0\t3\n"
)
ATHENS = ("--symbols", "EURUSD", "--interval", "1h", "--zone", "Europe/Athens")
TOLD = (
    "--symbols", "ACME", "--dimension", "daily_bars", "--encoding", "cp1252", "--decimal", ",",
    "--time-format", "%d.%m.%Y", "--columns", "Datum=ts,Eröffnung=open,Hoch=high", "--columns", "Tief=low",
    "--columns", "Schluss=close,Volumen=volume",
)  # fmt: skip


def test_what_a_file_does_not_show_is_told(cli: Cli) -> None:
    Path("german.csv").write_text(GERMAN, encoding="cp1252")
    run = json.loads(cli("ingest", "german.csv", *TOLD, "--format", "json").out)
    assert (run["inserted"], run["quarantined"], run["columns"]["Eröffnung"]) == (1, 0, "open")
    rows = json.loads(cli("fetch", "daily_bars", "--format", "json").out)["columns"]
    assert (rows["ts"], rows["close"], rows["volume"]) == (["2024-03-07T00:00:00Z"], [10.7], [1200300])


def test_what_is_not_told_is_asked_for_in_one_message(cli: Cli) -> None:
    Path("german.csv").write_text(GERMAN, encoding="cp1252")
    done = cli("ingest", "german.csv", "--symbols", "ACME", "--dimension", "daily_bars")
    assert done.code == INPUT
    (line,) = [line for line in done.err.splitlines() if "error: " in line]
    for word in ("--encoding", "header", "--columns", "--time-format", "--decimal"):
        assert word in line


def test_a_page_of_a_run_says_what_became_of_each_column(cli: Cli) -> None:
    Path("mt5.csv").write_text(METATRADER)
    page = cli("ingest", "mt5.csv", *ATHENS).out
    words = " ".join(page.split())
    assert "as metatrader5-bars" in words
    assert "<DATE>+<TIME> as ts" in words
    assert "<TICKVOL> as volume" in words
    assert "<VOL>: is the volume of the exchange" in words


def test_json_and_markdown_say_it_too(cli: Cli) -> None:
    Path("mt5.csv").write_text(METATRADER)
    run = json.loads(cli("ingest", "mt5.csv", *ATHENS, "--format", "json").out)
    assert run["dialect"] == "metatrader5-bars"
    assert run["columns"]["<DATE>+<TIME>"] == "ts"
    assert run["ignored"]["<SPREAD>"] == "is the spread in points"
    page = cli("ingest", "mt5.csv", *ATHENS, "--format", "markdown").out
    assert "| dialect | metatrader5-bars |" in page
    assert r"| \<TICKVOL\> | volume | read |" in page
    assert r"| \<SPREAD\> |  | ignored: is the spread in points |" in page


def test_bars_that_carry_their_end(cli: Cli) -> None:
    Path("ends.csv").write_text("1,2024-03-08T15:30:00Z,1,3,0.5,2\n")
    told = ("--columns", "2=ts,3=open,4=high,5=low,6=close", "--stamps", "end")
    assert cli("ingest", "ends.csv", "--symbols", "ACME", "--interval", "1h", *told).code == 0
    assert json.loads(cli("fetch", "--format", "json").out)["columns"]["ts"] == ["2024-03-08T14:30:00Z"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--columns", "Datum"), "--columns Datum: allowed is such as"),
        (("--columns", "Datum=Zeit"), "columns='Datum' to 'Zeit' given; intraday_bars has symbol, interval, ts"),
        (("--columns", "a=ts,a=open"), "'a' can't be open; name each column once"),
        (("--time-format", "%Q"), "time_format='%Q' given, which can't be read"),
        (("--time-unit", "minutes"), "--time-unit"),
        (("--decimal", ";"), "--decimal"),
        (("--encoding", "klingon"), "encoding='klingon' given, which is none of texts"),
        (("--stamps", "middle"), "--stamps"),
        (("--stamps", "end", "--dimension", "trades"), "stamps='end' given; trades has no bars"),
        (("--encoding", "cp1252", "--source", "parquet"), "encoding='cp1252' given; parquet says it itself"),
    ],
)
def test_what_cant_be_meant_is_refused(cli: Cli, words: tuple[str, ...], message: str) -> None:
    Path("bars.csv").write_text("ts,symbol,open,high,low,close\n")
    done = cli("ingest", "bars.csv", *words)
    assert done.code == USAGE
    assert message in done.err
    assert done.err.count("\n") <= 2


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        (("Gmt time=ts,Open=open",), {"Gmt time": "ts", "Open": "open"}),
        (("1=ts", "2=open"), {"1": "ts", "2": "open"}),
        (("<DATE>+<TIME>=ts",), {"<DATE>+<TIME>": "ts"}),
        (("Volume, base=volume,Price=close",), {"Volume, base": "volume", "Price": "close"}),
        (("a=b=close",), {"a=b": "close"}),
        ((), {}),
    ],
)
def test_columns_as_they_are_typed(given: tuple[str, ...], columns: dict[str, str]) -> None:
    assert columns_of(given) == columns


@pytest.mark.parametrize("given", ["", "=ts", "ts=", "a=ts,b"])
def test_columns_that_say_nothing(given: str) -> None:
    with pytest.raises(UsageError, match="--columns"):
        columns_of((given,))
