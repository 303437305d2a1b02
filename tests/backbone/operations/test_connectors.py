"""The manifest: each part as the settings want it and as it was found, with a backbone and without one."""

from __future__ import annotations

from pathlib import Path

import anyio
import msgspec
import pytest

from backbone.domain.status import Status
from backbone.operations.probes.alone import probe_alone
from backbone.operations.probes.connectivity import ConnectivityReport, Probe
from backbone.operations.probes.connectors import connectors
from backbone.operations.probes.manifest import ConnectorsReport
from backbone.settings import Settings, load_settings
from backbone.stream.provisioned import Provisioned
from backbone.testing import Faults, embedded

CANARY = "c4n4ry-pass"
SERVERS = {
    "BACKBONE_STORE_URL": f"postgresql://backbone:{CANARY}@db.internal:5432/market?sslmode=disable",
    "BACKBONE_CACHE_URL": f"redis://backbone:{CANARY}@cache.internal:6379/0",
    "BACKBONE_STREAM_BOOTSTRAP": "b1.internal:9092,b2.internal:9092",
    "BACKBONE_STREAM_USER": "backbone",
    "BACKBONE_STREAM_PASSWORD": CANARY,
}
OK, DEGRADED, FAILED, OFF, UNKNOWN = Status.OK, Status.DEGRADED, Status.FAILED, Status.OFF, Status.UNKNOWN


def institutional(**overrides: object) -> Settings:
    return load_settings(profile="institutional", env=SERVERS, overrides=overrides)


def probed(*statuses: Status) -> ConnectivityReport:
    probes = tuple(
        Probe(name=name, status=status, healthy=status in {OK, DEGRADED, OFF}, latency_ms=1.234, backend="x", why="w")
        for name, status in zip(("store", "cache", "stream"), statuses, strict=True)
    )
    healthy = [each.healthy for each in probes]
    worst = Status.worst(each.status for each in probes)
    return ConnectivityReport(status=worst, store=healthy[0], cache=healthy[1], stream=healthy[2], probes=probes)


@pytest.mark.parametrize(
    ("statuses", "overall"),
    [
        ((OK, OK, OK), OK),
        ((OK, OFF, OK), OK),
        ((OK, DEGRADED, OK), DEGRADED),
        ((OK, UNKNOWN, OK), DEGRADED),
        ((DEGRADED, OFF, UNKNOWN), DEGRADED),
        ((OK, FAILED, OK), FAILED),
        ((FAILED, DEGRADED, UNKNOWN), FAILED),
        ((FAILED, FAILED, FAILED), FAILED),
        ((OFF, OFF, OFF), OK),
    ],
)
def test_the_whole_is_as_its_worst_part(statuses: tuple[Status, ...], overall: Status) -> None:
    report = connectors(institutional(), probed(*statuses))
    assert report.status is overall
    assert [each.status for each in report.manifest[:3]] == list(statuses)


def test_the_manifest_names_each_part_where_it_is_and_shows_no_secret() -> None:
    report = connectors(institutional(), probed(OK, OK, FAILED))
    assert [each.name for each in report.manifest] == ["store", "cache", "stream", "ingest", "retention", "control"]
    store, cache, stream, *_ = report.manifest
    assert (store.metadata["backend"], store.configured, store.supervised) == ("timescale", True, False)
    assert store.metadata["endpoint"] == "postgresql://backbone:***@db.internal:5432/market?sslmode=disable"
    assert cache.metadata["endpoint"] == "redis://backbone:***@cache.internal:6379/0"
    assert cache.metadata["namespace"] == "backbone:cache"
    assert stream.metadata["endpoint"] == "b1.internal:9092,b2.internal:9092"
    assert stream.metadata["security_protocol"] == "SASL_SSL"
    assert (stream.healthy, stream.error) == (False, "w")
    for text in (report.to_json().decode(), report.to_markdown(), repr(report)):
        assert CANARY not in text


def test_topics_come_with_the_partitions_that_are_asked_for_and_those_that_are_there() -> None:
    settings = institutional(**{"stream.quotes.partitions": "16", "stream.order_book.publish": "no"})
    made = Provisioned(requested=("backbone.quotes", "backbone.trades"), existing={"backbone.quotes": 2})
    topics = {each.dimension: each for each in connectors(settings, probed(OK, OK, OK), provisioned=made).topics}
    assert (topics["quotes"].asked, topics["quotes"].partitions) == (16, 2)
    assert (topics["trades"].asked, topics["trades"].partitions) == (8, None)
    assert topics["order_book"].name is None
    assert connectors(load_settings(profile="embedded"), probed(OK, OK, OK)).topics == ()


def test_what_can_not_start_says_so_and_why() -> None:
    report = connectors(institutional(run_mode="live"), probed(OK, OK, OK))
    assert not report.should_run
    assert "confirm_live is false" in report.reason
    assert connectors(load_settings(profile="embedded"), None).should_run


def test_without_consumers_topics_are_reported_all_the_same() -> None:
    report = connectors(load_settings(profile="institutional", env={"KAFKA_INGEST_ENABLE_STREAMING": "off"}), None)
    assert report.consumer["consuming"] == "off"
    assert [each.name for each in report.topics][:2] == ["backbone.daily_bars", "backbone.intraday_bars"]


def test_a_manifest_without_probes_says_that_nobody_was_asked() -> None:
    report = connectors(institutional(), None)
    assert (report.status, report.store, report.cache, report.stream, report.probes) == (UNKNOWN, None, None, None, ())
    assert {each.healthy for each in report.manifest} == {None}


def test_a_manifest_survives_the_way_through_the_socket_and_reads_as_markdown() -> None:
    made = Provisioned(requested=("a", "b"), existing={"a": 8}, failed={"b": "no"}, notes=("n",))
    report = connectors(institutional(), probed(OK, OK, FAILED), provisioned=made)
    assert msgspec.json.decode(report.to_json(), type=ConnectorsReport) == report
    page = report.to_markdown()
    for title in ("# Connectors", "## Probes", "## Manifest", "## Topics", "## Topics on the brokers", "## Retention"):
        assert title in page


async def test_a_running_backbone_counts_its_cache_and_knows_what_it_supervises() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        report = await backbone.connectors()
        assert report.running
        assert {each.name: each.supervised for each in report.manifest} == {
            "store": True,
            "cache": True,
            "stream": True,
            "ingest": True,
            "retention": True,
            "control": False,
        }
        assert set(report.caches) == {"backbone:cache"}
        assert all(len(str(each.latency_ms).partition(".")[2]) <= 3 for each in report.probes)
        faults.store_down("gone")
        down = await backbone.connectors()
        statuses = {each.name: each.status for each in down.manifest}
        assert (statuses["store"], statuses["cache"], statuses["stream"]) == (FAILED, DEGRADED, DEGRADED)


async def test_without_a_backbone_what_lives_in_its_process_is_unknown_and_no_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "b.duckdb"
    settings = load_settings(profile="embedded", overrides={"store.path": str(path)})
    report = await probe_alone(settings, 5.0)
    assert [each.status for each in report.probes] == [UNKNOWN, UNKNOWN, UNKNOWN]
    assert not await anyio.Path(path).exists()


async def test_without_a_backbone_a_file_that_is_there_is_asked(tmp_path: Path) -> None:
    from backbone.facade.backbone import Backbone

    overrides = {"store.path": str(tmp_path / "b.duckdb"), "control.enabled": False}
    settings = load_settings(profile="embedded", overrides=overrides)
    async with Backbone.open(settings):
        report = await probe_alone(settings, 5.0)
        assert report.probes[0].status in {OK, DEGRADED, FAILED}
    report = await probe_alone(settings, 5.0)
    assert (report.probes[0].status, report.store) == (DEGRADED, True)


async def test_servers_that_are_not_there_have_failed_each_within_the_time_given() -> None:
    overrides = {
        "store.url": "postgresql://u:p@127.0.0.1:1/d",
        "cache.url": "redis://127.0.0.1:1",
        "stream.bootstrap": "127.0.0.1:1",
        "stream.security_protocol": "PLAINTEXT",
    }
    settings = load_settings(profile="institutional", overrides=overrides)
    with anyio.fail_after(20):
        report = await probe_alone(settings, 3.0)
    assert [each.status for each in report.probes] == [FAILED, FAILED, FAILED]
    assert [each.action for each in report.probes] == ["start the server, or correct its address in the settings"] * 3
    assert (report.store, report.cache, report.stream) == (False, False, False)
