"""Runs of several dimensions: side by side, one id, one report; what fails takes no other along, and is journalled."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from backbone import Dimension, IngestPlan, SourceError
from backbone.domain.status import Status
from backbone.ingest.market import NOTHING_KEEPS
from backbone.store.run_records import WHOLE
from backbone.testing import Faults
from tests.backbone.ingest.market_kit import KIND, MONDAY, Provider, desk, installed, only, refusing

DAILY, INTRADAY, MACRO = Dimension.DAILY_BARS, Dimension.INTRADAY_BARS, Dimension.MACRO_EVENTS
EVENTS = '[{"ts": "2026-03-02T13:30:00Z", "calendar": "US", "event": "CPI", "actual": 2.4}]'


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    return installed(monkeypatch)


async def test_all_dimensions_that_are_wanted_are_fetched_under_one_id(provider: Provider) -> None:
    async with desk(
        market__intraday=True, market__intraday_interval="1h", market__macro=True, market__macro_events=EVENTS
    ) as backbone:
        run = await backbone.run_market()
        journal = await backbone.runs(run_id=run.run_id)
        bars = await backbone.fetch(INTRADAY, symbols=["AAPL"], interval="1h")
        assert (await backbone.fetch(MACRO)).num_rows == 1
        assert run.status is Status.OK, run.trouble
        assert [each.dimension for each in run.dimensions] == [DAILY, INTRADAY, MACRO]
        assert [each.inserted for each in run.dimensions] == [2 * 59, bars.num_rows * 2, 1]  # today's is not over
        assert {(row.dimension, row.status) for row in journal.runs} == {
            (each, "ok") for each in (DAILY, INTRADAY, MACRO)
        }
        assert run.reason == NOTHING_KEEPS
        assert json.loads(run.to_json())["dimensions"][0]["status"] == "ok"
        assert "| daily_bars | ok | desk | 118 | 118 |" in run.to_markdown()


async def test_a_window_counts_sessions_so_that_friday_is_in_it_on_a_monday_morning(provider: Provider) -> None:
    monday_morning = datetime(2026, 3, 2, 9, tzinfo=UTC)
    async with desk(
        monday_morning, market__daily=False, market__intraday=True, market__intraday_interval="1h"
    ) as backbone:
        run = await backbone.run_market()
        assert run.of(INTRADAY).rows == 2 * 2 * 7
        assert run.of(INTRADAY).span_start == datetime(2026, 2, 26, 14, 30, tzinfo=UTC)


async def test_one_dimension_that_fails_takes_no_other_along(provider: Provider) -> None:
    provider.trouble = only(DAILY, refusing("no daily bars today"))
    async with desk(market__intraday=True) as backbone:
        run = await backbone.run_market()
        rows = {row.dimension: row for row in (await backbone.runs()).runs}
        assert (run.status, run.trouble) == (Status.DEGRADED, "daily_bars: no daily bars today")
        assert [each.status for each in run.dimensions] == [Status.FAILED, Status.OK]
        assert {name: row.status for name, row in rows.items()} == {DAILY: "failed", INTRADAY: "ok"}
        assert rows[DAILY].error == "no daily bars today"
        assert rows[DAILY].run_id == rows[INTRADAY].run_id == run.run_id
        steps = {step.name: (step.state, step.error) for step in run.task_supervision}
        assert steps == {
            "ingest.daily_bars": ("failed", "no daily bars today"),
            "ingest.intraday_bars": ("finished", ""),
        }


async def test_a_run_of_which_nothing_is_carried_out_has_a_row_that_says_so(provider: Provider) -> None:
    provider.trouble = refusing("the desk is shut")
    async with desk(market__intraday=True) as backbone:
        run = await backbone.run_market()
        report = await backbone.runs()
        assert (run.status, report.status) == (Status.FAILED, Status.FAILED)
        [whole] = [row for row in report.runs if row.dimension == WHOLE]
        assert (whole.run_id, whole.status) == (run.run_id, "failed")
        assert whole.metadata["error"] == whole.error == "daily_bars: the desk is shut; intraday_bars: the desk is shut"
        assert whole.metadata["requested_symbols"] == ["AAPL", "MSFT"]
        provider.trouble = lambda _at, _dimension: None
        await backbone.run_market()
        assert (await backbone.runs()).status is Status.OK


async def test_how_long_a_failed_run_took_is_journalled_as_it_was(provider: Provider) -> None:
    faults = Faults()
    async with desk(faults=faults, store__patience=7.0) as backbone:
        faults.store_down()
        run = await backbone.run_market()
        assert run.of(DAILY).code == "unavailable"
        faults.store_up()
        await anyio.sleep(1)
        await backbone.run_market()  # takes what waited along
        failed = (await backbone.runs(run_id=run.run_id)).runs
        assert sorted(row.dimension for row in failed) == [DAILY, WHOLE]
        assert {row.status for row in failed} == {"failed"}
        assert all(row.duration_s == pytest.approx(7.0, abs=0.5) for row in failed)


async def test_who_asks_while_a_run_is_under_way_gets_its_report(provider: Provider) -> None:
    async with desk() as backbone:
        reports = []

        async def ask() -> None:
            reports.append(await backbone.run_market())

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask)
        assert (len(reports), len({each.run_id for each in reports}), len(provider.calls)) == (5, 1, 1)
        assert reports[0].joined == 4
        assert provider.most == 1


async def test_a_plan_of_its_own_waits_for_its_turn(provider: Provider) -> None:
    plan = IngestPlan(dimensions=[DAILY, INTRADAY], symbols=["msft"], interval="1h", source=KIND, period="5d")
    async with desk() as backbone:
        async with anyio.create_task_group() as group:
            group.start_soon(backbone.run_market)
            group.start_soon(backbone.run_market, plan)
            group.start_soon(backbone.run_market, plan)
        assert [(call.dimension, call.symbols) for call in provider.calls] == [
            (DAILY, ("AAPL", "MSFT")),
            (DAILY, ("MSFT",)),
            (INTRADAY, ("MSFT",)),
        ]


async def test_ingest_takes_one_dimension_and_says_who_takes_several(provider: Provider) -> None:
    plan = IngestPlan(dimensions=[DAILY, INTRADAY], symbols=["MSFT"], source=KIND)
    async with desk() as backbone:
        with pytest.raises(ValueError, match=r"ingest takes one, run_market\(plan\) several"):
            await backbone.ingest(plan)
    with pytest.raises(ValueError, match="a source of one file holds exactly one"):
        IngestPlan(dimensions=[DAILY, INTRADAY], path="bars.csv")


async def test_each_ingest_is_journalled_too_with_what_it_was_asked_for(provider: Provider) -> None:
    plan = IngestPlan(dimensions=[DAILY], symbols=["MSFT"], source=KIND, period="5d")
    async with desk() as backbone:
        run = await backbone.ingest(plan)
        provider.trouble = refusing()
        with pytest.raises(SourceError, match="the desk is shut"):
            await backbone.ingest(plan)
        failed, went = (await backbone.runs()).runs
        assert (went.run_id, went.status, went.inserted, went.end) == (run.run_id, "ok", run.inserted, run.span_end)
        assert went.freshness_s == (MONDAY - datetime(2026, 2, 27, tzinfo=UTC)).total_seconds()
        assert went.metadata["plan"] == {"dimensions": ["daily_bars"], "symbols": ["MSFT"], "source": KIND}
        assert (failed.status, failed.error, failed.rows) == ("failed", "the desk is shut", 0)


async def test_the_journal_says_of_each_dimension_what_was_asked_for_and_what_came_of_it(provider: Provider) -> None:
    """Beside source, moments, durations and freshness, which are columns of it."""
    async with desk(
        market__intraday=True, market__intraday_interval="1h", market__macro=True, market__macro_events=EVENTS
    ) as backbone:
        await backbone.run_market()
        rows = {row.dimension: row for row in (await backbone.runs()).runs}
        daily, hours, given = (rows[each].metadata for each in (DAILY, INTRADAY, MACRO))
        said = {"trigger", "plan", "requested_symbols", "lookback_days", "window", "fetched_rows", "rows_written"}
        said |= {"ingested_symbols", "attempts", "reasons", "quality", "settings"}
        assert (set(daily), set(hours)) == (said, said | {"interval"})
        assert (hours["interval"], hours["lookback_days"], hours["requested_symbols"]) == ("1h", 2, ["AAPL", "MSFT"])
        assert (hours["fetched_rows"], hours["rows_written"], hours["ingested_symbols"]) == (14, 14, 2)
        assert hours["window"][1] is None
        assert {name: given[name] for name in ("provided_events", "frame_rows", "fetched_via_window")} == {
            "provided_events": 1,
            "frame_rows": 1,
            "fetched_via_window": False,
        }
        assert (given["requested_symbols"], given["rows_written"], given["ingested_symbols"]) == ([], 1, 1)
        for row in rows.values():
            assert row.source
            assert None not in {row.start, row.end, row.freshness_s}


async def test_the_journal_says_of_events_that_were_fetched_by_which_window(provider: Provider) -> None:
    async with desk(market__symbols="", market__macro=True, market__macro_source=KIND) as backbone:
        await backbone.run_market()
        [row] = (await backbone.runs(dimension=MACRO)).runs
        assert (row.status, row.metadata["lookback_days"]) == ("skipped", 7)
        assert {name: row.metadata[name] for name in ("fetched_events", "frame_rows", "fetched_via_window")} == {
            "fetched_events": 0,
            "frame_rows": 0,
            "fetched_via_window": True,
        }


async def test_nothing_is_journalled_where_the_settings_say_so(provider: Provider) -> None:
    async with desk(ingest__record_runs=False) as backbone:
        await backbone.run_market()
        assert (await backbone.runs()).runs == ()


async def test_a_symbol_of_which_nothing_comes_is_missing_where_its_market_was_open(provider: Provider) -> None:
    provider.silent = {"MSFT"}
    async with desk(market__daily_lookback=2) as backbone:
        run = await backbone.run_market()
        assert (run.status, run.of("daily").missing) == (Status.DEGRADED, ("MSFT",))
        assert "no rows of MSFT, whose market was open" in run.trouble


async def test_nothing_on_a_closed_market_is_well(provider: Provider) -> None:
    saturday = datetime(2026, 3, 7, 12, tzinfo=UTC)
    plan = IngestPlan(
        dimensions=[INTRADAY], symbols=["AAPL"], interval="1h", source=KIND, start=saturday - timedelta(hours=3)
    )
    async with desk(saturday) as backbone:
        run = await backbone.run_market(plan)
        assert (run.status, run.of(INTRADAY).rows) == (Status.OK, 0)
        assert run.of(INTRADAY).why == "nothing came, and no market was open in the window"
        assert [row.status for row in (await backbone.runs()).runs] == ["skipped"]


async def test_what_was_missed_is_tried_again_over_twice_and_four_times_the_window(provider: Provider) -> None:
    provider.silent = {"MSFT"}
    async with desk(recovery__enabled=True, recovery__max_attempts=2, market__daily_lookback=10) as backbone:
        run = await backbone.run_market()
        assert [call.symbols for call in provider.calls] == [("AAPL", "MSFT"), ("MSFT",), ("MSFT",)]
        sessions = [len({*_sessions(call.start, call.at)}) for call in provider.calls]
        assert sessions == [10, 20, 40]
        assert [(each.attempt, each.status) for each in run.recovery] == [(1, "degraded"), (2, "degraded")]
        journal = (await backbone.runs()).runs
        assert [row.metadata.get("attempt") for row in journal] == [2, 1, None]
        assert [row.metadata.get("recovery_of") for row in journal] == [run.run_id, run.run_id, None]
        assert run.recovery[0].why.startswith("tried again, for no rows of MSFT, whose market was open")
        assert run.status is Status.DEGRADED


async def test_events_that_are_given_are_in_the_next_fetch(provider: Provider) -> None:
    faults = Faults()  # with the relay, and so with a cache that remembers
    async with desk(faults=faults, market__symbols="", market__macro=True, market__macro_events=EVENTS) as backbone:
        assert (await backbone.fetch(MACRO)).num_rows == 0
        run = await backbone.run_market()
        assert (run.of(MACRO).symbols, run.of(MACRO).inserted) == (("US",), 1)
        assert (await backbone.fetch(MACRO)).num_rows == 1


async def test_what_comes_at_the_second_try_makes_the_run_well(provider: Provider) -> None:
    def once(_at: datetime, _dimension: Dimension) -> None:
        if len(provider.calls) == 1:
            raise SourceError("not just now")

    provider.trouble = once
    async with desk(recovery__enabled=True) as backbone:
        run = await backbone.run_market()
        assert (run.status, run.trouble, run.of(DAILY).inserted) == (Status.OK, "", 2 * 119)
        assert [step.state for step in run.task_supervision] == ["failed", "finished"]


async def test_a_backbone_without_a_market_says_why_it_fetches_nothing() -> None:
    async with desk(market__symbols="") as backbone:
        run = await backbone.run_market()
        assert (run.should_run, run.dimensions) == (False, ())
        assert run.reason.endswith("so that nothing is planned; set BACKBONE_MARKET_SYMBOLS")
        assert (await backbone.runs()).runs == ()
        scheduler = backbone.roster().find(f"{backbone.path}/scheduler")
        assert scheduler is not None
        assert scheduler.health.level == "ok"


def _sessions(start: datetime | None, end: datetime) -> list[str]:
    from backbone.quality.sessions import calendar

    assert start is not None
    return [str(day) for day in calendar("us_equities").sessions(start, end)]
