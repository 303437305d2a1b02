"""Whether ingest of a dimension is healthy: every rule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backbone.domain import Dimension
from backbone.quality.freshness import Freshness, freshness
from backbone.quality.health import HEALTHY, dimension_health
from backbone.quality.sessions import NO_CALENDAR, calendar

DAILY, BARS, EVENTS = Dimension.DAILY_BARS, Dimension.INTRADAY_BARS, Dimension.MACRO_EVENTS
SATURDAY = datetime(2024, 1, 6, 12, tzinfo=UTC)
FRIDAY, THURSDAY, WEDNESDAY = (datetime(2024, 1, day, tzinfo=UTC) for day in (5, 4, 3))


def fresh(symbol: str, newest: datetime | None, now: datetime = SATURDAY, *, known: bool = True) -> Freshness:
    market = calendar("us_equities") if known else NO_CALENDAR
    return freshness(DAILY, symbol, newest, now, calendar=market, limit_s=86_400)


OK, LATE, OLD = fresh("A", FRIDAY), fresh("A", THURSDAY), fresh("A", datetime(2023, 12, 1, tzinfo=UTC))
UNTOLD = fresh("A", None)


@pytest.mark.parametrize(
    ("dimension", "rows", "expected", "observed", "found", "status", "message"),
    [
        (DAILY, 5, ["A"], ["A"], [OK], "ok", HEALTHY),
        (DAILY, 5, [], ["A"], None, "ok", HEALTHY),
        (DAILY, 0, ["A"], [], [OK], "ok", HEALTHY),  # a Saturday's run over Friday's series
        (DAILY, 0, ["A"], [], [LATE], "ok", HEALTHY),  # Friday's bar is due, and within its time
        (BARS, 0, ["A"], [], None, "failed", "0 rows came, and at least 1 were to come; 1 of 1 symbols are missing: A"),
        (BARS, 0, [], [], None, "degraded", "0 rows came, and at least 1 were to come"),
        (EVENTS, 0, [], [], None, "ok", HEALTHY),
        (DAILY, 5, ["A", "B"], ["A"], None, "degraded", "1 of 2 symbols are missing: B"),
        (DAILY, 5, ["A", "B"], ["C"], None, "failed", "2 of 2 symbols are missing: A, B"),
        (DAILY, 5, ["a"], ["A"], [OK], "ok", HEALTHY),  # whatever the case
        (DAILY, 5, ["A", "B"], ["A"], [OK, fresh("B", FRIDAY)], "ok", HEALTHY),  # B had nothing to bring
        (DAILY, 5, ["A"], ["A"], [OLD], "degraded", "1 symbols are stale: A"),
        (DAILY, 5, ["A"], ["A"], [UNTOLD], "degraded", "how fresh 1 symbols are can't be told: A"),
        (
            DAILY,
            5,
            ["A"],
            ["A"],
            [fresh("A", WEDNESDAY, known=False)],
            "degraded",
            "how fresh 1 symbols are can't be told: A",
        ),
    ],
)
def test_every_rule(
    dimension: Dimension,
    rows: int,
    expected: list[str],
    observed: list[str],
    found: list[Freshness] | None,
    status: str,
    message: str,
) -> None:
    health = dimension_health(dimension, rows=rows, expected=expected, observed=observed, freshness=found)

    assert (health.status, health.message) == (status, message)


def test_the_worst_stands_first_and_all_is_said() -> None:
    health = dimension_health(DAILY, rows=0, expected=["A", "B"], observed=[], freshness=[OLD, fresh("B", FRIDAY)])

    assert health.status == "failed"
    assert health.message == (
        "0 rows came, and at least 1 were to come; 1 of 2 symbols are missing: A; 1 symbols are stale: A"
    )
    assert (health.missing_symbols, health.expected_symbols, health.observed_symbols) == (("A",), ("A", "B"), ())
    assert health.freshness_seconds == OLD.age_s
    assert health.metadata == {"minimum_rows": 1, "stalest": "A", "limit_seconds": 86_400, "why": OLD.why}
