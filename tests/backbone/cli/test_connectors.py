"""`backbone connectors`, with a running backbone and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.backbone.cli.conftest import Cli

SERVERS = (
    "--profile",
    "institutional",
    "--set",
    "store.url=postgresql://127.0.0.1:1/d",
    "--set",
    "cache.url=redis://127.0.0.1:1",
    "--set",
    "stream.bootstrap=127.0.0.1:1",
    "--timeout",
    "2",
)


@pytest.mark.parametrize("how", ["human", "json", "markdown"])
def test_without_a_running_backbone_the_parts_that_live_in_one_are_unknown(cli: Cli, how: str) -> None:
    done = cli("connectors", "--format", how)
    assert done.code == 4
    assert done.err.startswith("backbone: note: no running backbone at ")
    assert "unknown" in done.out
    assert not Path("data").exists()


def test_without_a_running_backbone_each_server_is_asked_from_here(cli: Cli) -> None:
    done = cli("connectors", *SERVERS, "--format", "json", "--quiet")
    report = json.loads(done.out)
    assert (done.code, report["running"], report["status"]) == (4, False, "failed")
    assert [each["status"] for each in report["probes"]] == ["failed"] * 3
    assert [each["name"] for each in report["manifest"]][:3] == ["store", "cache", "stream"]


def test_the_manifest_alone_asks_nobody(cli: Cli) -> None:
    done = cli("connectors", *SERVERS, "--no-connectivity", "--format", "json", "--quiet")
    report = json.loads(done.out)
    assert (done.code, report["status"], report["probes"], report["store"]) == (0, "unknown", [], None)
    assert len(report["topics"]) == 6


def test_topics_are_looked_for_where_the_stream_has_some(cli: Cli) -> None:
    done = cli("connectors", *SERVERS, "--topics-dry-run", "--format", "json", "--quiet")
    made = json.loads(done.out)["kafka_topic_provisioning"]
    assert made["dry_run"]
    assert "backbone.quotes" in made["failed"]
    assert "127.0.0.1:1" in made["failed"]["backbone.quotes"]
    none = cli("connectors", "--ensure-topics")
    assert "no topics: stream.backend is memory" in none.err


@pytest.mark.parametrize("seconds", ["0", "-1", "7", "nan", "soon"])
def test_a_time_that_is_none_is_refused(cli: Cli, seconds: str) -> None:
    done = cli("connectors", "--timeout", seconds)
    assert (done.code, done.out) == (2, "")
    assert "timeout" in done.err
