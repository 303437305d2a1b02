"""config, migrate, retention."""

import json
from pathlib import Path

import pytest

from tests.backbone.cli.conftest import Cli


def test_every_setting_is_shown_with_its_origin(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKBONE_STORE_THREADS", "3")
    body = json.loads(cli("config", "show", "--format", "json", "--set", "cache.ttl=7").out)
    rows = {row["path"]: (row["value"], row["origin"]) for row in body["settings"]}
    assert rows["store.threads"] == (3, "env BACKBONE_STORE_THREADS")
    assert rows["cache.ttl"] == (7.0, "--set cache.ttl")
    assert rows["store.backend"] == ("duckdb", "config/embedded.yaml")
    assert rows["supervision.restarts"] == (100, "default")


def test_only_what_was_changed_is_shown_where_asked(cli: Cli) -> None:
    page = cli("config", "show", "--changed", "--set", "cache.ttl=7").out
    assert "cache.ttl" in page
    assert "supervision.restarts" not in page


def test_a_secret_is_masked_in_every_format(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKBONE_STORE_PASSWORD", "hunter2")
    for how in ("human", "json", "markdown"):
        done = cli("config", "show", "--format", how)
        assert "store.password" in done.out
        assert "hunter2" not in done.out + done.err


def test_an_env_file_counts_and_the_environment_wins(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("my.env").write_text("BACKBONE_STORE_THREADS=3\nBACKBONE_CACHE_TTL=9\n")
    monkeypatch.setenv("BACKBONE_STORE_THREADS", "4")
    body = json.loads(cli("config", "show", "--format", "json", "--env-file", "my.env").out)
    rows = {row["path"]: row["value"] for row in body["settings"]}
    assert (rows["store.threads"], rows["cache.ttl"]) == (4, 9.0)


def test_a_check_without_findings_is_ok(cli: Cli) -> None:
    assert cli("config", "check").out == "✓ ok  embedded settings, nothing to say\n"


@pytest.mark.parametrize("how", ["human", "json", "markdown"])
def test_a_check_exits_2_where_a_start_would_be_refused(cli: Cli, how: str) -> None:
    done = cli("config", "check", "--profile", "institutional", "--format", how)
    assert done.code == 2
    assert "BACKBONE_STORE_URL" in done.out


def test_a_template_can_be_used_as_it_is(cli: Cli) -> None:
    assert cli("config", "template", "--output", "my.env").code == 0
    assert cli("config", "check", "--env-file", "my.env").code == 0


def test_migrations_are_foretold_applied_and_then_nothing(cli: Cli) -> None:
    foretold = json.loads(cli("migrate", "--dry-run", "--format", "json").out)
    assert foretold["pending"]
    assert not Path("data").exists()
    applied = json.loads(cli("migrate", "--format", "json").out)
    assert applied["applied"] == foretold["pending"]
    assert "nothing to do" in cli("migrate").out
    assert cli("migrate", "--status").out.splitlines()[0] == f"in force: {applied['current']}"


def test_retention_is_judged_as_of_a_day(cli: Cli, bars: str) -> None:
    cli("ingest", bars, "--interval", "1h")
    done = cli("retention", "--as-of", "2020-01-07")
    assert "a dry run as of 2020-01-07 00:00 UTC" in done.out
    assert "intraday_bars EURUSD 1h" in done.out
    assert json.loads(cli("retention", "--as-of", "2020-01-07", "--format", "json").out)["applied"] is False


def test_retention_of_nothing_says_so(cli: Cli) -> None:
    assert "nothing is stored" in cli("retention").out


def test_applying_retention_is_asked_about_and_refused_over_the_embedded_store(cli: Cli, bars: str) -> None:
    cli("ingest", bars, "--interval", "1h")
    done = cli("retention", "--apply")
    assert done.code == 2
    assert "--yes" in done.err
    done = cli("retention", "--apply", "--yes")
    assert done.code == 2
    assert "dry run" in done.err
    assert done.out == ""
