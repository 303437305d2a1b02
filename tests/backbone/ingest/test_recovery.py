"""What is tried again: only what is not well, only what is missing, over a window that grows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.ingest.market import Planned
from backbone.ingest.market_report import DimensionRun
from backbone.ingest.plan import IngestPlan
from backbone.ingest.recovery import missing_of, recoveries
from backbone.quality.sessions import NO_CALENDAR, Calendar, calendar
from backbone.settings.sections.recovery import RecoverySettings

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
DAILY, INTRADAY, MACRO = Dimension.DAILY_BARS, Dimension.INTRADAY_BARS, Dimension.MACRO_EVENTS
WANTED = RecoverySettings(enabled=True, max_attempts=2)
PLANNED = Planned(plan=IngestPlan(dimensions=[DAILY], symbols=["AAPL", "BTC"], source="yahoo"), lookback=10)


def equities(_symbol: str) -> Calendar:
    return calendar("us_equities")


def always(_symbol: str) -> Calendar:
    return calendar("24x7")


def result(status: Status, **more: Any) -> DimensionRun:
    return DimensionRun(dimension=DAILY, status=status, source="yahoo", requested=("AAPL", "BTC"), **more)


def tried(attempt: int, found: DimensionRun, settings: RecoverySettings = WANTED) -> Any:
    return recoveries(attempt, [found], {DAILY: PLANNED}, settings, NOW, always)


def test_where_all_is_well_nothing_is_tried_again() -> None:
    assert tried(1, result(Status.OK)) == ()


def test_each_attempt_reaches_twice_as_far_and_only_for_what_is_missing() -> None:
    missed = result(Status.DEGRADED, missing=("BTC",))
    for attempt, days in ((1, 20), (2, 40)):
        [again] = tried(attempt, missed)
        assert (again.planned.plan.symbols, again.attempt) == (("BTC",), attempt)
        assert again.planned.plan.start == NOW - timedelta(days=days)
        assert again.reasons == ("no rows of BTC, whose market was open",)
    assert tried(3, missed) == ()


def test_what_failed_is_tried_again_whole() -> None:
    [again] = tried(1, result(Status.FAILED, why="429 Too Many Requests"))
    assert again.planned.plan.symbols == ("AAPL", "BTC")
    assert again.reasons == ("failed: 429 Too Many Requests",)


@pytest.mark.parametrize(
    ("changed", "symbols"),
    [({"enabled": False}, None), ({"max_attempts": 1}, ("BTC",)), ({"target_missing_symbols": False}, ("AAPL", "BTC"))],
)
def test_the_settings_say_what_is_tried_again(changed: dict[str, Any], symbols: tuple[str, ...] | None) -> None:
    found = tried(1, result(Status.DEGRADED, missing=("BTC",)), msgspec.structs.replace(WANTED, **changed))
    assert [each.planned.plan.symbols for each in found] == ([] if symbols is None else [symbols])


def test_events_that_were_given_are_not_asked_for_again() -> None:
    given = {DAILY: msgspec.structs.replace(PLANNED, events=())}
    assert recoveries(1, [result(Status.FAILED, why="x")], given, WANTED, NOW, always) == ()


MONDAY_MORNING, SATURDAY = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 7, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dimension", "market", "start", "end", "missing"),
    [
        pytest.param(DAILY, equities, SATURDAY - timedelta(days=3), SATURDAY, ["MSFT"], id="a session was over"),
        pytest.param(DAILY, equities, MONDAY_MORNING - timedelta(days=1), MONDAY_MORNING, [], id="a weekend"),
        pytest.param(DAILY, equities, NOW - timedelta(hours=6), NOW, [], id="today is not over"),
        pytest.param(INTRADAY, equities, NOW - timedelta(hours=6), NOW, ["MSFT"], id="but its minutes are there"),
        pytest.param(INTRADAY, equities, SATURDAY - timedelta(hours=6), SATURDAY, [], id="a closed market"),
        pytest.param(INTRADAY, lambda _: NO_CALENDAR, SATURDAY - timedelta(hours=6), SATURDAY, ["MSFT"], id="unknown"),
        pytest.param(MACRO, equities, NOW - timedelta(days=7), NOW, [], id="events come when they come"),
    ],
)
def test_a_symbol_is_missing_where_its_market_was_open(
    dimension: Dimension, market: Any, start: datetime, end: datetime, missing: list[str]
) -> None:
    assert list(missing_of(dimension, ["AAPL", "MSFT"], ["aapl"], (start, end), market)) == missing
