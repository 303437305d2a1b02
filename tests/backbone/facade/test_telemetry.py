"""Telemetry of a whole backbone: what a run and a look at retention tell, and that ingest pays for nobody."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from actors import ActorSystem
from backbone import Backbone, BackboneClosed, InputMissing, StoreUnavailable, load_settings
from backbone.operations.telemetry.events import IngestTold, Telemetry
from backbone.operations.validation import observe
from backbone.stream.messages import DatabaseSetBack
from backbone.testing import embedded
from tests.backbone.facade.kit import plan


async def told(heard: list[Telemetry], kind: str) -> Telemetry:
    """The first event of a kind, once it is there."""
    with anyio.fail_after(10):
        while True:
            for event in heard:
                if event.type == kind:
                    return event
            await anyio.lowlevel.checkpoint()


async def test_a_run_tells_what_it_did_and_how_good_its_rows_were() -> None:
    heard: list[Telemetry] = []
    async with embedded() as backbone:
        backbone.telemetry.listen(heard.append)
        run = await backbone.ingest(plan())
        result = (await told(heard, "telemetry.ingest")).payload
        assert isinstance(result, IngestTold)
        assert (result.run_id, result.inserted, result.symbols) == (run.run_id, run.inserted, run.symbols)
        quality = (await told(heard, "telemetry.ingest.quality")).payload
        assert run.quality is not None
        assert quality.score == run.quality.score
        assert (await told(heard, "telemetry.ingest.health")).path == f"{backbone.path}/ingest"


async def test_a_run_that_is_refused_tells_why() -> None:
    heard: list[Telemetry] = []
    async with embedded() as backbone:
        backbone.telemetry.listen(heard.append, ["telemetry.ingest"])
        with pytest.raises(InputMissing):
            await backbone.ingest(plan("nothing.csv"))  # type: ignore[arg-type]
        event = await told(heard, "telemetry.ingest")
        assert event.payload.status == "failed"
        assert "nothing.csv" in event.payload.error


async def test_retention_that_was_asked_for_is_told() -> None:
    heard: list[Telemetry] = []
    async with embedded() as backbone:
        await backbone.ingest(plan())
        backbone.telemetry.listen(heard.append, ["telemetry.data_backbone.retention"])
        report = await backbone.retention()
        event = await told(heard, "telemetry.data_backbone.retention")
        assert (event.payload.status, event.payload.as_of) == (report.status, report.as_of)


async def test_what_was_told_can_be_read_by_number_and_statistics_say_what_there_was() -> None:
    async with embedded() as backbone:
        await backbone.ingest(plan())
        with anyio.fail_after(10):
            while not (page := backbone.telemetry.after(None, ["telemetry.ingest.health"])).events:
                await anyio.lowlevel.checkpoint()
        assert page.lost == 0
        statistics = backbone.telemetry.statistics()
        assert statistics.published["telemetry.ingest"] == 1
        assert (statistics.running, statistics.dropped, statistics.topics) == (True, 0, None)
        assert statistics.queue_policy == "the oldest gives way"
        assert set(statistics.last_published_at) == set(statistics.published)
    assert not backbone.telemetry.statistics().running
    with pytest.raises(BackboneClosed):
        backbone.telemetry.listen(print)


async def test_listeners_that_never_return_or_raise_hold_up_neither_ingest_nor_the_end() -> None:
    async def hang(event: Telemetry) -> None:
        await anyio.sleep_forever()

    def fail(event: Telemetry) -> None:
        raise RuntimeError("no")

    heard: list[Telemetry] = []
    with anyio.fail_after(30):
        async with embedded() as backbone:
            for handler in (hang, fail, heard.append):
                backbone.telemetry.listen(handler)
            run = await backbone.ingest(plan())
            await told(heard, "telemetry.ingest.health")
            assert run.inserted > 0
            hanging, failing, hearing = backbone.telemetry.statistics().listeners
            assert (failing.handler_errors > 0, hearing.handled) == (True, len(heard))
            assert hanging.handled == 0


async def test_the_supervised_job_is_in_the_roster_and_in_the_validation_report() -> None:
    async with embedded() as backbone:
        backbone.telemetry.listen(print, ["execution.report"])
        await backbone.ingest(plan())
        roster = backbone.roster()
    report = observe(roster, (), settings_hash="")
    paths = [each.path for each in report.supervised]
    assert f"{backbone.path}/watch/telemetry" in paths
    assert [path for path in paths if path.startswith(f"{backbone.path}/watch/telemetry:")]
    entry = roster.find(f"{backbone.path}/watch/telemetry")
    assert entry is not None
    assert entry.detail is not None
    assert entry.detail["listeners"] == 1


async def test_a_backbone_that_did_not_start_leaves_nothing_on_the_bus_of_its_host(tmp_path: Path) -> None:
    """Who can't start tries again and again, and each try would be heard for as long as the host lives."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    settings = load_settings(profile="embedded", env={}, overrides={"store.path": str(blocked / "x.duckdb")})
    async with ActorSystem("host") as system:
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                async with Backbone.open(settings, system=system):
                    pass
        assert not system.events.wanted(Telemetry)
        assert not system.events.wanted(DatabaseSetBack)
