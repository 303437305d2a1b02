"""Actors that fall in the midst of a market run, and a store that is away meanwhile: nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from backbone import Backbone, Dimension
from backbone.domain.status import Status
from backbone.ingest.fetching import Fetching
from backbone.ingest.market_report import DimensionRun, MarketRun
from backbone.store.run_records import WHOLE
from backbone.testing import Faults
from tests.backbone.ingest.market_kit import Provider, desk, installed

DAILY, INTRADAY = Dimension.DAILY_BARS, Dimension.INTRADAY_BARS
HOUR = 3600.0


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    return installed(monkeypatch)


async def journalled(backbone: Backbone, run_id: str) -> list[tuple[str, str]]:
    return sorted((row.dimension, row.status) for row in (await backbone.runs(run_id=run_id)).runs)


@pytest.mark.parametrize("fallen", [(), ("ingest",), ("scheduler",), ("scheduler", "ingest", "store")])
async def test_what_could_not_be_journalled_is_once_the_store_is_back_whoever_fell_meanwhile(
    provider: Provider, fallen: tuple[str, ...]
) -> None:
    faults = Faults()
    async with desk(faults=faults, store__patience=1.0) as backbone:
        faults.store_down()
        run = await backbone.run_market()
        assert run.status is Status.FAILED
        for name in fallen:
            await backbone.system.restart(f"{backbone.path}/{name}")
        faults.store_up()
        await anyio.sleep(1)
        assert (await backbone.run_market()).status is Status.OK
        assert await journalled(backbone, run.run_id) == [(DAILY, "failed"), (WHOLE, "failed")]


@pytest.mark.parametrize("moment", [{"before_write": 1}, {"before_write": 2}, {"after_write": 2}])
async def test_ingest_that_falls_in_the_midst_of_a_market_run_goes_on_and_is_journalled_once(
    provider: Provider, moment: dict[str, int]
) -> None:
    faults = Faults()
    faults.crash_ingest(**moment)
    async with desk(faults=faults, market__intraday=True, market__intraday_interval="1h") as backbone:
        run = await backbone.run_market()
        assert (run.status, run.trouble) == (Status.OK, "")
        assert [each.inserted for each in run.dimensions] == [2 * 59, 2 * 7]
        assert await journalled(backbone, run.run_id) == [(DAILY, "ok"), (INTRADAY, "ok")]
        assert (await backbone.fetch(DAILY)).num_rows == 2 * 59
        assert (await backbone.fetch(INTRADAY, interval="1h")).num_rows == 2 * 7
        entry = backbone.roster().find(f"{backbone.path}/ingest")
        assert entry is not None
        assert entry.restarts == 1


async def test_who_joined_a_run_that_the_scheduler_did_not_live_through_is_answered_by_the_next_one(
    provider: Provider,
) -> None:
    """What ingest had begun of it ends there, and the rows are in once."""
    reports = list[MarketRun]()
    async with desk() as backbone:

        async def ask() -> None:
            reports.append(await backbone.run_market())

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
            while not provider.calls:
                await anyio.lowlevel.checkpoint()
            await backbone.system.restart(f"{backbone.path}/scheduler")
        [run_id] = {each.run_id for each in reports}
        assert [each.status for each in reports] == [Status.OK] * 3
        assert await journalled(backbone, run_id) == [(DAILY, "ok")]
        rows = (await backbone.runs()).runs
        [fallen] = [row for row in rows if row.dimension == WHOLE]
        assert (fallen.status, "fell over it" in (fallen.error or "")) == ("failed", True)
        assert sum(row.inserted for row in rows) == (await backbone.fetch(DAILY)).num_rows == 2 * 59


@pytest.mark.parametrize("after", [0.0, 0.5])
async def test_a_kill_switch_between_two_dimensions_of_a_run_holds_the_next_run_and_not_this_one(
    provider: Provider, tmp_path: Path, after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided is carried out whole, so that no dimension is left behind the others."""
    switch = tmp_path / "kill"
    fetch = Fetching.fetch

    async def appears(self: Fetching, *planned: object) -> DimensionRun:
        switch.touch()
        await anyio.sleep(after)
        return await fetch(self, *planned)  # type: ignore[arg-type]

    monkeypatch.setattr(Fetching, "fetch", appears)
    async with desk(market__intraday=True, schedule__enabled=True, kill_switch=str(switch)) as backbone:
        await anyio.sleep(10)
        assert sorted(call.dimension for call in provider.calls) == [DAILY, INTRADAY]
        assert "the kill switch" in (await backbone.schedule()).paused
        await anyio.sleep(5 * HOUR)
        assert len(provider.calls) == 2
        switch.unlink()
        await anyio.sleep(10)
        assert len(provider.calls) == 4
