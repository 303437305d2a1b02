"""`backbone run`: what it fetches, when it ends, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from backbone import Backbone, Dimension
from backbone.domain.status import Status
from backbone.operations.probes.connectivity import ConnectivityReport
from tests.backbone.cli.conftest import Cli
from tests.backbone.ingest.market_kit import KIND, Provider, installed, only, overloaded, refusing

SYMBOLS = ("--symbols", "AAPL,MSFT", "--set", f"market.source={KIND}", "--set", "quality.session=us_equities")
TWO = (*SYMBOLS, "--set", "market.intraday=true", "--set", "market.intraday_interval=1h")
EVENTS = [{"ts": "2026-03-02T13:30:00Z", "calendar": "US", "event": "CPI", "actual": 2.4}]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    return installed(monkeypatch)


@pytest.fixture
def events(cli: Cli) -> tuple[str, ...]:
    """Options that have macro events fetched from a file in the folder of the command line."""
    Path("events.json").write_text(json.dumps(EVENTS))
    return "--set", "market.macro=true", "--set", "market.macro_file=events.json"


def test_once_fetches_and_ends(cli: Cli, provider: Provider) -> None:
    done = cli("run", "--mode", "once", *TWO, "--format", "json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["status"], report["trigger"]) == ("ok", "bootstrap")
    assert [each["dimension"] for each in report["dimensions"]] == ["daily_bars", "intraday_bars"]
    assert "stopped: orphans 0, tasks left 0; waited when it was told to stop: live rows 0" in done.err
    assert "daily_bars: ok" in done.err
    assert cli("run", "--mode", "once", *TWO).out.lstrip().startswith("Market  bootstrap")


def test_once_with_a_dimension_that_fails_exits_1(cli: Cli, provider: Provider) -> None:
    provider.trouble = only(Dimension.DAILY_BARS, refusing("no daily bars"))
    done = cli("run", "--mode", "once", *TWO)
    assert (done.code, "daily_bars: failed, 0 rows of desk, 0 new; no daily bars" in done.err) == (1, True)


def test_once_with_no_provider_that_can_be_reached_exits_4(cli: Cli, provider: Provider) -> None:
    provider.trouble = overloaded()
    assert cli("run", "--mode", "once", *TWO).code == 4


def test_once_of_what_can_not_be_used_exits_1(cli: Cli, provider: Provider) -> None:
    provider.trouble = refusing("its key was refused")
    assert cli("run", "--mode", "once", *SYMBOLS).code == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--mode", "once"), "--mode once: market.symbols is empty and market.macro is false"),
        (("--mode", "schedule"), "--mode schedule: market.symbols is empty"),
        (("--mode", "once", "--skip-bootstrap", *SYMBOLS), "leave one of them out"),
        (("--mode", "twice"), "twice"),
        (("--duration", "0"), "--duration 0: allowed is more than 0"),
        (("--duration", "soon"), "'soon' is not a duration"),
        (("--mode", "once", "--symbols", "AAPL", "--set", "market.source=nobody"), "nobody, which is no source"),
        (("--mode", "once", *SYMBOLS, "--set", "market.intraday_interval=1x"), "unknown interval '1x'"),
        (("--set", "market.macro_start=2026-01-01"), "market.macro_end is not set"),
        (("--set", "schedule.interval=1"), "schedule.interval"),
    ],
)
def test_what_can_not_be_meant_exits_2(cli: Cli, provider: Provider, words: tuple[str, ...], why: str) -> None:
    done = cli("run", *words)
    assert done.code == 2
    assert why in done.err


def test_after_its_duration_it_ends_with_0(cli: Cli, provider: Provider) -> None:
    done = cli("run", "--mode", "schedule", "--duration", "1s", *SYMBOLS)
    assert done.code == 0
    assert [call.dimension for call in provider.calls] == [Dimension.DAILY_BARS]
    assert "the schedule fetches next at" in done.err
    assert cli("run", "--duration", "0.3", "--quiet").err == ""


def test_once_whose_duration_is_over_first_exits_1(cli: Cli, provider: Provider) -> None:
    done = cli("run", "--mode", "once", "--duration", "0.001", *SYMBOLS)
    assert (done.code, "was over before all was fetched" in done.err) == (1, True)


def test_without_a_bootstrap_nothing_is_fetched_at_the_start(cli: Cli, provider: Provider) -> None:
    assert cli("run", "--skip-bootstrap", "--duration", "0.3", *SYMBOLS).code == 0
    assert provider.calls == []


def test_the_kill_switch_holds_the_bootstrap_too(cli: Cli, provider: Provider) -> None:
    Path("kill").touch()
    done = cli("run", "--duration", "0.3", *SYMBOLS, "--set", "kill_switch=kill")
    assert (done.code, provider.calls) == (0, [])
    assert "the kill switch kill is there: nothing is fetched at the start" in done.err


def test_a_store_that_can_not_be_opened_exits_4(cli: Cli) -> None:
    Path("file").write_text("no folder")
    assert cli("run", "--duration", "0.3", "--set", "store.path=file/store.duckdb").code == 4


def test_connectivity_that_is_well_lets_it_begin(cli: Cli) -> None:
    assert cli("run", "--check-connectivity", "--duration", "0.3").code == 0


def test_a_server_that_does_not_answer_exits_4_before_anything_is_fetched(cli: Cli, provider: Provider) -> None:
    redis = ("--set", "cache.backend=redis", "--set", "cache.host=127.0.0.1", "--set", "cache.port=1")
    done = cli("run", "--check-connectivity", "--duration", "0.3", *redis, *SYMBOLS)
    assert (done.code, provider.calls) == (4, [])
    assert "error: cache (redis) is failed" in done.err


def test_a_server_that_is_degraded_exits_3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Backbone.connectivity

    async def degraded(self: Backbone) -> ConnectivityReport:
        report = await real(self)
        probes = [replace(each, status=Status.DEGRADED, why="slow", backend="redis") for each in report.probes]
        return replace(report, probes=tuple(probes))

    monkeypatch.setattr(Backbone, "connectivity", degraded)
    monkeypatch.setattr(
        "backbone.cli.commands.running.stand_ins", lambda _: {"cache": None, "store": "x", "stream": "x"}
    )
    done = cli("run", "--check-connectivity", "--duration", "0.3")
    assert (done.code, "error: cache (redis) is degraded: slow" in done.err) == (3, True)


def test_events_of_a_file_are_fetched_and_journalled(cli: Cli, events: tuple[str, ...]) -> None:
    assert cli("run", "--mode", "once", *events).code == 0
    listed = cli("runs", "list")
    assert (listed.code, "macro_events of file: 1 rows, 1 new" in listed.out) == (0, True)
    assert "macro_events: 1 of 1 went well" in listed.out
    report = json.loads(cli("runs", "list", "--format", "json", "--dimension", "macro").out)
    [row] = report["runs"]
    assert (row["status"], row["metadata"]["trigger"]) == ("ok", "bootstrap")
    shown = cli("runs", "show", row["run_id"][-6:])
    assert (shown.code, f"run {row['run_id']}" in shown.out) == (0, True)
    assert "| macro_events | ok | 1 | 1 |" in cli("runs", "show", row["run_id"], "--format", "markdown").out


def test_a_run_that_failed_is_listed_with_its_reason_and_exits_1(cli: Cli, provider: Provider) -> None:
    provider.trouble = refusing("its key was refused")
    cli("run", "--mode", "once", *SYMBOLS)
    listed = cli("runs", "list", "--quiet")
    assert (listed.code, listed.err) == (1, "")
    assert "daily_bars of desk: its key was refused" in listed.out
    assert "operational_backbone of desk: daily_bars: its key was refused" in listed.out


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("runs", "list", "--limit", "0"), 2, "allowed are 1 to 10000"),
        (("runs", "list", "--dimension", "weather"), 2, "unknown dimension 'weather'"),
        (("runs", "show", "nobody"), 1, "'nobody': no run has that id"),
        (("resume",), 4, "no running backbone"),
        (("pause",), 4, "no running backbone"),
    ],
)
def test_questions_that_have_no_answer(cli: Cli, words: tuple[str, ...], code: int, why: str) -> None:
    done = cli(*words)
    assert done.code == code
    assert why in done.err


def test_no_run_yet_is_no_failure(cli: Cli) -> None:
    done = cli("runs", "list")
    assert (done.code, "no run was journalled yet" in done.out) == (0, True)


def test_a_report_of_once_goes_into_a_file(cli: Cli, events: tuple[str, ...]) -> None:
    done = cli("run", "--mode", "once", *events, "--format", "markdown", "--output", "run.md")
    assert (done.code, done.out) == (0, "")
    assert Path("run.md").read_text().startswith("# Market run\n")
