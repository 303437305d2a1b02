"""How rows are cut into parts: each moment belongs to just one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backbone.domain import Dimension
from backbone.store.snapshots import Parts, Period

TRADES = Dimension.TRADES
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "begin", "following"),
    [
        ("day", (2024, 2, 28), (2024, 2, 29)),
        ("day", (2024, 12, 31), (2025, 1, 1)),
        ("month", (2024, 1, 1), (2024, 2, 1)),
        ("month", (2024, 12, 1), (2025, 1, 1)),
        ("year", (1, 1, 1), (2, 1, 1)),
    ],
)
def test_a_part_ends_a_microsecond_before_the_next_one(
    period: Period, begin: tuple[int, int, int], following: tuple[int, int, int]
) -> None:
    part = Parts(TRADES, period=period).part("A", datetime(*begin, tzinfo=UTC))
    assert part.start == datetime(*begin, tzinfo=UTC)
    assert part.end == datetime(*following, tzinfo=UTC) - timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("period", "begin"), [("day", (9999, 12, 31)), ("month", (9999, 12, 1)), ("year", (9999, 1, 1))]
)
def test_the_last_part_ends_with_the_calendar(period: Period, begin: tuple[int, int, int]) -> None:
    assert Parts(TRADES, period=period).part("A", datetime(*begin, tzinfo=UTC)).end == LAST


def test_what_was_asked_for_cuts_parts_short() -> None:
    start, end = datetime(2024, 1, 1, 9, tzinfo=UTC), datetime(2024, 1, 1, 17, tzinfo=UTC)
    parts = Parts(TRADES, (), start, end)
    part = parts.part(None, datetime(2024, 1, 1, tzinfo=UTC))
    assert (part.start, part.end) == (start, end)
    assert (parts.part("A", None).start, parts.part("A", None).end) == (start, end)


def test_an_unknown_period_is_refused() -> None:
    with pytest.raises(ValueError, match="day, month, year, all"):
        Parts(TRADES, period="week")  # type: ignore[arg-type]
