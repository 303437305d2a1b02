"""How the schedule is, and what that means: pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from backbone.domain.report import markdown_table
from backbone.domain.status import Status

__all__ = ["RESUME", "ScheduleState", "judge", "schedule_markdown"]

RESUME = "mend the cause, then: backbone resume"
"""What an operator can do about a schedule that has stopped."""

_LEAST_STALE = 60.0  # seconds


class ScheduleState(msgspec.Struct, frozen=True, kw_only=True):
    """How the schedule is.

    Attributes:
        enabled: whether the settings want one.
        running: whether it goes on; False: it is off, or has stopped.
        paused: why it waits although it runs: the kill switch, or somebody's `pause`; "" where it does not.
        run_under_way: whether a run, whoever began it, is under way.
        last_started_at, last_completed_at, last_success_at: of runs, whoever began them; None: there was none.
        consecutive_failures: runs of the schedule that failed, one after the other.
        next_run_at: when the next run is due; None: there is none to come.
        why_then: why the next run is not due after the interval: no market is open before.
        interval_seconds, jitter_seconds, max_failures: as set.
        runs: runs that the schedule has begun, since this process began.
        last_error: why the last failed run failed.
    """

    enabled: bool
    running: bool
    paused: str = ""
    run_under_way: bool = False
    last_started_at: datetime | None = None
    last_completed_at: datetime | None = None
    last_success_at: datetime | None = None
    consecutive_failures: int = 0
    next_run_at: datetime | None = None
    why_then: str = ""
    interval_seconds: float
    jitter_seconds: float
    max_failures: int
    runs: int = 0
    last_error: str = ""


def judge(state: ScheduleState | None, now: datetime) -> tuple[Status, str]:
    """How well the schedule does, and why: the first of these that says something.

    Off counts as ok where nobody wants a schedule. A run that is due later than the interval, for no market is open
    before, is late only from then on.

    Args:
        state: how it is; None: its actor does not say.
        now: the moment.
    """
    if state is None:
        return Status.FAILED, "the schedule does not say how it is: its actor is being restarted, or has ended"
    if not state.enabled:
        return Status.OFF, "there is no schedule; schedule.enabled=true makes one"
    failures = f"{state.consecutive_failures} runs in a row failed: {state.last_error}"
    if not state.running:
        return Status.FAILED, f"stopped: {failures}; nothing is fetched by schedule until it is resumed"
    if state.max_failures and state.consecutive_failures >= state.max_failures:
        return Status.FAILED, failures
    if state.paused:
        return Status.DEGRADED, f"paused: {state.paused}"
    if state.consecutive_failures:
        return Status.DEGRADED, failures
    return _late(state, now)


def _late(state: ScheduleState, now: datetime) -> tuple[Status, str]:
    limit = timedelta(seconds=max(3 * state.interval_seconds, _LEAST_STALE))
    if state.next_run_at is not None and now - state.next_run_at > limit:
        return Status.DEGRADED, f"the run of {state.next_run_at:%Y-%m-%d %H:%M} UTC is overdue"
    if state.last_completed_at is None:
        return Status.DEGRADED, "has not run yet"
    to_come = state.next_run_at is not None and state.next_run_at >= now
    if not to_come and now - state.last_completed_at > limit:
        return Status.DEGRADED, f"the last run ended at {state.last_completed_at:%Y-%m-%d %H:%M} UTC"
    return Status.OK, ""


def schedule_markdown(state: ScheduleState, status: Status, why: str) -> str:
    """The state as a table."""
    facts = [("status", status), ("why", why or "all is well")]
    facts += [(name, getattr(state, name)) for name in state.__struct_fields__]
    return markdown_table(("schedule", "observed"), facts)
