"""The runs of the journal, and which way they go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

import msgspec

from backbone.domain.report import Report, markdown_table
from backbone.domain.status import Status
from backbone.store.run_records import RunRow

__all__ = ["RunsReport", "Trend", "status_of", "trends"]

_WORDS = {
    "ok": Status.OK,
    "success": Status.OK,
    "skipped": Status.OK,
    "warn": Status.DEGRADED,
    "warning": Status.DEGRADED,
    "degraded": Status.DEGRADED,
    "fail": Status.FAILED,
    "failed": Status.FAILED,
    "error": Status.FAILED,
}
_OF_RUN = ("dimension", "status", "rows", "inserted", "changed", "unchanged", "quarantined", "duration_s")


def status_of(word: str) -> Status:
    """The status that a word of the journal stands for.

    Raises:
        ValueError: there is no such word; lists those there are.
    """
    found = _WORDS.get(word.strip().lower())
    if found is None:
        raise ValueError(f"{word!r} is no word of the journal; there are {', '.join(_WORDS)}")
    return found


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """How the last runs of a dimension went.

    Attributes:
        dimension: which.
        status: the worst of them.
        latest: the status of the last one.
        runs, failed: how many they are, and how many of them failed.
        rows: of each, the newest first.
        mean_rows: of those that did not fail; None: there is none.
        mean_duration_s: likewise.
        freshness_s: of the last one that had rows.
        last_success_at: when the last one that did not fail ended.
        last_error: why the last one that failed did.
    """

    dimension: str
    status: Status
    latest: Status
    runs: int
    failed: int
    rows: tuple[int, ...]
    mean_rows: float | None
    mean_duration_s: float | None
    freshness_s: float | None
    last_success_at: datetime | None
    last_error: str


def trends(rows: Sequence[RunRow], limit: int | None = None) -> tuple[Trend, ...]:
    """The trend of each dimension, by name.

    Args:
        rows: of the journal, newest first.
        limit: the last so many runs of each dimension count; None: all.
    """
    by_dimension: dict[str, list[RunRow]] = {}
    for row in rows:
        kept = by_dimension.setdefault(row.dimension, [])
        if limit is None or len(kept) < limit:
            kept.append(row)
    return tuple(_trend(dimension, by_dimension[dimension]) for dimension in sorted(by_dimension))


def _trend(dimension: str, rows: Sequence[RunRow]) -> Trend:
    statuses = [status_of(row.status) for row in rows]
    went = [row for row, status in zip(rows, statuses, strict=True) if status is not Status.FAILED]
    failed = [row for row, status in zip(rows, statuses, strict=True) if status is Status.FAILED]
    return Trend(
        dimension=dimension,
        status=Status.worst(statuses),
        latest=statuses[0],
        runs=len(rows),
        failed=len(failed),
        rows=tuple(row.rows for row in rows),
        mean_rows=sum(row.rows for row in went) / len(went) if went else None,
        mean_duration_s=sum(row.duration_s for row in went) / len(went) if went else None,
        freshness_s=next((row.freshness_s for row in rows if row.freshness_s is not None), None),
        last_success_at=went[0].executed_at if went else None,
        last_error=(failed[0].error or "") if failed else "",
    )


class RunsReport(Report, frozen=True, kw_only=True):
    """The newest runs, the last one of each dimension, and which way each dimension goes.

    Attributes:
        status: the worst of the last runs of each dimension.
        runs: newest first; those of one run share its id.
        latest: the last run of each dimension.
        trends: of the runs listed.
    """

    title: ClassVar[str] = "Runs"

    status: Status
    runs: tuple[RunRow, ...]
    latest: tuple[RunRow, ...]
    trends: tuple[Trend, ...]

    def to_markdown(self) -> str:
        """The runs and the trends, as tables."""
        names = ("executed_at", "run_id", *_OF_RUN, "freshness_s", "source", "error")
        runs = markdown_table(names, [[getattr(each, name) for name in names] for each in self.runs])
        of_trend = ("dimension", "status", "latest", "runs", "failed", "mean_rows", "mean_duration_s", "last_error")
        table = markdown_table(of_trend, [[getattr(each, name) for name in of_trend] for each in self.trends])
        return f"{self.heading()}- status: {self.status}\n\n{runs}\n{table}"
