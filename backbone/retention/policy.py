"""Retention policies: how many days should be covered, how few are a failure, beyond how many rows are dropped."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.settings import Settings
from backbone.settings.sections.retention import RetentionSettings

__all__ = ["Policy", "enforceable", "policies_of"]


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


def policies_of(retention: RetentionSettings) -> tuple[Policy, ...]:
    """One policy for each dimension."""
    days = {dimension: retention.of(dimension) for dimension in Dimension}
    return tuple(Policy(dimension, of.target_days, of.minimum, of.cap) for dimension, of in days.items())


def enforceable(settings: Settings) -> bool:
    """Whether rows of this store may be dropped at all: never of an embedded one, which may be the only copy."""
    return settings.store.backend != "duckdb"
