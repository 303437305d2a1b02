"""Retention: how long rows of each dimension are kept."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.domain.dimension import Dimension
from backbone.settings.sections.base import Days, Section

__all__ = ["RetentionDays", "RetentionSettings"]


class RetentionDays(Section, frozen=True, kw_only=True):
    """How many days of one dimension are kept."""

    target_days: Annotated[Days, Meta(description="days that should be covered")]
    minimum_days: Annotated[Days, Meta(description="days below which coverage has failed; at most the target")]
    cap_days: Annotated[Days | None, Meta(description="days after which rows are dropped; target + 35 if not set")] = (
        None
    )

    @property
    def minimum(self) -> int:
        """The minimum, clipped to the target."""
        return min(self.minimum_days, self.target_days)

    @property
    def cap(self) -> int:
        """The cap, never below the target; the target and 35 days where none is set."""
        return max(self.target_days, self.target_days + 35 if self.cap_days is None else self.cap_days)


_YEAR = RetentionDays(target_days=365, minimum_days=300, cap_days=400)
_MONTH = RetentionDays(target_days=30, minimum_days=7, cap_days=65)


class RetentionSettings(Section, frozen=True, kw_only=True):
    """How long rows are kept."""

    enabled: Annotated[bool, Meta(description="drop rows beyond the cap by schedule, not on request only")] = False
    interval: Annotated[float, Meta(ge=0, le=604_800, description="seconds between two runs of upkeep; 0: none")] = (
        3600.0
    )
    daily_bars: RetentionDays = _YEAR
    intraday_bars: RetentionDays = _MONTH
    trades: RetentionDays = _MONTH
    quotes: RetentionDays = _MONTH
    order_book: RetentionDays = _MONTH
    macro_events: RetentionDays = RetentionDays(target_days=365, minimum_days=180, cap_days=400)
    outbox_hours: Annotated[int, Meta(ge=1, le=8760, description="published outbox rows are kept for so long")] = 24
    outbox_bytes: Annotated[
        int, Meta(ge=1_048_576, le=10**13, description="published outbox rows are kept up to so many bytes of payload")
    ] = 2 * 1024 * 1024 * 1024
    quarantine_days: Annotated[Days, Meta(description="quarantined rows and dead letters are kept for so long")] = 30
    journal_days: Annotated[Days, Meta(description="the journal of runs and live commits is kept for so long")] = 90
    journal_rows: Annotated[
        int, Meta(ge=1000, le=10**12, description="and up to so many rows; those of the last day or hour stay")
    ] = 1_000_000

    def of(self, dimension: Dimension) -> RetentionDays:
        """The days of a dimension."""
        days: RetentionDays = getattr(self, dimension.value)
        return days
