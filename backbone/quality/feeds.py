"""What is wrong with a feed, as far as its silence tells: that nothing comes, that it is late, that it can't be told.

Silence counts in the time of the market (`backbone.quality.freshness`): a feed that brings nothing while its market is
shut, or before its next bar is over, has no anomaly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.domain.text import written_out
from backbone.quality.freshness import Freshness

__all__ = ["FeedAnomaly", "feed_anomalies"]

Code = Literal["feed_break", "stale_feed", "missing_freshness"]
_CRITICAL = 2  # times the limit


class FeedAnomaly(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with the feed of a symbol.

    Attributes:
        code: ``feed_break``: no rows, though some were due; ``stale_feed``: they are late; ``missing_freshness``: it
            can't be told.
        severity: critical for a break, and for rows that are more than twice as late as may be.
        dimension: of the rows.
        symbol: of the rows.
        interval: of bars.
        message: in a sentence.
        age_s: for how long the next row has been due, in the time of its market; None: it can't be told.
        limit_s: for how long it may be.
    """

    code: Code
    severity: Literal["warning", "critical"]
    dimension: Dimension
    symbol: str
    interval: str | None
    message: str
    age_s: float | None
    limit_s: float


def feed_anomalies(found: Freshness, rows: int | None = None) -> Iterator[FeedAnomaly]:
    """What is wrong with a feed.

    Args:
        found: how fresh its rows are, by the limit of feeds.
        rows: that came in the time in question; None: nobody counted.
    """
    name = " ".join(filter(None, (written_out(found.symbol), found.interval)))
    if rows is not None and rows < 1 and _was_due(found):
        yield _anomaly(found, "feed_break", f"{name}: no rows came; {found.why}", critical=True)
    if found.level is Status.UNKNOWN or found.age_s is None:
        yield _anomaly(found, "missing_freshness", f"{name}: {found.why}", critical=False)
    elif found.age_s > found.limit_s:
        critical = found.age_s > _CRITICAL * found.limit_s
        yield _anomaly(found, "stale_feed", f"{name}: {found.why}", critical=critical)


def _was_due(found: Freshness) -> bool:
    """Whether the next row was due, or it can't be told; then no rows are a break."""
    return found.age_s is None or found.age_s > 0


def _anomaly(found: Freshness, code: Code, message: str, *, critical: bool) -> FeedAnomaly:
    return FeedAnomaly(
        code=code,
        severity="critical" if critical else "warning",
        dimension=found.dimension,
        symbol=found.symbol,
        interval=found.interval,
        message=message,
        age_s=found.age_s,
        limit_s=found.limit_s,
    )
