"""The rules by which a schedule is judged, each as a line of a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backbone.domain.status import Status
from backbone.ingest.schedule_state import ScheduleState, judge, schedule_markdown

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def state(**given: Any) -> ScheduleState:
    well = {"enabled": True, "running": True, "interval_seconds": 600.0, "jitter_seconds": 0.0, "max_failures": 3}
    times = {
        "last_completed_at": NOW - 5 * MINUTE,
        "last_success_at": NOW - 5 * MINUTE,
        "next_run_at": NOW + 5 * MINUTE,
    }
    return ScheduleState(**{**well, **times, **given})


FAILED = {"last_error": "429 Too Many Requests"}
RULES: dict[str, tuple[ScheduleState | None, Status, str]] = {
    "all is well": (state(), Status.OK, ""),
    "nobody wants one": (state(enabled=False, running=False), Status.OFF, "there is no schedule"),
    "it does not say how it is": (None, Status.FAILED, "does not say how it is"),
    "it has stopped": (
        state(running=False, consecutive_failures=3, next_run_at=None, **FAILED),
        Status.FAILED,
        "stopped: 3 runs in a row failed: 429 Too Many Requests",
    ),
    "a run failed": (state(consecutive_failures=1, **FAILED), Status.DEGRADED, "1 runs in a row failed: 429"),
    "as many failed as may": (state(consecutive_failures=3, **FAILED), Status.FAILED, "3 runs in a row failed"),
    "it never stops": (state(consecutive_failures=9, max_failures=0, **FAILED), Status.DEGRADED, "9 runs in a row"),
    "it is paused": (state(paused="the kill switch x is there"), Status.DEGRADED, "paused: the kill switch x is there"),
    "it never ran": (state(last_completed_at=None), Status.DEGRADED, "has not run yet"),
    "the next run is late": (state(next_run_at=NOW - 20 * MINUTE), Status.OK, ""),
    "the next run is overdue": (state(next_run_at=NOW - 31 * MINUTE), Status.DEGRADED, "is overdue"),
    "the last run is old": (
        state(last_completed_at=NOW - 31 * MINUTE, next_run_at=None),
        Status.DEGRADED,
        "the last run ended at 2026-03-02 11:29 UTC",
    ),
    "the last run is old for the market was shut": (
        state(last_completed_at=NOW - timedelta(days=3), next_run_at=NOW + 5 * MINUTE),
        Status.OK,
        "",
    ),
    "a short interval": (
        state(interval_seconds=5.0, last_completed_at=NOW - timedelta(seconds=50), next_run_at=None),
        Status.OK,
        "",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_how_a_schedule_is_judged(rule: str) -> None:
    given, status, why = RULES[rule]
    found = judge(given, NOW)
    assert found[0] is status
    assert why in found[1]
    assert bool(found[1]) is (status is not Status.OK)


def test_the_state_as_a_table() -> None:
    text = schedule_markdown(state(), *judge(state(), NOW))
    assert "| status | ok |" in text
    assert "| next_run_at | 2026-03-02T12:05:00Z |" in text
