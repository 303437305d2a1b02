"""One full cycle with no part replaced: ingest, commit, relay, cache, Kafka, consumer, and the evidence of each."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backbone import Backbone, Dimension, IngestPlan, samples
from backbone.cli.process.opening import VALIDATION
from backbone.operations.rehearsal.cycle import RehearsalRequest
from backbone.operations.validation import observe
from backbone.services import native
from backbone.settings import Settings
from tests.services.cycle import institutional
from tests.services.stores import drop_database, make_database

PLAN = IngestPlan(dimensions=[Dimension.INTRADAY_BARS], interval="1h", symbols=["EURUSD"], path=samples.eurusd_1h())


@pytest.fixture
async def settings(services: native.Services) -> AsyncIterator[Settings]:
    dsn = await make_database(services, "timescale")
    yield institutional(services, dsn)
    await drop_database(services, dsn)


async def test_operational_backbone_pipeline_full_cycle(settings: Settings, tmp_path: Path) -> None:
    host = asyncio.all_tasks()
    async with Backbone.open(settings) as backbone:
        report = await backbone.rehearse(RehearsalRequest(plan=PLAN))
        roster = backbone.roster()
    assert report.failures == ()
    assert {each.name: str(each.status) for each in report.connectivity.probes} == {
        "store": "ok",
        "cache": "ok",
        "stream": "ok",
    }
    assert [each.backend for each in report.connectivity.probes] == ["timescale", "redis", "kafka"]
    sent = report.delivery
    assert (sent.rows, sent.duplicates, sent.lag, sent.in_order, sent.identical) == (5000, 0, 0, True, True)
    assert report.cache_after.backend == "redis"
    assert report.cache_after.hits > report.cache_before.hits
    jobs = {each.path.partition("/backbone/")[2] for each in roster.entries if each.kind == "actor"}
    assert jobs >= {"store", "cache", "stream/relay", "stream/last", "stream/consumer", "ingest", "retention"}
    assert {each.path: each.health.why for each in roster.entries if each.health.level not in {"ok", "unknown"}} == {}
    validation = observe(roster, host, settings_hash=settings.hash)
    (tmp_path / VALIDATION).write_bytes(validation.to_json())
    written = json.loads((tmp_path / VALIDATION).read_text())
    assert (written["succeeded"], written["orphans"], written["tasks_left"]) == (True, [], [])
    assert jobs <= {each["path"].partition("/backbone/")[2] for each in written["supervised"]}


async def test_for_an_operator_the_cycle_runs_as_typed(services: native.Services, tmp_path: Path) -> None:
    """`backbone services up && backbone rehearse --profile institutional --env-file .services/.env`."""
    shutil.copyfile(services.env_file, tmp_path / ".env")
    words = ["rehearse", "--profile", "institutional", "--env-file", ".env", "--output", "out"]
    command = [str(Path(sys.executable).with_name("backbone")), *words]
    ran = await asyncio.to_thread(
        subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    validation = json.loads((tmp_path / "out" / VALIDATION).read_text())
    assert (validation["succeeded"], validation["orphans"]) == (True, [])
    [told] = [each for each in (tmp_path / "out").glob("*.json") if each.name != VALIDATION]
    rehearsal = json.loads(told.read_text())
    assert [each["status"] for each in rehearsal["connectivity"]["probes"]] == ["ok", "ok", "ok"]
    password = services.environment["BACKBONE_STREAM_PASSWORD"]
    for each in [*(tmp_path / "out").iterdir()]:
        assert password.encode() not in each.read_bytes(), each
    assert password not in ran.stdout + ran.stderr
