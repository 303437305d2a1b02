"""What is known of the schedule and its runs: it outlives the actor, which a bug may bring down."""

from __future__ import annotations

from datetime import datetime

from backbone.ingest.journal import unwritten
from backbone.ingest.schedule_state import ScheduleState
from backbone.ingest.timing import Due
from backbone.settings.sections.schedule import ScheduleSettings

__all__ = ["ScheduleBook"]

_BY_HAND = "somebody paused it; backbone resume lets it go on"


class ScheduleBook:
    """Counts runs and failures, and knows when the next run is due.

    Args:
        settings: the section `schedule`.

    Attributes:
        running: whether the schedule goes on.
        by_hand: whether somebody paused it.
        killed: why the kill switch holds it; "" where it does not.
        under_way: whether a run is under way, and whether the schedule began it.
        next: when the next run is due.
        next_time: the same in monotonic seconds.
        trouble: what the last run, though carried out, did not get.
        unwritten: rows of the journal that the store has not taken yet.
    """

    def __init__(self, settings: ScheduleSettings) -> None:
        self.settings = settings
        self.running = settings.enabled
        self.by_hand = False
        self.killed = ""
        self.under_way: bool | None = None
        self.next: Due | None = None
        self.next_time = 0.0
        self.trouble = ""
        self.unwritten = unwritten()
        self._failures = self._runs = 0
        self._last_error = ""
        self._started_at: datetime | None = None
        self._completed_at: datetime | None = None
        self._success_at: datetime | None = None

    @property
    def began_at(self) -> datetime | None:
        """When the newest run began, whoever began it; None: there was none."""
        return self._started_at

    @property
    def paused(self) -> str:
        """Why it waits; "" where it does not."""
        return self.killed or (_BY_HAND if self.by_hand else "")

    def planned(self, due: Due, time: float) -> None:
        """When the next run is due, by the wall clock and in monotonic seconds."""
        self.next, self.next_time = due, time

    def began(self, now: datetime, *, scheduled: bool) -> None:
        """A run begins; until it has ended nothing else is due."""
        self._started_at, self.next, self.under_way = now, None, scheduled
        self._runs += scheduled

    def succeeded(self, now: datetime, trouble: str) -> None:
        """A run has ended, whoever began it, and something of it was carried out."""
        self._completed_at = self._success_at = now
        self._failures, self._last_error, self.trouble, self.under_way = 0, "", trouble, None

    def failed(self, now: datetime, error: str) -> None:
        """A run has ended, and nothing of it was carried out; after so many of the schedule's own it stops."""
        self._completed_at, self._last_error = now, error
        self._failures += bool(self.under_way)
        self.under_way, most = None, self.settings.max_failures
        if most and self._failures >= most:
            self.running, self.next = False, None

    def idle(self) -> None:
        """Nothing was to be done."""
        self.under_way = None

    def resumed(self) -> None:
        """Somebody wants it to go on; what was is forgotten."""
        self.running, self.by_hand, self._failures, self._last_error = self.settings.enabled, False, 0, ""

    @property
    def state(self) -> ScheduleState:
        """How it is."""
        due = self.next if self.running else None
        return ScheduleState(
            enabled=self.settings.enabled,
            running=self.running,
            paused=self.paused,
            run_under_way=self.under_way is not None,
            last_started_at=self._started_at,
            last_completed_at=self._completed_at,
            last_success_at=self._success_at,
            consecutive_failures=self._failures,
            next_run_at=None if due is None else due.at,
            why_then="" if due is None else due.why,
            interval_seconds=self.settings.interval,
            jitter_seconds=self.settings.jitter,
            max_failures=self.settings.max_failures,
            runs=self._runs,
            last_error=self._last_error,
        )
