"""Symbols of which a provider gave nothing although their market was open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from backbone import IngestPlan
from backbone.ingest.silence import silent
from backbone.quality.sessions import NO_CALENDAR, Calendar, calendar

FRIDAY, SATURDAY = datetime(2024, 3, 8, tzinfo=UTC), datetime(2024, 3, 9, tzinfo=UTC)
SUNDAY, MONDAY = datetime(2024, 3, 10, tzinfo=UTC), datetime(2024, 3, 12, tzinfo=UTC)


def told(
    *, seen: tuple[str, ...] = (), now: datetime = MONDAY, of: Calendar | None = None, **changes: Any
) -> list[str]:
    chosen: dict[str, Any] = {
        "dimensions": ["daily"],
        "symbols": ["ACME"],
        "source": "yahoo",
        "start": FRIDAY,
        **changes,
    }
    return list(silent(IngestPlan(**chosen), seen, now, lambda _: of or calendar("us_equities")))


def test_a_symbol_without_a_row_is_told_where_bars_were_due() -> None:
    (line,) = told()
    assert line.startswith("ACME: not one row, though 2 1d bars were due from 2024-03-08 to 2024-03-11; ")
    (line,) = told(dimensions=["intraday"], interval="1h")
    assert "though 14 1h bars were due" in line


@pytest.mark.parametrize(
    "changes",
    [
        {"seen": ("acme",)},
        {"start": SATURDAY, "end": SUNDAY},
        {"start": SATURDAY, "now": SUNDAY},
        {"start": FRIDAY, "now": FRIDAY},
        {"of": NO_CALENDAR},
        {"start": None},
        {"dimensions": ["trades"]},
        {"dimensions": ["intraday"], "interval": "1mo"},
        {"symbols": []},
    ],
)
def test_nothing_is_told_where_no_bar_was_due_or_nobody_knows(changes: dict[str, Any]) -> None:
    assert told(**changes) == []
