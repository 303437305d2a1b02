"""`backbone backfill`, as typed."""

from __future__ import annotations

import json

import pytest

from tests.backbone.cli.conftest import Cli
from tests.backbone.facade.kit import bars
from tests.backbone.facade.test_backfill import ALL, END, WEEK
from tests.backbone.ingest.providers import KIND, Provider, installed

FILL = ("backfill", "intraday", "--source", KIND, "--symbols", "EURUSD", "--interval", "1h")
SPAN = ("--start", WEEK.isoformat(), "--end", END.isoformat())


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    return installed(Provider(ALL), monkeypatch)


def test_what_is_missing_is_told_then_filled_and_then_there(cli: Cli, provider: Provider) -> None:
    dry = cli(*FILL, *SPAN, "--dry-run")
    assert dry.code == 0
    assert "117 missing, in 1 pieces; nothing was asked for" in dry.out
    assert "EURUSD 1h 2018-06-04 00:00 to 2018-06-08 20:00: 117" in dry.out
    done = cli(*FILL, *SPAN)
    assert done.code == 0
    assert "1 of 1 pieces filled: 117 rows new" in done.out
    assert "backfill: 1 of 1 pieces, 117 rows" in done.err
    assert "nothing is missing" in cli(*FILL, *SPAN, "--quiet").out


def test_the_report_is_json_or_markdown(cli: Cli, provider: Provider) -> None:
    report = json.loads(cli(*FILL, *SPAN, "--format", "json").out)
    assert (report["inserted"], report["done"], report["series"][0]["left"]) == (117, 1, 0)
    assert "# Backfill" in cli(*FILL, *SPAN, "--format", "markdown").out


def test_a_piece_that_fails_exits_1_and_says_why(cli: Cli, provider: Provider) -> None:
    provider.failing = {1}
    done = cli(*FILL, *SPAN)
    assert done.code == 1
    assert "fake: 503 from the provider" in done.out
    again = cli(*FILL, *SPAN)
    assert again.code == 0
    assert "1 gone on with" in again.out


def test_a_file_is_a_source_as_well(cli: Cli, provider: Provider) -> None:
    from pathlib import Path

    from tests.backbone.facade.kit import write_csv

    path = write_csv(Path.cwd() / "bars.csv", bars(24, start=WEEK))
    words = ("backfill", "intraday", "--source", "csv", "--path", str(path), *FILL[4:], *SPAN)
    assert "24 rows new" in cli(*words).out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--source", "nowhere"), "--source nowhere given; allowed is csv, fake"),
        ((), "--source"),
        (("--source", KIND, "--symbols", "EURUSD"), "give a start"),
        (("--source", KIND, "--interval", "7m"), "7m"),
        (("--source", KIND, "--start", "2018-06-05", "--end", "2018-06-04"), "exchange them"),
    ],
)
def test_what_can_not_be_meant_exits_2(cli: Cli, provider: Provider, words: tuple[str, ...], told: str) -> None:
    done = cli("backfill", "intraday", *words)
    assert done.code == 2
    assert told in done.err


def test_macro_events_have_no_gaps(cli: Cli, provider: Provider) -> None:
    done = cli("backfill", "macro", "--source", KIND)
    assert (done.code, "of which no calendar tells" in done.err) == (2, True)
