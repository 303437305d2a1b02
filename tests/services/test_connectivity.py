"""Probes of the real servers: ok on the stack; where one is down, exactly its own has failed, within the time given."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import anyio
import pytest

from backbone.domain.status import Status
from backbone.operations.probes.alone import probe_alone
from backbone.operations.probes.connectivity import ConnectivityReport
from backbone.services import native
from backbone.settings import Settings, load_settings
from backbone.store import child as store
from backbone.stream.child import topics_of
from tests.services.clients import NAMES

SCRIPT = Path(sys.executable).with_name("backbone")
PARTS = dict(zip(NAMES, ("store", "cache", "stream"), strict=True))
OK, FAILED = Status.OK, Status.FAILED
TIMEOUT = 4.0


@pytest.fixture
async def settings(services: native.Services, tmp_path: Path) -> Settings:
    """Of the institutional profile, whose tables and topics are there."""
    made = load_settings(
        profile="institutional", env=services.environment, overrides={"control.path": str(tmp_path / "s")}
    )
    stores = store.factory(made)
    opened = stores()
    await opened.open()
    await opened.migrate()
    await opened.close()
    stores.close()
    provision = topics_of(made)
    assert provision is not None
    assert (await provision(False)).complete
    return made


async def probed(settings: Settings) -> ConnectivityReport:
    """All probes, none of which takes longer than it may."""
    with anyio.fail_after(TIMEOUT + 5):
        return await probe_alone(settings, TIMEOUT)


async def recovered(settings: Settings) -> None:
    """Ask until all is well again."""
    with anyio.fail_after(60):
        while (await probed(settings)).status is not OK:
            pass


def statuses(report: ConnectivityReport) -> dict[str, Status]:
    return {each.name: each.status for each in report.probes}


async def test_on_the_stack_every_probe_is_ok_and_took_a_round_trip(settings: Settings) -> None:
    report = await probed(settings)
    assert statuses(report) == {"store": OK, "cache": OK, "stream": OK}, report.to_markdown()
    assert report.status is OK
    for probe in report.probes:
        assert probe.latency_ms is not None
        assert probe.latency_ms > 0
        assert round(probe.latency_ms, 3) == probe.latency_ms
        assert "127.0.0.1" in probe.details["endpoint"]
    [of_store, of_cache, of_stream] = report.probes
    assert "TimescaleDB" in of_store.details["version"]
    assert (of_store.backend, of_cache.backend, of_stream.backend) == ("timescale", "redis", "kafka")


@pytest.mark.parametrize("name", NAMES)
async def test_where_one_server_is_stopped_exactly_its_probe_has_failed(
    services: native.Services, settings: Settings, name: str
) -> None:
    services.kill(name)
    try:
        report = await probed(settings)
    finally:
        await services.restart(name)
    expected = dict.fromkeys(PARTS.values(), OK) | {PARTS[name]: FAILED}
    assert statuses(report) == expected, report.to_markdown()
    [probe] = [each for each in report.probes if each.name == PARTS[name]]
    assert (probe.healthy, probe.latency_ms, report.status) == (False, None, FAILED)
    assert probe.why
    await recovered(settings)


@pytest.mark.parametrize("name", NAMES)
async def test_where_one_server_is_frozen_its_probe_fails_within_the_time_given(
    services: native.Services, settings: Settings, name: str
) -> None:
    services.freeze(name)
    began = time.monotonic()
    try:
        report = await probed(settings)
    finally:
        services.thaw(name)
    took = time.monotonic() - began
    expected = dict.fromkeys(PARTS.values(), OK) | {PARTS[name]: FAILED}
    assert statuses(report) == expected, report.to_markdown()
    assert took < TIMEOUT + 5
    await recovered(settings)


@pytest.mark.parametrize("down", [None, *NAMES])
async def test_the_manifest_has_each_part_and_no_secret_with_each_server_down_in_turn(
    services: native.Services, settings: Settings, down: str | None, tmp_path: Path
) -> None:
    env_file = tmp_path / ".env"
    lines = [f"{name}={value}" for name, value in services.environment.items()]
    env_file.write_text("\n".join([*lines, f"BACKBONE_CONTROL_PATH={tmp_path / 's'}"]), encoding="utf-8")
    given = [str(SCRIPT), "connectors", "--profile", "institutional", "--env-file", str(env_file), "--ensure-topics"]
    if down is not None:
        services.kill(down)
    said = ""
    try:
        for how in ("human", "markdown", "json"):
            done = await anyio.run_process([*given, "--format", how], check=False, cwd=tmp_path)
            said += done.stdout.decode() + done.stderr.decode()
            assert done.returncode == (0 if down is None else 4), said
    finally:
        if down is not None:
            await services.restart(down)
    report = json.loads(done.stdout)
    assert [each["name"] for each in report["manifest"]][:3] == ["store", "cache", "stream"]
    wrong = {each["name"] for each in report["manifest"][:3] if each["status"] != "ok"}
    assert wrong == (set() if down is None else {PARTS[down]})
    made = report["kafka_topic_provisioning"]
    assert bool(made["failed"]) == (down == "kafka")
    for secret in secrets_of(services):
        assert secret not in said


def secrets_of(services: native.Services) -> list[str]:
    """The passwords of the servers."""
    urls = [services.environment[name] for name in ("BACKBONE_STORE_URL", "BACKBONE_CACHE_URL")]
    found = [url.partition("://")[2].rpartition("@")[0].partition(":")[2] for url in urls]
    found.append(services.environment["BACKBONE_STREAM_PASSWORD"])
    assert all(found)
    return found


async def test_a_kafka_that_takes_records_and_gives_none_back_has_failed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr("backbone.stream.kafka.sending.echo", nothing)
    report = await probed(settings)
    assert statuses(report) == {"store": OK, "cache": OK, "stream": FAILED}
    assert report.probes[2].why == "Kafka did not give what was written just now"
