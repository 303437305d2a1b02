"""Retention policies: how many days should be covered, how few are a failure, beyond how many rows are dropped."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status

__all__ = ["Policy"]


class Policy(msgspec.Struct, frozen=True):
    """The policy of one dimension, in days."""

    dimension: Dimension
    target_days: int
    minimum_days: int
    cap_days: int

    def judge(self, covered_days: float, history_days: float) -> tuple[Status, str]:
        """The status of a coverage.

        Args:
            covered_days: days of history in which every expected session has rows.
            history_days: days from the earliest row to the moment judged.
        """
        if history_days > self.cap_days:
            over = history_days - self.cap_days
            return Status.DEGRADED, f"{over:.1f} days are beyond the cap of {self.cap_days} days and would be dropped"
        if covered_days >= self.target_days:
            return Status.OK, f"{covered_days:.1f} of {self.target_days} days covered"
        if covered_days >= self.minimum_days:
            return Status.DEGRADED, f"{covered_days:.1f} of {self.target_days} days covered"
        return Status.FAILED, f"{covered_days:.1f} days covered, fewer than the minimum of {self.minimum_days}"

    @property
    def cap(self) -> timedelta:
        """How far back rows are kept."""
        return timedelta(days=self.cap_days)
