"""The schedule: it runs by itself, can be left alone, stops where nothing goes and says so, and goes on when told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from actors import RosterEntry
from backbone import Backbone, BackboneClosed, Dimension, IngestPlan
from backbone.domain.status import Status
from backbone.ingest.fetching import Fetching
from backbone.operations.telemetry.events import Telemetry
from backbone.store.errors import Unsupported
from backbone.store.run_records import WHOLE
from tests.backbone.ingest.market_kit import MONDAY, Provider, SetClock, desk, installed, only, refusing

HOUR = 3600.0


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    return installed(monkeypatch)


@asynccontextmanager
async def scheduled(began: datetime = MONDAY, **settings: Any) -> AsyncIterator[Backbone]:
    async with desk(began, schedule__enabled=True, market__daily_lookback=5, **settings) as backbone:
        yield backbone


def scheduler(backbone: Backbone) -> RosterEntry:
    entry = backbone.roster().find(f"{backbone.path}/scheduler")
    assert entry is not None
    return entry


def times(provider: Provider) -> list[str]:
    return [f"{call.at:%H:%M:%S}" for call in provider.calls]


async def test_it_runs_at_once_and_then_an_interval_after_each_run(provider: Provider) -> None:
    async with scheduled() as backbone:
        await anyio.sleep(3 * HOUR)
        assert times(provider) == ["15:00:01", "16:00:01", "17:00:01"]
        state = await backbone.schedule()
        assert (state.running, state.runs, state.consecutive_failures) == (True, 3, 0)
        assert state.next_run_at == MONDAY + timedelta(hours=3, seconds=1)
        assert {row.metadata["trigger"] for row in (await backbone.runs()).runs} == {"schedule"}


async def test_after_a_run_that_somebody_asked_for_it_waits_an_interval(provider: Provider) -> None:
    async with scheduled() as backbone:
        await backbone.run_market(trigger="bootstrap")
        await anyio.sleep(HOUR - 1)
        assert times(provider) == ["15:00:00"]
        await anyio.sleep(2)
        assert times(provider) == ["15:00:00", "16:00:00"]


async def test_without_a_schedule_nothing_runs_by_itself(provider: Provider) -> None:
    async with desk() as backbone:
        await anyio.sleep(10 * HOUR)
        assert provider.calls == []
        with pytest.raises(Unsupported, match=r"schedule\.enabled=true"):
            await backbone.resume_schedule()
        with pytest.raises(Unsupported, match="no schedule to pause"):
            await backbone.pause_schedule()


async def test_it_stops_after_so_many_failures_in_a_row_and_says_so_until_it_is_resumed(provider: Provider) -> None:
    provider.trouble = refusing("no route to the desk")
    async with scheduled() as backbone:
        told = list[Telemetry]()
        backbone.telemetry.listen(told.append, ["telemetry.ingest.scheduler"])
        await anyio.sleep(1.5 * HOUR)
        assert scheduler(backbone).health.level == "degraded"
        assert "stops after 1 more failures" in scheduler(backbone).health.next
        await anyio.sleep(20 * HOUR)
        assert len(provider.calls) == 3
        state = await backbone.schedule()
        assert (state.running, state.next_run_at, state.consecutive_failures) == (False, None, 3)
        health = scheduler(backbone).health
        assert (health.level, health.action) == ("failed", "mend the cause, then: backbone resume")
        assert "3 runs in a row failed: daily_bars: no route to the desk" in health.why
        assert str(told[-1].payload.status) == "failed"
        assert "| status | failed |" in told[-1].payload.markdown
        provider.trouble = lambda _at, _dimension: None
        await backbone.resume_schedule()
        await anyio.sleep(2)
        assert len(provider.calls) == 4
        assert (await backbone.schedule()).running
        assert scheduler(backbone).health.level == "ok"
        assert str(told[-1].payload.status) == "ok"


async def test_with_no_limit_it_never_stops(provider: Provider) -> None:
    provider.trouble = refusing()
    async with scheduled(schedule__max_failures=0, schedule__sessions=False) as backbone:
        await anyio.sleep(10 * HOUR)
        assert len(provider.calls) == 10
        assert (await backbone.schedule()).running


async def test_a_failure_that_passes_is_forgotten(provider: Provider) -> None:
    provider.trouble = refusing()
    async with scheduled() as backbone:
        await anyio.sleep(1.5 * HOUR)
        provider.trouble = lambda _at, _dimension: None
        await anyio.sleep(HOUR)
        assert (await backbone.schedule()).consecutive_failures == 0
        assert scheduler(backbone).health.level == "ok"


async def test_one_dimension_that_always_fails_never_stops_the_others_and_is_said(provider: Provider) -> None:
    provider.trouble = only(Dimension.INTRADAY_BARS, refusing("no minutes today"))
    async with scheduled(market__intraday=True) as backbone:
        await anyio.sleep(5 * HOUR)
        assert (await backbone.schedule()).consecutive_failures == 0
        assert len(provider.calls) == 10
        health = scheduler(backbone).health
        assert (health.level, health.why) == ("degraded", "intraday_bars: no minutes today")


async def test_nothing_new_on_a_closed_market_is_no_failure(provider: Provider) -> None:
    saturday = datetime(2026, 3, 7, 12, tzinfo=UTC)
    async with scheduled(saturday, schedule__sessions=False) as backbone:
        await anyio.sleep(10 * HOUR)
        assert len(provider.calls) == 10
        assert (await backbone.schedule()).consecutive_failures == 0
        assert scheduler(backbone).health.level == "ok"


async def test_the_kill_switch_holds_it_and_nobody_else(provider: Provider, tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    switch.touch()
    async with scheduled(kill_switch=str(switch)) as backbone:
        await anyio.sleep(5 * HOUR)
        assert provider.calls == []
        assert f"the kill switch {switch} is there" in (await backbone.schedule()).paused
        assert scheduler(backbone).health.level == "degraded"
        assert (await backbone.run_market()).status is Status.OK
        switch.unlink()
        await anyio.sleep(HOUR + 10)
        assert len(provider.calls) == 2
        assert scheduler(backbone).health.level == "ok"
        switch.touch()
        await anyio.sleep(5 * HOUR)
        assert len(provider.calls) == 2


async def test_who_pauses_it_lets_it_go_on_when_he_likes(provider: Provider) -> None:
    async with scheduled() as backbone:
        assert "backbone resume" in (await backbone.pause_schedule()).paused
        await anyio.sleep(5 * HOUR)
        assert provider.calls == []
        assert (await backbone.resume_schedule()).paused == ""
        await anyio.sleep(2)
        assert len(provider.calls) == 1


async def test_what_is_said_twice_counts_once(provider: Provider) -> None:
    async with scheduled() as backbone:
        assert await backbone.pause_schedule() == await backbone.pause_schedule()
        for _ in range(2):
            await backbone.resume_schedule()
        await anyio.sleep(2)
        assert len(provider.calls) == 1
        before = await backbone.schedule()
        assert (await backbone.pause_schedule()).paused
        assert (await backbone.resume_schedule()).running
        await anyio.sleep(HOUR / 2)
        after = await backbone.schedule()
        assert (after.runs, after.consecutive_failures) == (before.runs + 1, 0)  # resumed, it runs soon, and once


async def test_a_bug_in_a_run_counts_as_its_failure_and_the_schedule_goes_on(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fall(*_: object) -> None:
        raise RuntimeError("a bug")

    async with scheduled() as backbone:
        with monkeypatch.context() as patched:
            patched.setattr(Fetching, "fetch", fall)
            await anyio.sleep(2)
            assert "fell over it" in (await backbone.schedule()).last_error
            assert (await backbone.schedule()).consecutive_failures >= 1
        await anyio.sleep(HOUR + 60)
        assert (await backbone.schedule()).consecutive_failures == 0
        assert len(provider.calls) >= 1


async def test_its_line_in_the_roster_says_what_it_is_and_its_runs_are_tasks_of_it(provider: Provider) -> None:
    async with scheduled() as backbone:
        await anyio.sleep(2)
        entry = scheduler(backbone)
        assert entry.metadata["component"] == "ingest.scheduler"
        assert entry.detail is not None
        assert entry.detail["runs"] == 1
        task = backbone.roster().find(f"{backbone.path}/scheduler/daily_bars")
        assert task is not None
        assert [run.outcome for run in task.runs] == ["ok"] or task.state == "stopped"


async def test_a_schedule_in_which_nothing_is_planned_stops_and_says_why(provider: Provider) -> None:
    async with scheduled(market__symbols="", schedule__max_failures=1) as backbone:
        await anyio.sleep(2)
        assert "so that nothing is planned" in scheduler(backbone).health.why


async def test_how_it_is_is_told_at_each_interval_too_for_it_can_not_tell_that_it_is_late(provider: Provider) -> None:
    async with scheduled(telemetry__interval=600.0) as backbone:
        told = list[Telemetry]()
        backbone.telemetry.listen(told.append, ["telemetry.ingest.scheduler"])
        await anyio.sleep(HOUR - 10)
        assert len(told) == 1 + 5
        assert {str(each.payload.status) for each in told[1:]} == {"ok"}


async def test_who_begins_a_run_is_one_of_those_that_are_known(provider: Provider) -> None:
    async with desk() as backbone:
        with pytest.raises(ValueError, match="trigger='boredom' given; allowed: call, bootstrap, schedule"):
            await backbone.run_market(trigger="boredom")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="allowed is a IngestPlan"):
            await backbone.run_market("daily")  # type: ignore[arg-type]


async def test_a_run_that_brought_the_scheduler_down_is_in_the_journal(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fall(*_: object) -> None:
        raise RuntimeError("a bug")

    async with scheduled(schedule__max_failures=1) as backbone:
        monkeypatch.setattr(Fetching, "fetch", fall)
        await anyio.sleep(60)
        [row] = (await backbone.runs()).runs
        assert (row.dimension, row.status, "fell over it" in (row.error or "")) == (WHOLE, "failed", True)
        assert not (await backbone.schedule()).running


async def test_after_a_machine_has_slept_it_runs_within_a_minute_of_what_was_due(provider: Provider) -> None:
    """The monotonic clock stands still meanwhile, and with it all timers."""
    async with scheduled() as backbone:
        await anyio.sleep(60)
        wall = backbone.system.clock
        assert isinstance(wall, SetClock)
        wall.set(timedelta(hours=12))
        await anyio.sleep(61)
        assert len(provider.calls) == 2
        await anyio.sleep(HOUR - 120)
        assert len(provider.calls) == 2


async def test_a_clock_that_is_set_back_holds_no_run_up(provider: Provider) -> None:
    async with scheduled(schedule__sessions=False) as backbone:
        await anyio.sleep(60)
        wall = backbone.system.clock
        assert isinstance(wall, SetClock)
        wall.set(timedelta(days=-30))
        await anyio.sleep(2 * HOUR)
        assert len(provider.calls) == 3


async def test_a_kill_switch_that_the_schedule_finds_when_it_is_due_is_said(provider: Provider, tmp_path: Path) -> None:
    """The looks of every five seconds found nothing new then, and said nothing."""
    switch = tmp_path / "kill"
    async with scheduled(kill_switch=str(switch)) as backbone:
        told = list[Telemetry]()
        backbone.telemetry.listen(told.append, ["telemetry.ingest.scheduler"])
        await anyio.sleep(HOUR + 0.5)  # due at :01, looked at :00
        switch.touch()
        await anyio.sleep(1)
        assert len(provider.calls) == 1
        assert (scheduler(backbone).health.level, str(told[-1].payload.status)) == ("degraded", "degraded")


async def test_who_asks_for_a_run_while_it_closes_is_told_so(provider: Provider) -> None:
    asked = list[str]()

    async def ask(backbone: Backbone, plan: IngestPlan | None) -> None:
        try:
            await backbone.run_market(plan)
        except BackboneClosed as error:
            asked.append(type(error).__name__)

    async with anyio.create_task_group() as group:
        async with scheduled() as backbone:
            group.start_soon(ask, backbone, None)
            group.start_soon(ask, backbone, IngestPlan(dimensions=["daily_bars"], symbols=["AAPL"], source="desk"))
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
        group.start_soon(ask, backbone, None)
    assert asked == ["BackboneClosed"] * 3


async def test_failures_of_runs_that_somebody_asked_for_do_not_stop_it(provider: Provider) -> None:
    provider.trouble = refusing()
    async with scheduled(schedule__max_failures=2) as backbone:
        for _ in range(5):
            assert (await backbone.run_market()).status is Status.FAILED
        state = await backbone.schedule()
        assert (state.running, state.consecutive_failures) == (True, 0)


async def test_what_failed_before_it_was_resumed_does_not_count(provider: Provider) -> None:
    provider.trouble = refusing()
    async with scheduled(schedule__max_failures=2, schedule__sessions=False) as backbone:
        await anyio.sleep(3 * HOUR)
        assert not (await backbone.schedule()).running
        await backbone.resume_schedule()
        await anyio.sleep(60)
        state = await backbone.schedule()
        assert (state.running, state.consecutive_failures) == (True, 1)


async def test_who_asks_where_nothing_is_planned_makes_nothing_look_ill(provider: Provider) -> None:
    async with scheduled(market__symbols="") as backbone:
        assert not (await backbone.run_market()).should_run
        assert ((await backbone.schedule()).last_error, scheduler(backbone).health.level) == ("", "ok")
