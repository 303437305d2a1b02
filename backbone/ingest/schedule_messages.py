"""What the scheduler is asked, and what it says of itself."""

from __future__ import annotations

from typing import get_args

from actors import Event, Request
from backbone.domain import arguments
from backbone.ingest.market_report import MarketRun, Trigger
from backbone.ingest.plan import IngestPlan
from backbone.ingest.schedule_state import ScheduleState

__all__ = ["PauseSchedule", "ReadSchedule", "ResumeSchedule", "RunMarket", "ScheduleChanged"]


class RunMarket(Request[MarketRun], frozen=True):
    """Fetch what the settings want, or what a plan says; one at a time.

    Who asks for what is under way already gets its report; another plan waits for its turn.
    """

    plan: IngestPlan | None = None
    trigger: Trigger = "call"

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        if self.plan is not None:
            arguments.instance("plan", self.plan, IngestPlan)
        if self.trigger not in get_args(Trigger):
            allowed = ", ".join(get_args(Trigger))
            raise ValueError(f"trigger={arguments.shown(self.trigger)} given; allowed: {allowed}")


class ReadSchedule(Request[ScheduleState], frozen=True):
    """How the schedule is."""


class ResumeSchedule(Request[ScheduleState], frozen=True):
    """Let the schedule go on, its failures forgotten; the next run is due at once."""


class PauseSchedule(Request[ScheduleState], frozen=True):
    """Let the schedule wait until it is resumed; a run that is under way goes on."""


class ScheduleChanged(Event, frozen=True, kw_only=True):
    """The schedule has run, stopped, paused or gone on."""

    state: ScheduleState
