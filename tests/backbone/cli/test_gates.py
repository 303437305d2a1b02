"""Switches and gates of the environment, as commands meet them: refused with 2 before a store is made, or told."""

from pathlib import Path

import pytest

from tests.backbone.cli.conftest import Cli


@pytest.mark.parametrize("command", [("run",), ("rehearse",), ("fetch",), ("migrate",), ("retention",)], ids=" ".join)
@pytest.mark.parametrize(
    ("name", "value", "fragment"),
    [
        (
            "DATA_BACKBONE_REQUIRE_TIMESCALE",
            "true",
            "timescale is required (store.required is true, env DATA_BACKBONE",
        ),
        ("EMP_TIER", "tier_1", "store.backend is timescale, but its address is missing; set BACKBONE_STORE_URL"),
        ("RUN_MODE", "real", "run_mode (env RUN_MODE (alias)): 'real' given; allowed is mock or paper or live"),
        ("BACKBONE_STORE_URL", "sqlite:///hunter2.db", "store.url (env BACKBONE_STORE_URL): a URL of sqlite:// given"),
    ],
)
def test_a_gate_refuses_every_command_that_opens_a_store(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], name: str, value: str, fragment: str
) -> None:
    monkeypatch.setenv(name, value)
    done = cli(*command)
    assert done.code == 2
    assert fragment in done.err
    assert "hunter2" not in done.err
    assert done.out == ""
    assert not Path("data").exists()
    checked = cli("config", "check")
    assert checked.code == 2
    assert fragment[:40] in " ".join((checked.out + checked.err).split())


def test_live_is_refused_naming_all_that_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_MODE", "live")
    done = cli("run")
    assert done.code == 2
    for what in ("confirm_live is false", "timescale is required", "redis is required", "kafka is required"):
        assert what in done.err


@pytest.mark.parametrize("name", ["TIMESCALE_SPARK_EXPORT", "CONNECTION_PROTOCOL", "CONFIRM_LIVE", "KAFKA_BATCH_SIZE"])
def test_a_name_without_effect_is_told_by_commands_and_by_the_check(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("BACKBONE_PROFILE", "embedded")
    monkeypatch.setenv(name, "1")
    notes = cli("fetch").err
    assert "note: not used: " in notes
    assert name in notes
    assert name in cli("config", "check").out
    assert name not in cli("fetch", "-q").err


def test_a_rehearsal_without_consumers_succeeds_and_says_so(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_INGEST_ENABLE_STREAMING", "no")
    done = cli("rehearse", "-q")
    assert done.code == 0
    assert "consuming is off" in done.out
