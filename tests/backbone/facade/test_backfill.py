"""Backfills: what is missing is found, asked for, and there afterwards; what can't be had is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from backbone import Backbone, Dimension, Frame
from backbone.domain.status import Status
from backbone.ingest.backfill_messages import BackfillProgress
from backbone.store.messages import ReadJournal
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars
from tests.backbone.ingest.providers import KIND, Provider, installed

WEEK = datetime(2018, 6, 4, tzinfo=UTC)
END = WEEK + timedelta(days=4, hours=20)
ALL = bars(117, start=WEEK)
HOUR = timedelta(hours=1)
SESSIONS = {"quality.sessions": {"AAPL": "us_equities"}}


def trades(days: int = 3, a_day: int = 50) -> Frame:
    rows = [
        {"symbol": "AAPL", "ts": WEEK + timedelta(days=day, hours=14, seconds=n), "price": 100.0 + n, "size": 1.0}
        for day in range(days)
        for n in range(a_day)
    ]
    return Frame.from_records(Dimension.TRADES, [{**row, "sequence": n % a_day} for n, row in enumerate(rows)])


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    return installed(Provider(ALL, trades()), monkeypatch)


@asynccontextmanager
async def holding(path: Path, frame: Frame, *lost: tuple[datetime, datetime]) -> AsyncIterator[Backbone]:
    """A backbone over a file that had a frame, of which the rows of some times were lost beside the ledger."""
    async with embedded(overrides={"store.path": str(path)}) as backbone:
        await backbone.record(frame)
    delete(path, frame.dimension, *lost)
    async with embedded(overrides={"store.path": str(path)}) as backbone:
        yield backbone


def delete(path: Path, dimension: Dimension, *lost: tuple[datetime, datetime]) -> None:
    with duckdb.connect(str(path)) as connection:
        for start, end in lost:
            bounds = [int(each.timestamp() * 1_000_000) for each in (start, end)]
            condition = "ts >= make_timestamptz(?) AND ts < make_timestamptz(?)"
            connection.execute(f"DELETE FROM market_data.{dimension.value} WHERE {condition}", bounds)  # noqa: S608


async def test_bars_that_are_missing_are_asked_for_and_come_back(provider: Provider, tmp_path: Path) -> None:
    lost = ((WEEK + 5 * HOUR, WEEK + 8 * HOUR), (WEEK + 30 * HOUR, WEEK + 31 * HOUR))
    async with holding(tmp_path / "store.duckdb", ALL, *lost) as backbone:
        assert (await backbone.fetch(BARS)).num_rows == 113
        report = await backbone.backfill(BARS, source=KIND, end=END)
        assert (report.pieces, report.done, report.inserted, report.status) == (2, 2, 4, Status.OK)
        [series] = report.series
        assert (series.symbol, series.interval, series.calendar, series.unit) == ("EURUSD", "1h", "fx", "bars")
        assert (series.expected, series.missing, series.left) == (117, 4, 0)
        assert (await backbone.fetch(BARS)).canonical_bytes() == ALL.canonical_bytes()
        again = await backbone.backfill(BARS, source=KIND, end=END)
        assert (again.pieces, again.missing) == (0, 0)
    assert len(provider.asked) == 2


async def test_content_that_the_ledger_takes_for_stored_comes_back(provider: Provider, tmp_path: Path) -> None:
    """The same chunk as before is exactly what is missing: it must not pass as known."""
    overrides = {"store.path": str(tmp_path / "store.duckdb"), **SESSIONS}
    wanted: dict[str, Any] = {
        "source": KIND,
        "symbols": ["AAPL"],
        "start": WEEK,
        "end": WEEK + timedelta(days=2, hours=23),
    }
    async with embedded(overrides=overrides) as backbone:
        first = await backbone.backfill("trades", **wanted)
        assert (first.missing, first.inserted) == (3, 150)
    delete(tmp_path / "store.duckdb", Dimension.TRADES, (WEEK + timedelta(days=1), WEEK + timedelta(days=2)))
    async with embedded(overrides=overrides) as backbone:
        assert (await backbone.fetch("trades")).num_rows == 100
        report = await backbone.backfill("trades", **wanted)
        assert (report.missing, report.pieces, report.inserted) == (1, 1, 50)
        assert (await backbone.fetch("trades")).canonical_bytes() == trades().canonical_bytes()


async def test_a_dry_run_says_what_is_missing_and_does_nothing(provider: Provider, tmp_path: Path) -> None:
    lost = (WEEK + 5 * HOUR, WEEK + 8 * HOUR)
    async with holding(tmp_path / "store.duckdb", ALL, lost) as backbone:
        report = await backbone.backfill(BARS, source=KIND, end=END, dry_run=True)
        assert (report.missing, report.pieces, report.done, report.inserted) == (3, 1, 0, 0)
        assert report.stretches == ("EURUSD 1h 2018-06-04 05:00 to 2018-06-04 07:59: 3",)
        assert "missing: EURUSD 1h 2018-06-04 05:00" in report.to_markdown()
        assert (await backbone.fetch(BARS)).num_rows == 114
    assert provider.asked == []


async def test_a_symbol_that_is_not_stored_is_filled_from_its_start(provider: Provider) -> None:
    async with embedded() as backbone:
        with pytest.raises(ValueError, match=r"no intraday_bars are stored; give a start"):
            await backbone.backfill(BARS, source=KIND, symbols=["EURUSD"])
        with pytest.raises(ValueError, match="give the interval"):
            await backbone.backfill(BARS, source=KIND, symbols=["EURUSD"], start=WEEK)
        report = await backbone.backfill(BARS, source=KIND, symbols=["eurusd"], interval="60m", start=WEEK, end=END)
        assert report.inserted == 117
        assert (await backbone.fetch(BARS)).canonical_bytes() == ALL.canonical_bytes()


async def test_a_long_gap_is_asked_for_in_bounded_pieces_and_progress_is_told(provider: Provider) -> None:
    async with embedded(overrides={"backfill.chunk_bars": 50}) as backbone:
        told: list[BackfillProgress] = []
        backbone.system.events.sink(lambda kind: issubclass(kind, BackfillProgress), told.append)
        report = await backbone.backfill(BARS, source=KIND, symbols=["EURUSD"], interval="1h", start=WEEK, end=END)
        assert (report.pieces, report.inserted) == (3, 117)
        assert [(each.pieces_done, each.missing_done, each.rows) for each in told] == [
            (1, 50, 50),
            (2, 100, 100),
            (3, 117, 117),
        ]
        assert all(each.pieces == 3 and each.missing == 117 for each in told)
        assert told[-1].rate is not None
        assert told[-1].eta_s == 0.0
        journal = await backbone._ask("store", ReadJournal())
        assert [row.rows for row in journal] == [17, 50, 50]


async def test_a_piece_that_fails_loses_no_other_one_and_comes_first_the_next_time(provider: Provider) -> None:
    provider.failing = {2}
    async with embedded(overrides={"backfill.chunk_bars": 50}) as backbone:
        wanted: dict[str, Any] = {"source": KIND, "symbols": ["EURUSD"], "interval": "1h", "start": WEEK, "end": END}
        report = await backbone.backfill(BARS, **wanted)
        assert (report.status, report.pieces, report.done, report.given_up) == (Status.DEGRADED, 3, 2, 0)
        [failed] = report.failed
        assert failed.error == "fake: 503 from the provider"
        assert report.series[0].left == 50
        assert "failed: EURUSD 1h" in report.to_markdown()
        again = await backbone.backfill(BARS, **wanted)
        assert (again.status, again.pieces, again.resumed, again.inserted) == (Status.OK, 1, 1, 50)
        assert (await backbone.backfill(BARS, **wanted)).pieces == 0


async def test_what_was_left_of_other_series_and_times_is_left_to_those_who_want_it(provider: Provider) -> None:
    provider.failing = {1}
    day: dict[str, Any] = {"source": KIND, "start": WEEK, "end": WEEK + 23 * HOUR}
    async with embedded() as backbone:
        assert (await backbone.backfill(BARS, symbols=["EURUSD"], interval="1h", **day)).status is Status.FAILED
        for wanted in (
            {**day, "symbols": ["USDJPY"], "interval": "1h"},
            {**day, "symbols": ["EURUSD"], "interval": "30m"},
            {"source": KIND, "symbols": ["EURUSD"], "interval": "1h", "start": WEEK + 26 * HOUR, "end": END},
            {"source": KIND, "symbols": ["EURUSD"], "interval": "1h", "start": WEEK - 60 * HOUR, "end": WEEK - HOUR},
        ):
            assert (await backbone.backfill(BARS, dry_run=True, **wanted)).resumed == 0
        assert (await backbone.backfill(BARS, symbols=["eurusd"], interval="60m", dry_run=True, **day)).resumed == 1


async def test_a_source_that_fails_again_and_again_is_given_up(provider: Provider) -> None:
    provider.failing = set(range(1, 100))
    async with embedded(overrides={"backfill.chunk_bars": 10, "backfill.failures": 2}) as backbone:
        report = await backbone.backfill(BARS, source=KIND, symbols=["EURUSD"], interval="1h", start=WEEK, end=END)
        assert (report.status, len(report.failed), report.given_up) == (Status.FAILED, 2, 10)
    assert len(provider.asked) == 2


async def test_pieces_that_fail_for_ever_do_not_keep_others_from_being_filled(provider: Provider) -> None:
    """Three of one symbol are noted; of another symbol everything is to be had."""
    provider.failing = {1, 2, 3}
    chunks = {"backfill.chunk_bars": 50, "backfill.failures": 3}
    async with embedded(overrides=chunks) as backbone:
        wanted: dict[str, Any] = {"source": KIND, "interval": "1h", "start": WEEK, "end": END}
        lost = await backbone.backfill(BARS, symbols=["USDJPY"], **wanted)
        assert (len(lost.failed), lost.given_up) == (3, 0)
        provider.failing = {4, 5, 6}
        report = await backbone.backfill(BARS, symbols=["EURUSD", "USDJPY"], **wanted)
        assert (report.resumed, len(report.failed), report.inserted) == (3, 3, 117)


async def test_a_day_of_trades_that_was_stored_in_part_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The calendar sees a session with trades: only the note of the piece tells that some are missing."""
    provider = installed(Provider(trades(1), chunk_rows=20), monkeypatch)
    provider.break_at = 2
    wanted: dict[str, Any] = {"source": KIND, "symbols": ["AAPL"], "start": WEEK, "end": WEEK + timedelta(days=1)}
    async with embedded(overrides=SESSIONS) as backbone:
        half = await backbone.backfill("trades", **wanted)
        assert (half.status, half.series[0].left) == (Status.FAILED, 0)
        assert (await backbone.fetch("trades")).num_rows == 20
        report = await backbone.backfill("trades", **wanted)
        assert (report.missing, report.pieces, report.resumed, report.inserted) == (0, 1, 1, 30)
        assert (await backbone.fetch("trades")).canonical_bytes() == trades(1).canonical_bytes()
        assert (await backbone.backfill("trades", **wanted)).pieces == 0
    assert provider.asked == ["AAPL", "AAPL"]


async def test_of_what_no_calendar_is_known_is_told_and_not_guessed(provider: Provider) -> None:
    async with embedded() as backbone:
        await backbone.record(bars(3, symbol="ZZZ.UNKNOWN"))
        report = await backbone.backfill(BARS, source=KIND)
        [series] = report.series
        assert report.pieces == 0
        assert "no calendar is known; name one" in series.note


async def test_what_can_not_be_filled_is_refused_where_it_is_asked(provider: Provider) -> None:
    async with embedded() as backbone:
        with pytest.raises(ValueError, match="of which no calendar tells"):
            await backbone.backfill("macro", source=KIND)
        with pytest.raises(ValueError, match="exchange them"):
            await backbone.backfill(BARS, source=KIND, start=END, end=WEEK)
        with pytest.raises(TypeError, match="dry_run"):
            await backbone.backfill(BARS, source=KIND, dry_run="yes")  # type: ignore[arg-type]
