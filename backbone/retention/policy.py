"""Retention policies: how many days should be covered, how few are a failure, beyond how many rows are dropped."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status

__all__ = ["Policy", "RetentionRules"]


class Policy(msgspec.Struct, frozen=True):
    """The policy of one dimension, in days."""

    dimension: Dimension
    target_days: int
    minimum_days: int
    cap_days: int

    def judge(self, covered_days: float, history_days: float, *, kept: str = "") -> tuple[Status, str]:
        """The status of a coverage, the worst that holds.

        Below the minimum it has failed; below the target or beyond the cap it is degraded; else it is ok.

        Args:
            covered_days: days of history in which every expected session has rows.
            history_days: days from the earliest row to the moment judged.
            kept: why rows beyond the cap would be kept all the same.
        """
        if covered_days < self.minimum_days:
            return Status.FAILED, f"{covered_days:.1f} days covered, fewer than the minimum of {self.minimum_days}"
        if history_days > self.cap_days:
            over = history_days - self.cap_days
            fate = f"are kept: {kept}" if kept else "would be dropped"
            return Status.DEGRADED, f"{over:.1f} days are beyond the cap of {self.cap_days} days and {fate}"
        status = Status.OK if covered_days >= self.target_days else Status.DEGRADED
        return status, f"{covered_days:.1f} of {self.target_days} days covered"

    @property
    def cap(self) -> timedelta:
        """How far back rows are kept."""
        return timedelta(days=self.cap_days)


class RetentionRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say about retention.

    Attributes:
        policies: one for each dimension.
        enforceable: whether rows of this store may be dropped at all; False: every run is a dry run.
        scheduled: whether the schedule drops rows beyond the caps; it prunes in any case.
        interval: seconds between two runs of the schedule; 0: there is none.
        outbox_kept: for how long published outbox rows are kept.
        quarantine_kept: for how long quarantined rows are kept.
        kill_switch: a file; while it exists the schedule pauses. None: there is none.
    """

    policies: tuple[Policy, ...]
    enforceable: bool = False
    scheduled: bool = False
    interval: float = 0.0
    outbox_kept: timedelta = timedelta(hours=24)
    quarantine_kept: timedelta = timedelta(days=30)
    kill_switch: str | None = None
