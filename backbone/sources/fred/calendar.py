"""The calendar of releases as events, each at the time of day at which it comes out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from backbone.sources.fred.answers import ReleaseDate, ReleaseDates
from backbone.sources.fred.asking import Fred
from backbone.sources.fred.times import ReleaseTimes
from backbone.sources.macro import events_frame, kind_of
from backbone.sources.port import BadRow, SourceChunk, excerpt

__all__ = ["CALENDAR", "releases"]

CALENDAR: Final = "FRED"
"""The calendar of all releases."""

_PAGE: Final = 1_000
_MOVING: Final = frozenset({9, 10, 46, 50, 53, 54, 101})
"""Releases that move markets: retail sales, CPI, PPI, employment, GDP, personal income, FOMC."""


def releases(fred: Fred, times: ReleaseTimes, start: datetime, end: datetime) -> Iterator[SourceChunk]:
    """The releases of some days, past and to come, page by page."""
    params = {
        "realtime_start": f"{start:%Y-%m-%d}",
        "realtime_end": f"{end:%Y-%m-%d}",
        "include_release_dates_with_no_data": "true",  # else there are none to come
        "order_by": "release_date",
        "sort_order": "asc",
    }
    for page in fred.pages("releases/dates", params, ReleaseDates, _PAGE):
        rows, bad = [], []
        for each in page.release_dates:
            try:
                rows.append(_row(each, times))
            except ValueError as error:
                where = f"fred release {each.release_id} {excerpt(each.date[:40])}"
                bad.append(BadRow(where, str(error), excerpt(each.release_name[:200])))
        given = events_frame(rows)
        ordered = given.ordered()
        yield SourceChunk(ordered, tuple(bad), "", 0, given if ordered.num_rows < given.num_rows else None)


def _row(each: ReleaseDate, times: ReleaseTimes) -> dict[str, Any]:
    name = each.release_name.strip() or f"Release {each.release_id}"
    kind = kind_of(name)
    return {
        "calendar": CALENDAR,
        "event": name,
        "ts": times.moment(each.date, each.release_id),
        "currency": "USD",
        "importance": "high" if each.release_id in _MOVING else None,
        "category": None if kind is None else kind.category,
    }
