"""`backbone freshness`, with a running backbone and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.backbone.cli.conftest import Cli
from tests.backbone.control.impostor import listening, saying


@pytest.mark.parametrize("how", ["human", "json", "markdown"])
def test_without_a_running_backbone_the_store_is_asked(cli: Cli, bars: str, how: str) -> None:
    assert cli("ingest", bars, "--interval", "1h").code == 0
    done = cli("freshness", "--as-of", "2020-01-06T01:30:00Z", "--format", how)
    assert done.code == 0
    assert "EURUSD" in done.out
    assert "2020-01-06" in done.out


def test_the_report_says_when_the_next_row_was_due_and_what_is_wrong_with_the_feed(cli: Cli, bars: str) -> None:
    cli("ingest", bars, "--interval", "1h")
    report = json.loads(cli("freshness", "--as-of", "2020-01-06T03:20:00Z", "--format", "json").out)
    [found] = report["findings"]
    assert (found["level"], found["due"], found["age_s"]) == ("degraded", "2020-01-06T03:00:00Z", 1200.0)
    assert (report["status"], report["anomalies"][0]["code"]) == ("degraded", "stale_feed")


def test_symbols_and_dimensions_are_chosen(cli: Cli, bars: str) -> None:
    cli("ingest", bars, "--interval", "1h")
    done = cli("freshness", "--dimension", "quotes", "--symbols", "EURUSD", "--format", "json")
    assert [each["level"] for each in json.loads(done.out)["findings"]] == ["unknown"]


@pytest.mark.parametrize("words", [("--dimension", "nonsense"), ("--symbols", ""), ("--as-of", "soon")])
def test_a_wrong_option_is_refused(cli: Cli, words: tuple[str, str]) -> None:
    assert cli("freshness", *words).code == 2


def test_an_empty_store_says_so(cli: Cli) -> None:
    assert "nothing is stored" in cli("freshness").out


def test_a_running_backbone_is_asked(cli: Cli, tmp_path: Path) -> None:
    report = {"status": "ok", "as_of": "2020-01-06T03:20:00Z", "findings": [], "generated_at": "2020-01-06T03:20:00Z"}
    said = json.dumps({"schema": 1, "ok": True, "result": report}).encode() + b"\n"
    with listening(tmp_path / "b.sock", saying(said)):
        done = cli("freshness", "--set", f"control.path={tmp_path / 'b.sock'}", "--format", "json")
    assert (done.code, json.loads(done.out)["as_of"]) == (0, "2020-01-06T03:20:00Z")
    assert not Path("data").exists()
