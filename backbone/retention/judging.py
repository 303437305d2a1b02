"""Judging what is stored of one symbol: sessions that should have rows, and those that have."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from backbone.domain.clock import to_us
from backbone.domain.zones import Stamps
from backbone.quality.sessions import Calendar
from backbone.retention.cutoff import Cutoff
from backbone.retention.policy import Policy
from backbone.retention.report import RetentionFinding
from backbone.store.records import Coverage

__all__ = ["judge", "judged_from"]

_DAY = timedelta(days=1)


def judged_from(policy: Policy, each: Coverage, as_of: datetime) -> datetime:
    """The beginning of the days that count: those of the target, or the first row where history is shorter."""
    return max(each.earliest, as_of - timedelta(days=policy.target_days))


def judge(
    policy: Policy, each: Coverage, recent: Stamps, calendar: Calendar, as_of: datetime, limit: Cutoff, beyond_cap: int
) -> RetentionFinding:
    """The finding of one symbol (and interval).

    Args:
        policy: of the dimension.
        each: what is stored of the symbol up to `as_of`.
        recent: moments that have rows, from `judged_from` on; those before it count as nothing.
        calendar: its sessions.
        as_of: the moment it is judged at.
        limit: up to where its rows may be dropped.
        beyond_cap: moments older than the cap that have rows.
    """
    begin = judged_from(policy, each, as_of)
    expected = calendar.sessions(begin, as_of)
    counted = recent[recent >= np.datetime64(to_us(begin), "us")]
    present = np.unique(calendar.session_of(counted)) if counted.size else expected[:0]
    covered = int(np.isin(expected, present).sum())
    covered_days = (as_of - begin) / _DAY * covered / len(expected) if len(expected) else 0.0
    stays = limit.before is None or each.earliest >= limit.before
    status, message = policy.judge(covered_days, (as_of - each.earliest) / _DAY, kept=limit.kept if stays else "")
    return RetentionFinding(
        dimension=each.dimension,
        symbol=each.symbol,
        interval=each.interval,
        status=status,
        message=message,
        rows=each.rows,
        earliest=each.earliest,
        latest=each.latest,
        covered_sessions=covered,
        expected_sessions=len(expected),
        covered_days=covered_days,
        beyond_cap=beyond_cap,
    )
