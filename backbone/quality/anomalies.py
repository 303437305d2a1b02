"""False ticks: prices that jump away from those around them and back at once, each with what it was measured by.

The jump is measured as a robust z-score of the log return: distance from the median in units of the median absolute
deviation, both of the returns that are not zero (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993). A jump
that stays is news, not a false tick.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from backbone.domain.clock import from_us

__all__ = ["CRITICAL_Z", "MOST_ANOMALIES", "SPIKE_Z", "Anomaly", "false_ticks", "spikes", "worst"]

SPIKE_Z: Final = 12.0
"""Robust z-score from which a jump counts: 12 years of hourly EURUSD have two such bars, a random walk has none."""
CRITICAL_Z: Final = 4 * SPIKE_Z
"""Robust z-score from which an anomaly is critical."""
MOST_ANOMALIES: Final = 20
"""How many anomalies a report describes."""

_TO_SIGMA = 1.4826
_REVERSAL = 0.5
_FEWEST_RETURNS = 8


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """A price that can't be trusted.

    Attributes:
        index: of the row among those that were judged, from 0.
        symbol: whose price it is.
        timestamp: of the row.
        price: the price.
        baseline: what it is measured by: the middle of the prices before and after it, at an end of the series the
            one beside it.
        z_score: robust z-score of the jump, negative downwards.
        severity: ``critical`` from four times the threshold on, else ``warning``.
    """

    index: int
    symbol: str
    timestamp: datetime
    price: float
    baseline: float
    z_score: float
    severity: Literal["warning", "critical"]


def spikes(prices: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where prices jump away and back at once, or end the series with a jump.

    Args:
        prices: in the order of time; missing and impossible ones are passed over.

    Returns:
        Places of the spikes, ascending, and their scores.
    """
    places = np.flatnonzero(np.isfinite(prices) & (prices > 0))
    returns = np.diff(np.log(prices[places]))
    moves = returns[returns != 0]
    if moves.size < _FEWEST_RETURNS:
        return places[:0], np.zeros(0)
    centre = np.median(moves)
    sigma = _TO_SIGMA * np.median(np.abs(moves - centre))
    if sigma == 0:
        return places[:0], np.zeros(0)
    score = (returns - centre) / sigma
    large = np.abs(score) > SPIKE_Z
    size = np.abs(returns)
    back = np.abs(returns[:-1] + returns[1:]) < _REVERSAL * np.minimum(size[:-1], size[1:])
    inner = large[:-1] & large[1:] & back
    # At the ends there is only one jump to judge by, unless the neighbour's spike explains it.
    first, last = large[:1] & ~inner[:1], large[-1:] & ~inner[-1:]
    found = np.concatenate((first, inner, last))
    return places[found], np.concatenate((-score[:1], score))[found]


def false_ticks(
    prices: NDArray[np.float64], stamps: NDArray[np.int64], symbol: str, *, first: int = 0, most: int | None = None
) -> tuple[NDArray[np.intp], list[Anomaly]]:
    """The false ticks of a series.

    Args:
        prices: in the order of time; missing and impossible ones are passed over.
        stamps: of the prices, microseconds since 1970.
        symbol: whose prices they are.
        first: place of the first price among the rows that are judged.
        most: how many anomalies to describe, the worst first; None: all.

    Returns:
        Places of all of them among the rows that are judged, and the anomalies in the order of time.
    """
    places, scores = spikes(prices)
    worst = np.sort(np.argsort(-np.abs(scores), kind="stable")[:most])
    if not worst.size:
        return places + first, []
    good = np.flatnonzero(np.isfinite(prices) & (prices > 0))
    at = np.searchsorted(good, places[worst])
    logs = np.log(prices[good])
    before, after = logs[np.maximum(at - 1, 0)], logs[np.minimum(at + 1, good.size - 1)]
    before, after = np.where(at == 0, after, before), np.where(at == good.size - 1, before, after)
    return places + first, [
        Anomaly(
            index=first + place,
            symbol=symbol,
            timestamp=from_us(int(stamps[place])),
            price=float(prices[place]),
            baseline=baseline,
            z_score=score,
            severity="critical" if abs(score) >= CRITICAL_Z else "warning",
        )
        for place, score, baseline in zip(
            places[worst].tolist(), scores[worst].tolist(), np.exp((before + after) / 2).tolist(), strict=True
        )
    ]


def worst(anomalies: Iterable[Anomaly]) -> tuple[Anomaly, ...]:
    """The few worst, in the order of their rows."""
    chosen = sorted(anomalies, key=lambda each: -abs(each.z_score))[:MOST_ANOMALIES]
    return tuple(sorted(chosen, key=lambda each: each.index))
