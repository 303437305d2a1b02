"""A series with what was known when: for each day on which figures were said, a chunk of those figures.

The row of an observation bears its date, so that a read gives the newest values, and a read ``as_of`` a moment those
that had been published by then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backbone.domain import Frame
from backbone.sources.errors import InputInvalid
from backbone.sources.fred.answers import Observation, Observations, Releases
from backbone.sources.fred.asking import Fred, TooManyVintages
from backbone.sources.fred.times import ReleaseTimes
from backbone.sources.macro import events_frame, kind_of
from backbone.sources.numbers import number
from backbone.sources.port import BadRow, SourceChunk, excerpt

__all__ = ["MOST_VALUES", "Series"]

_FIRST: Final = datetime(1776, 7, 4, tzinfo=UTC)  # before that, FRED knows of no time
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_NONE: Final = "."
MOST_VALUES: Final = 500_000
"""Of one series; all of them are in memory at once."""


class Series:
    """One series of FRED, whose name is calendar and event of its rows.

    Args:
        fred: answers.
        name: such as CPIAUCSL.
        times: of releases, from which on figures are known.
        page_rows: rows of an answer.
        now: up to when there are revisions.
    """

    def __init__(self, fred: Fred, name: str, times: ReleaseTimes, page_rows: int, now: datetime) -> None:
        self._fred = fred
        self._name = name
        self._times = times
        self._page_rows = page_rows
        self._now = now
        self._values = 0
        kind = kind_of(name)
        self._category = None if kind is None else kind.category

    def newest(self, start: datetime, end: datetime) -> Iterator[SourceChunk]:
        """The values that stand, of the dates from a start to an end."""
        rows: list[dict[str, Any]] = []
        bad: list[BadRow] = []
        for each in self._pages(start, end, {}):
            self._add(each, rows, bad)
        yield _chunk([row for row in rows if row["actual"] is not None], bad, None)

    def vintages(self, start: datetime, end: datetime) -> Iterator[SourceChunk]:
        """All that was ever said of these dates, the oldest first, each with since when it is known."""
        release = self._release()
        said: defaultdict[str, list[Observation]] = defaultdict(list)
        for each in self._revisions(start, end, _FIRST, _LAST):
            said[each.realtime_start].append(each)
        had: set[datetime] = set()
        for day in sorted(said):
            rows: list[dict[str, Any]] = []
            bad: list[BadRow] = []
            for each in said.pop(day):
                self._add(each, rows, bad)
            try:
                known_at = min(self._times.moment(day, release), self._now)  # what we have is known
            except ValueError as error:
                where = f"fred {self._name} as of {excerpt(day[:40])}"
                yield _chunk([], [BadRow(where, f"{len(rows)} values: {error}", excerpt(str(rows[:1])))], None)
                continue
            kept = [row for row in rows if row["actual"] is not None or row["ts"] in had]  # one that was taken back
            had.update(row["ts"] for row in kept)
            yield _chunk(kept, bad, known_at)

    def _release(self) -> int | None:
        """The number of the release that the series is part of; None: FRED does not say."""
        try:
            found = self._fred.get("series/release", {"series_id": self._name}, Releases)
        except InputInvalid:
            return None
        return found.releases[0].id if found.releases else None

    def _revisions(self, start: datetime, end: datetime, since: datetime, until: datetime) -> Iterator[Observation]:
        """What was said between two days; in two spans, where that is more than FRED gives at once."""
        realtime = {"realtime_start": f"{since:%Y-%m-%d}", "realtime_end": f"{until:%Y-%m-%d}"}
        try:
            yield from list(self._bounded(start, end, realtime))
        except TooManyVintages:
            latest = min(until, self._now.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY)
            if latest - since < 2 * _DAY:
                raise
            middle = since + (latest - since) // _DAY // 2 * _DAY
            yield from self._revisions(start, end, since, middle)
            yield from self._revisions(start, end, middle + _DAY, until)

    def _bounded(self, start: datetime, end: datetime, realtime: dict[str, str]) -> Iterator[Observation]:
        for each in self._pages(start, end, realtime):
            self._values += 1
            if self._values > MOST_VALUES:
                raise InputInvalid(f"FRED has more than {MOST_VALUES:,} values of {self._name}; ask for a shorter span")
            yield each

    def _pages(self, start: datetime, end: datetime, realtime: dict[str, str]) -> Iterator[Observation]:
        params = {
            "series_id": self._name,
            "observation_start": f"{max(start, _FIRST):%Y-%m-%d}",
            "observation_end": f"{max(end, _FIRST):%Y-%m-%d}",
            "sort_order": "asc",
            **realtime,
        }
        for page in self._fred.pages("series/observations", params, Observations, self._page_rows):
            yield from page.observations

    def _add(self, each: Observation, rows: list[dict[str, Any]], bad: list[BadRow]) -> None:
        try:
            moment = datetime.strptime(each.date, "%Y-%m-%d").replace(tzinfo=UTC)
            actual = None if each.value.strip() == _NONE else number(each.value)
        except ValueError as error:
            where = f"fred {self._name} {excerpt(each.date[:40])} as of {excerpt(each.realtime_start[:40])}"
            bad.append(BadRow(where, str(error), excerpt(each.value[:200])))
            return
        row = {"calendar": self._name, "event": self._name, "ts": moment, "actual": actual}
        rows.append({**row, "category": self._category})


def _chunk(rows: list[dict[str, Any]], bad: list[BadRow], known_at: datetime | None) -> SourceChunk:
    given: Frame = events_frame(rows)
    ordered = given.ordered()
    repeated = given if ordered.num_rows < given.num_rows else None
    return SourceChunk(ordered, tuple(bad), "", 0, repeated, known_at)
