"""Why a row is as it is: what the store, the cache and the quarantine know of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from backbone import Dimension, Frame
from backbone.facade.why_report import WhyReport
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, START, bars
from tests.backbone.ingest.test_mending import UNIT, framed, ingested, repairs, written
from tests.backbone.quality.repairs.labelled import faulty

HOUR = timedelta(hours=1)


async def test_a_corrected_bar_is_told_with_its_versions_runs_changes_and_the_cache() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(3))
        await backbone.record(bars(1, close=1.3))
        await backbone.fetch(BARS, symbols=["EURUSD"])
        report = await backbone.why("eurusd", START + timedelta(minutes=59))
        [row] = report.found
        assert (row.dimension, row.symbol, row.ts) == (BARS, "EURUSD", START)
        standing, former = row.versions
        assert (standing.values["close"], standing.replaced_at, standing.source) == (1.3, None, "live")
        assert (former.values["close"], former.replaced_at) == (1.2, standing.ingested_at)
        assert standing.values["ts"] == "2018-06-04T00:00:00Z"
        assert None not in {standing.run_id, former.run_id, standing.event_id, former.event_id}
        assert standing.run_id != former.run_id
        assert (standing.chunk_rows, former.chunk_rows) == (1, 3)
        assert (former.position, standing.position) == (1, 2)
        assert row.position == 2
        assert row.cache is not None
        assert (row.cache.rows, row.cache.position, row.cache.current) == (1, 2, True)
        again = await backbone.why("EURUSD", START, dimension="intraday")
        assert again.found[0].cache is not None
        assert again.found[0].cache.hit


async def test_bad_rows_of_the_day_are_beside_it() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(2))
        await backbone.record(bars(1, close=-5.0))
        [row] = (await backbone.why("EURUSD", START)).found
        [bad] = row.aside
        assert "has a price of zero or less" in bad.reason
        assert bad.location.startswith("EURUSD 1h 2018-06-04T00:00:00Z")


async def test_where_there_is_no_row_the_one_before_is_named() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(2))
        [row] = (await backbone.why("EURUSD", START + 9 * HOUR, dimension=BARS)).found
        assert (row.versions, row.before, row.cache) == ((), START + HOUR, None)
        assert (await backbone.why("EURUSD", START + 9 * HOUR)).found == ()
        [nothing] = (await backbone.why("NOBODY", START, dimension="trades")).found
        assert (nothing.versions, nothing.before, nothing.position) == ((), None, 0)


async def test_a_moment_is_looked_for_in_all_dimensions() -> None:
    day = datetime(2018, 6, 4, tzinfo=UTC)
    daily = {"symbol": "EURUSD", "ts": day, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    trade = {"symbol": "EURUSD", "ts": day, "price": 1.0, "size": 1.0}
    async with embedded() as backbone:
        await backbone.record(bars(1))
        await backbone.record(Frame.from_records("daily", [daily]))
        await backbone.record(Frame.from_records("trades", [trade, {**trade, "price": 2.0}]))
        report = await backbone.why("EURUSD", day)
        assert [row.dimension for row in report.found] == ["daily_bars", "intraday_bars", "trades"]
        assert [len(row.versions) for row in report.found] == [1, 1, 2]
        at_noon = await backbone.why("EURUSD", day + 12 * HOUR)
        assert [row.dimension for row in at_noon.found] == ["daily_bars"]


async def test_the_report_is_json_and_markdown() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(1))
        report = await backbone.why("EURUSD", START)
        assert msgspec.json.decode(msgspec.json.encode(report), type=WhyReport) == report
        text = report.to_markdown()
        assert "## intraday_bars EURUSD 2018-06-04T00:00:00Z" in text
        assert "close: 1.2" in text
        assert "Nothing is stored" in (await backbone.why("NOBODY", START)).to_markdown()


async def test_the_socket_answers_the_same() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(1))
        asked = {"symbol": "EURUSD", "ts": START.isoformat(), "dimension": "intraday"}
        answer = await backbone._mending_answers()["why"](asked)
        [told] = msgspec.json.decode(answer, type=WhyReport).found
        [row] = (await backbone.why("EURUSD", START, dimension=Dimension.INTRADAY_BARS)).found
        assert [each.values for each in told.versions] == [each.values for each in row.versions]
        assert (told.position, told.ts, told.versions[0].event_id) == (row.position, row.ts, row.versions[0].event_id)
        with pytest.raises(ValueError, match="unknown dimension"):
            await backbone._mending_answers()["why"]({**asked, "dimension": "x"})


async def test_what_was_mended_in_a_bar_is_told(tmp_path: Path) -> None:
    overrides = {"quality.repair.unit": "repair"}
    async with embedded(overrides=overrides) as backbone:
        run = await ingested(backbone, written(tmp_path / "bars.csv", framed(UNIT, faulty(UNIT))))
        mended = (await repairs(backbone))[0]
        [row] = (await backbone.why(mended.symbol, mended.ts)).found
        [told] = row.repairs
        assert told.startswith(f"unit: {mended.why}; ")
        assert f"run {run.run_id}" in told
        assert f"repaired: {told.partition(':')[0]}" in (await backbone.why(mended.symbol, mended.ts)).to_markdown()
