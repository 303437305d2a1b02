"""How fresh what is stored is, asked of a backbone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from anyio import to_thread

from backbone import Dimension, FreshnessReport, StoreUnavailable
from backbone.control.asking import ask_running
from backbone.testing import Faults, embedded
from tests.backbone.facade.kit import START, bars, plan, write_csv

FRIDAY = datetime(2018, 6, 8, 20, tzinfo=UTC)
SATURDAY = datetime(2018, 6, 9, 12, tzinfo=UTC)


async def test_each_symbol_and_interval_is_judged_as_of_a_moment_worst_first(tmp_path: Path) -> None:
    async with embedded() as backbone:
        await backbone.record(bars(1, start=FRIDAY))
        await backbone.record(bars(1, start=FRIDAY - timedelta(hours=3), interval="5m"))
        await backbone.record(bars(1, start=FRIDAY, symbol="ACME"))
        report = await backbone.freshness(as_of=SATURDAY)
    assert [(each.symbol, each.interval, each.level) for each in report.findings] == [
        ("EURUSD", "5m", "failed"),
        ("ACME", "1h", "unknown"),
        ("EURUSD", "1h", "ok"),
    ]
    assert (report.status, report.as_of, report.span_end) == ("failed", SATURDAY, FRIDAY)
    assert [(each.code, each.symbol) for each in report.anomalies] == [
        ("stale_feed", "EURUSD"),
        ("missing_freshness", "ACME"),
    ]
    assert "| intraday_bars | EURUSD | 5m | failed |" in report.to_markdown()


async def test_rows_after_the_moment_do_not_count() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(72))
        report = await backbone.freshness(as_of=START + timedelta(hours=5, minutes=30))
    [found] = report.findings
    assert (found.newest, found.level) == (START + timedelta(hours=5), "ok")


async def test_what_is_asked_for_and_not_there_is_unknown() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(1))
        chosen = await backbone.freshness(["intraday"], symbols=["eurusd", "NONE"], as_of=START)
        everywhere = await backbone.freshness(symbols=["EURUSD"], as_of=START)
    assert [(each.symbol, each.level) for each in chosen.findings] == [("NONE", "unknown"), ("EURUSD", "ok")]
    assert chosen.anomalies[0].code == "feed_break"
    assert [each.dimension for each in everywhere.findings] == [Dimension.INTRADAY_BARS]


async def test_an_empty_store_is_unknown_and_one_that_is_down_is_refused() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        assert (await backbone.freshness()).status == "unknown"
        faults.store_down()
        with pytest.raises(StoreUnavailable):
            await backbone.freshness()


async def test_a_file_of_long_ago_is_not_judged_by_its_age_and_a_store_full_of_it_is(tmp_path: Path) -> None:
    async with embedded() as backbone:
        run = await backbone.ingest(plan(write_csv(tmp_path / "bars.csv", bars(24))))
        report = await backbone.freshness()
    assert run.quality is not None
    assert run.quality.score == 1.0
    assert report.status == "failed"


async def test_a_running_backbone_answers_by_its_control_socket(tmp_path: Path) -> None:
    options = {"control.enabled": True, "control.path": str(tmp_path / "b.sock")}
    async with embedded(overrides=options) as backbone:
        await backbone.record(bars(1))
        asked = {"dimensions": ["intraday_bars"], "symbols": ["eurusd"], "as_of": START.isoformat()}
        found = await to_thread.run_sync(lambda: ask_running(tmp_path / "b.sock", "freshness", 10.0, asked))
    report = msgspec.convert(found, FreshnessReport)
    assert [(each.symbol, each.level) for each in report.findings] == [("EURUSD", "ok")]
    assert (report.as_of, report.status) == (START, "ok")
