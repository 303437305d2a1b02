"""Providers on the command line: as typed, with one clear line and the right exit code where nothing comes."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backbone.cli.exits import DONE, INPUT, UNREACHABLE, USAGE
from tests.backbone.cli.conftest import Cli, Done
from tests.backbone.sources.server import Provider, Reply, as_json, provider
from tests.backbone.sources.shapes import HOUR, chart, path, refused, release_dates

__all__ = ["provider"]

TYPED = ("ingest", "--source", "yahoo", "--symbol", "EURUSD=X", "--interval", "1h", "--period", "30d")
LATELY = int((datetime.now(UTC) - timedelta(days=3)).timestamp()) // HOUR * HOUR


@pytest.fixture
def typed(cli: Cli, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, whose Yahoo and FRED are on this machine."""
    for name, value in (
        ("YAHOO_BASE_URL", provider.url),
        ("FRED_BASE_URL", provider.url),
        ("YAHOO_COOKIE_URL", "none"),
        ("YAHOO_RATE", "1000"),
        ("PAUSE", "0.001"),
        ("ATTEMPTS", "2"),
    ):
        monkeypatch.setenv(f"BACKBONE_PROVIDERS_{name}", value)
    return cli


def error(done: Done) -> str:
    """The one line that says what went wrong."""
    (line,) = [line for line in done.err.splitlines() if "error: " in line]
    return line


def test_bars_of_a_currency_come_in_as_typed(typed: Cli, provider: Provider) -> None:
    provider.answer(path("EURUSD%3DX"), as_json(chart("EURUSD=X", 5, first=LATELY)))
    done = typed(*TYPED)
    assert done.code == DONE, done.err
    assert "yahoo" in done.out
    assert "ingest: 5 rows read, 5 committed, 100% of the symbols" in done.err
    rows = json.loads(typed("fetch", "intraday", "--symbols", "EURUSD=X", "--format", "json").out)["columns"]
    assert rows["close"] == [10.5, 11.5, 12.5, 13.5, 14.5]
    (seen,) = provider.seen
    assert (seen.path, seen.query["interval"]) == (path("EURUSD%3DX"), "1h")


def test_days_are_daily_bars_unless_something_else_is_said(typed: Cli, provider: Provider) -> None:
    provider.answer(path(), as_json(chart(step=24 * HOUR, first=LATELY - 20 * 24 * HOUR)))
    done = typed("ingest", "--source", "yahoo", "--symbol", "ACME", "--interval", "1d", "--format", "json")
    assert done.code == DONE, done.err
    assert json.loads(done.out)["dimension"] == "daily_bars"


@pytest.mark.parametrize(
    ("reply", "code", "why"),
    [
        (as_json({}, 401), UNREACHABLE, "refuses to answer: 401 Unauthorized"),
        (as_json({}, 429, **{"Retry-After": "7200"}), UNREACHABLE, "it wants to be asked again in 7200 s"),
        (as_json({}, 500), UNREACHABLE, "answers 500 Internal Server Error, 2 times; ask again later"),
        (
            as_json(refused("Not Found", "No data found"), 404),
            INPUT,
            "Yahoo says of EURUSD=X: Not Found: No data found",
        ),
        (Reply(b"<html>"), INPUT, "is a page for people, no data"),
        (as_json(chart("EURUSD=X", timestamp=None)), INPUT, "not one row was taken of 0 read"),
    ],
)
def test_where_nothing_comes_one_line_says_why(
    typed: Cli,
    provider: Provider,
    reply: Reply,
    code: int,
    why: str,
) -> None:
    provider.answer(path("EURUSD%3DX"), reply)
    done = typed(*TYPED)
    assert done.code == code
    assert why in error(done)
    assert "Traceback" not in done.err


def test_a_provider_that_is_not_there_is_unreachable(typed: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("BACKBONE_PROVIDERS_YAHOO_BASE_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        done = typed(*TYPED)
    assert done.code == UNREACHABLE
    assert "gives no answer" in error(done)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("ingest",), "no file given; name one, or a provider by --source"),
        (("ingest", "--source", "csv"), "--source csv given without a file; name one, or a provider: --source yahoo"),
        (
            ("ingest", "--source", "yaho", "--symbol", "A"),
            "--source yaho given; allowed is csv, fred, multi, parquet, yahoo",
        ),
        (("ingest", "--source", "yahoo", "--interval", "1h"), "no symbols given; name those to ask yahoo for"),
        (("ingest", "--source", "yahoo", "--symbol", "A/B", "--interval", "1h"), "symbol 'A/B' given"),
        (("ingest", "--source", "yahoo", "--symbol", "A", "--interval", "3m"), "interval '3m' asked of yahoo"),
        (("ingest", "--source", "yahoo", "--symbol", "A"), "no interval given; name one of the bars"),
        ((*TYPED, "--start", "2024-01-01"), "period='30d' given beside start or end"),
        ((*TYPED[:-1], "soon"), "period='soon' given; allowed is a duration or a period"),
        ((*TYPED, "--zone", "UTC"), "zone='UTC' given; yahoo reads no file"),
        (("ingest", "x.csv", "--period", "30d"), "a file has the rows that it has"),
    ],
)
def test_what_cannot_be_asked_is_refused_as_usage(typed: Cli, words: tuple[str, ...], why: str) -> None:
    done = typed(*words)
    assert done.code == USAGE
    assert why in error(done)
    assert not Path("data").exists()


def test_the_calendar_of_fred_needs_its_key_and_keeps_it_to_itself(
    typed: Cli,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = typed("ingest", "--source", "fred")
    assert (done.code, provider.seen) == (USAGE, [])
    assert "FRED needs a key" in error(done)
    key = "0123456789abcdef" * 2
    monkeypatch.setenv("FRED_API_KEY", key)
    provider.answer("/fred/releases/dates", as_json(release_dates((10, "Consumer Price Index", "2024-03-12"))))
    done = typed("ingest", "--source", "fred", "--start", "2024-01-01", "--format", "json", "-vv")
    assert (done.code, json.loads(done.out)["inserted"]) == (DONE, 1)
    assert provider.seen[0].query["api_key"] == key
    provider.answer("/fred/releases/dates", as_json({"error_code": 400, "error_message": f"api_key {key} is odd"}, 400))
    failed = typed("ingest", "--source", "fred", "-vv")
    assert failed.code == UNREACHABLE
    assert key not in done.out + done.err + failed.out + failed.err
    shown = typed("config", "show", "--format", "json")
    assert key not in shown.out
