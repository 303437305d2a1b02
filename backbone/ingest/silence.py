"""Symbols of which a provider gave nothing, although their market was open: an empty answer may be a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from backbone.domain.clock import INTERVALS
from backbone.ingest.plan import IngestPlan
from backbone.quality.sessions import Calendar

__all__ = ["silent"]

_LONG = timedelta(days=400)


def silent(
    plan: IngestPlan, seen: Iterable[str], now: datetime, calendar_of: Callable[[str], Calendar]
) -> Iterator[str]:
    """What to say of symbols of a plan without rows; nothing where no bar was due, or nobody knows.

    Args:
        plan: for bars of some time.
        seen: symbols of which anything came, rows or reasons.
        now: no bar is due that was not over by then.
        calendar_of: the trading calendar of a symbol.
    """
    if plan.start is None or "close" not in plan.dimension.columns:
        return
    interval = plan.interval or "1d"
    length = INTERVALS[interval]
    if length is None or interval == "5d":
        return
    end = min(now, plan.end or now) - length
    came = {each.upper() for each in seen}
    for symbol in plan.symbols:
        calendar = calendar_of(symbol)
        if symbol in came or not calendar.known or end < plan.start:
            continue
        start = max(plan.start, end - _LONG)
        due = len(calendar.expected_stamps(interval, start, end))
        if due:
            span = f"from {start:%Y-%m-%d} to {end:%Y-%m-%d}"
            why = "it may be delisted or renamed, or the provider refuses without saying so"
            yield f"{symbol}: not one row, though {due:,} {interval} bars were due {span}; {why}"
