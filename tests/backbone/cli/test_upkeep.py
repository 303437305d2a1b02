"""config, migrate, retention."""

import json
import re
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
    for name in ("BACKBONE_STORE_URL", "BACKBONE_CACHE_URL", "BACKBONE_STREAM_BOOTSTRAP"):
        assert f"its address is missing; set {name}" in " ".join(done.out.replace("\\_", "_").split())


ADDRESSES = {
    "BACKBONE_STORE_URL": "postgresql://localhost/x",
    "BACKBONE_CACHE_URL": "redis://localhost",
    "BACKBONE_STREAM_BOOTSTRAP": "localhost:9092",
}


def test_what_a_check_advises_is_enough_to_start(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = cli("config", "check", "--profile", "institutional")
    assert refused.code == 2
    advised = set(re.findall(r"set (BACKBONE_\w+)", " ".join(refused.out.split())))
    assert advised == set(ADDRESSES)
    for name in advised:
        monkeypatch.setenv(name, ADDRESSES[name])
    assert cli("config", "check", "--profile", "institutional").code == 0


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:///x.db", "a URL of sqlite:// given; allowed is postgresql://"),
        ("postgresql://u:hunter2@[::", "can't be read"),
        ("postgresql://u:hunter2/3@h/db", "can't be read"),
        ("localhost/hunter2", "text that is no URL given; allowed is postgresql://"),
    ],
)
def test_a_store_url_that_leads_to_no_postgres_is_found_by_the_check_and_by_the_start(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str, why: str
) -> None:
    monkeypatch.setenv("BACKBONE_STORE_URL", url)
    for words in (("config", "check"), ("fetch",)):
        done = cli(*words, "--set", "store.backend=timescale")
        assert done.code == 2, done
        assert why in " ".join((done.out + done.err).split())
        assert "hunter2" not in done.out + done.err


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


def test_an_embedded_store_is_said_to_be_never_dropped_from(cli: Cli) -> None:
    assert cli("rehearse", "-q").code == 0
    done = cli("retention", "--as-of", "2018-12-31")
    assert "232.2 days" not in done.out
    assert "beyond the cap of 65 days and are kept: an embedded store" in " ".join(done.out.split())
    assert "intraday_bars: nothing to be dropped: an embedded store is never dropped from" in done.out
    report = json.loads(cli("retention", "--as-of", "2018-12-31", "--format", "json").out)
    assert [(drop["rows"], drop["before"]) for drop in report["drops"]] == [(0, None)]


def test_applying_retention_is_asked_about_and_refused_over_the_embedded_store(
    cli: Cli, bars: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("ingest", bars, "--interval", "1h")
    for words in ((), ("--yes",)):
        done = cli("retention", "--apply", *words)
        assert done.code == 2
        assert "dry run" in done.err
    monkeypatch.setenv("BACKBONE_STORE_URL", "postgresql://localhost:1/x")
    done = cli("retention", "--apply", "--set", "store.backend=timescale")
    assert done.code == 2
    assert "--yes" in done.err
    assert done.out == ""
