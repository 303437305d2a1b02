"""Which way the runs go, from the words of the journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backbone.domain.status import Status
from backbone.ingest.run_report import status_of, trends
from backbone.store.run_records import RunRow

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(number: int, status: Any = "ok", dimension: str = "daily_bars", **more: Any) -> RunRow:
    at = NOON + timedelta(hours=number)
    return RunRow(run_id=f"run-{number}", dimension=dimension, status=status, source="x", executed_at=at, **more)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("ok", "success", "skipped"), Status.OK),
        (("warn", "warning", "degraded"), Status.DEGRADED),
        (("fail", "failed", "error", " Failed "), Status.FAILED),
    ],
)
def test_the_words_of_the_journal(words: tuple[str, ...], status: Status) -> None:
    assert {status_of(word) for word in words} == {status}


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="'odd' is no word of the journal; there are ok, success"):
        status_of("odd")


def test_a_trend_is_as_bad_as_its_worst_run() -> None:
    rows = [run(3, rows=30, duration_s=2.0), run(2, "warn"), run(1, "failed", error="429")]
    [trend] = trends(rows)
    assert (trend.status, trend.latest, trend.runs, trend.failed) == (Status.FAILED, Status.OK, 3, 1)
    assert (trend.rows, trend.mean_rows, trend.last_error) == ((30, 0, 0), 15.0, "429")
    assert trend.last_success_at == NOON + timedelta(hours=3)


def test_only_the_last_so_many_runs_of_each_dimension_count() -> None:
    rows = [run(4), run(3, dimension="trades"), run(2), run(1, "failed")]
    assert [(each.dimension, each.runs, each.status) for each in trends(rows, 2)] == [
        ("daily_bars", 2, Status.OK),
        ("trades", 1, Status.OK),
    ]


def test_where_all_failed_there_is_no_mean() -> None:
    [trend] = trends([run(1, "failed", error="x")])
    assert (trend.mean_rows, trend.mean_duration_s, trend.last_success_at, trend.freshness_s) == (None,) * 4
