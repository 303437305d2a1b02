"""A whole backbone on the real servers: its topics, its probes, its manifest, and who looks at what it commits."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from backbone import Backbone
from backbone.domain import Frame, Status
from backbone.operations.probes.connectivity import ConnectivityReport
from backbone.services import native
from backbone.settings import Settings, load_settings
from backbone.stream.topics import Topics
from tests.services.clients import NAMES, admin

SCRIPT = str(Path(sys.executable).with_name("backbone"))
PARTS = dict(zip(NAMES, ("store", "cache", "stream"), strict=True))
T0 = datetime(2026, 1, 5, tzinfo=UTC)


def quotes(symbol: str, count: int) -> Frame:
    rows = [
        {"symbol": symbol, "ts": T0 + timedelta(seconds=n), "sequence": n, "bid": 1.0, "ask": 1.1} for n in range(count)
    ]
    return Frame.from_records("quotes", rows)


@pytest.fixture
def place(services: native.Services, tmp_path: Path) -> Path:
    """An env file of the institutional profile, with topics and a socket of the test's own."""
    values = services.environment | {
        "BACKBONE_PROFILE": "institutional",
        "BACKBONE_CONTROL_PATH": str(tmp_path / "s"),
        "BACKBONE_STREAM_TOPIC": f"backbone.b{secrets.token_hex(4)}.{{dimension}}",
        "BACKBONE_TELEMETRY_TOPIC": f"backbone.b{secrets.token_hex(4)}.{{name}}",
    }
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    return file


@pytest.fixture
def settings(place: Path) -> Settings:
    from backbone.settings import read_env_file

    return load_settings(env=read_env_file(place))


@pytest.fixture
async def running(settings: Settings) -> AsyncIterator[Backbone]:
    async with Backbone.open(settings) as backbone:
        yield backbone


async def command(place: Path, *words: str) -> tuple[int, str, str]:
    with anyio.fail_after(90):
        done = await anyio.run_process(
            [SCRIPT, words[0], "--env-file", str(place), *words[1:]], check=False, cwd=place.parent
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def until(backbone: Backbone, status: Status) -> ConnectivityReport:
    with anyio.fail_after(60):
        while (report := await backbone.connectivity()).status is not status:
            pass
    return report


async def test_it_has_its_topics_before_it_publishes_and_every_part_is_ok(
    services: native.Services, running: Backbone
) -> None:
    topics = Topics.of(running.settings.stream)
    async with admin(services, "admin") as client:
        assert set(topics.all) <= set(await client.list_topics())
    report = await until(running, Status.OK)
    assert [each.backend for each in report.probes] == ["timescale", "redis", "kafka"]
    manifest = await running.connectors()
    assert {each.partitions for each in manifest.topics} == {8}
    assert all(each.supervised for each in manifest.manifest)
    assert manifest.running


@pytest.mark.parametrize(
    ("name", "harm"), [*((name, "stopped") for name in NAMES), ("redis", "frozen"), ("kafka", "frozen")]
)
async def test_where_one_server_is_stopped_or_frozen_its_probe_alone_has_failed_and_it_comes_back(
    services: native.Services, running: Backbone, name: str, harm: str
) -> None:
    """One that is frozen is not taken for busy either."""
    await until(running, Status.OK)
    if harm == "stopped":
        services.kill(name)
    else:
        services.freeze(name)
    try:
        failed = set[str]()
        with anyio.fail_after(20):
            while not failed:  # sessions of a PostgreSQL that was killed end a moment after it, and answer until then
                report = await running.connectivity()
                failed = {each.name for each in report.probes if each.status is Status.FAILED}
        assert failed == {PARTS[name]}, report.to_markdown()
    finally:
        if harm == "stopped":
            await services.restart(name)
        else:
            services.thaw(name)
    await until(running, Status.OK)


async def test_topics_that_are_lost_are_made_again_and_what_is_committed_goes_on(
    services: native.Services, running: Backbone
) -> None:
    await until(running, Status.OK)
    topics = Topics.of(running.settings.stream)
    async with admin(services, "admin") as client:
        await client.delete_topics(list(topics.all))
        await running.record(quotes("LOST", 3))
        with anyio.fail_after(60):
            while not set(topics.all) <= set(await client.list_topics()):
                pass
    await until(running, Status.OK)
    with anyio.fail_after(60):
        while (await running.outbox()).pending:
            pass


async def test_what_is_committed_is_seen_through_the_running_backbone_and_without_it(
    settings: Settings, place: Path
) -> None:
    symbol = f"S{secrets.token_hex(3)}".upper()
    words = ("subscribe", "quotes", symbol, "--start", "earliest", "--format", "json", "--limit", "1", "--quiet")
    async with Backbone.open(settings) as backbone:
        await backbone.record(quotes(symbol, 5))
        code, out, err = await command(place, *words)
        assert (code, err) == (0, "")
        update = json.loads(out)
        assert (update["symbol"], update["rows"]) == (symbol, 5)
        code, out, err = await command(place, "connectors", "--ensure-topics", "--format", "json", "--quiet")
        report = json.loads(out)
        assert (code, report["running"], report["kafka_topic_provisioning"]["failed"]) == (0, True, {}), err
    code, out, err = await command(place, *words)
    assert (code, json.loads(out)["event_id"]) == (0, update["event_id"]), err
