"""Judging what is stored of one symbol: sessions that should have rows, and those that have."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from backbone.domain.zones import Stamps
from backbone.quality.sessions import Calendar
from backbone.retention.cutoff import Cutoff
from backbone.retention.policy import Policy
from backbone.retention.report import RetentionFinding
from backbone.store.records import Coverage

__all__ = ["judge"]

_DAY = timedelta(days=1)


def judge(
    policy: Policy,
    each: Coverage,
    filled: Stamps,
    calendar: Calendar,
    as_of: datetime,
    limit: Cutoff,
    beyond_cap: int,
) -> RetentionFinding:
    """The finding of one symbol (and interval).

    Args:
        policy: of the dimension.
        each: what is stored of the symbol up to `as_of`.
        filled: when those quarters of an hour begin that have rows within the days of the target.
        calendar: its sessions; where none is known, gaps count for nothing.
        as_of: the moment it is judged at.
        limit: up to where its rows may be dropped.
        beyond_cap: rows older than the cap.
    """
    # the days that count are those of the target, or from the first row on where history is shorter
    begin = max(each.earliest, as_of - timedelta(days=policy.target_days))
    expected = calendar.sessions(begin, as_of)
    present = np.unique(calendar.session_of(filled)) if filled.size else expected[:0]
    covered = int(np.isin(expected, present).sum())
    covered_days = (as_of - begin) / _DAY * covered / len(expected) if len(expected) else 0.0
    if not calendar.known:
        expected = expected[np.isin(expected, present)]
        covered_days = max(0.0, (min(each.latest, as_of) - begin) / _DAY)
    stays = limit.before is None or each.earliest >= limit.before
    status, message = policy.judge(covered_days, (as_of - each.earliest) / _DAY, kept=limit.kept if stays else "")
    return RetentionFinding(
        dimension=each.dimension,
        symbol=each.symbol,
        interval=each.interval,
        status=status,
        message=message if calendar.known else f"{message}; gaps are not judged, for no calendar is known",
        rows=each.rows,
        earliest=each.earliest,
        latest=each.latest,
        covered_sessions=covered,
        expected_sessions=len(expected),
        covered_days=covered_days,
        beyond_cap=beyond_cap,
    )
