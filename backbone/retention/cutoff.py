"""Up to where rows of a dimension may be dropped, and in which steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from backbone.domain.clock import from_us, to_us
from backbone.retention.policy import Policy
from backbone.store.records import Coverage

__all__ = ["Cutoff", "cutoff", "steps"]

_MICROSECOND = timedelta(microseconds=1)


class Cutoff(msgspec.Struct, frozen=True):
    """Rows from before this moment may be dropped (None: none), and what keeps rows beyond the cap ("": nothing)."""

    before: datetime | None
    kept: str = ""


def cutoff(policy: Policy, stored: Sequence[Coverage], as_of: datetime) -> Cutoff:
    """The cap, held back so that the newest chunk of data stays, and of each symbol its newest rows.

    A symbol that ended long ago holds back its whole dimension, for a store drops by time alone.

    Args:
        policy: of the dimension.
        stored: all that is stored of it.
        as_of: the moment from which the cap counts back.
    """
    cap = as_of - policy.cap
    earliest = min((each.earliest for each in stored), default=cap)
    if earliest >= cap:
        return Cutoff(None)
    newest: dict[str, datetime] = {}
    for each in stored:
        newest[each.symbol] = max(each.latest, newest.get(each.symbol, each.latest))
    oldest_end, symbol = min((latest, name) for name, latest in newest.items())
    chunk = policy.dimension.chunk
    reasons = [
        (cap, ""),
        (max(newest.values()) - chunk, f"the newest {chunk.days} days of data are never dropped"),
        (oldest_end, f"{symbol} has no rows after {oldest_end:%Y-%m-%d %H:%M} UTC and would be gone"),
    ]
    before, kept = min(reasons, key=lambda reason: reason[0])
    return Cutoff(before if before > earliest else None, kept)


def steps(earliest: datetime, before: datetime, width: timedelta, most: int = 256) -> list[datetime]:
    """Moments up to `before`, each of which drops about one chunk more than the last; at multiples of the width."""
    first, last, step = to_us(earliest), to_us(before), width // _MICROSECOND
    step *= max(1, -(-(last - first) // (step * most)))
    return [*(from_us(moment) for moment in range((first // step + 1) * step, last, step)), before]
