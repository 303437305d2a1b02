"""Adjusted closes that a known dividend is not in, or is in by a wrong amount.

A dividend of a on a close of c makes every adjusted close before its day smaller by 1 - a / c. What lies between
adjusted close and close before and after that day shows whether it is in: as it should be, not at all, twice, or by a
hundred times or a hundredth of it. Anything else is left alone. Closes are never touched.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from backbone.quality.repairs.bars import Bars, Floats
from backbone.sources.actions import Action

__all__ = ["RULE", "mend_dividend"]

RULE: Final = "dividend"

_ROWS = 5  # beside its day, whose middle is taken: adjusted closes are rounded
_SLACK = 0.25  # of the step that the dividend makes
_MOST = 0.5  # of the price; what pays out more is no dividend that this can judge
_LEAST = 1e-4  # of the price; less is lost in rounding
_WRONG = ((0.0, "not"), (2.0, "twice"), (100.0, "a hundred times"), (0.01, "by a hundredth of it"))


def mend_dividend(bars: Bars, action: Action) -> None:
    """Bring a dividend into the adjusted closes before it, where they show that it is not, or is wrongly.

    Args:
        bars: written to.
        action: with a dividend.
    """
    factors = bars.factors
    if factors is None:
        return
    rows = np.flatnonzero(np.isfinite(factors))
    at = int(np.searchsorted(bars.stamps[rows], action.begins_us))
    if not 0 < at < rows.size:
        return
    paid = (action.dividend or 0.0) / float(bars.columns["close"][rows[at - 1]])
    step = _middle(factors[rows[max(0, at - _ROWS) : at]]) - _middle(factors[rows[at : at + _ROWS]])
    if not _LEAST < paid < _MOST or abs(step - math.log1p(-paid)) < _SLACK * paid:
        return
    times, said = min(
        ((times, said) for times, said in _WRONG if times * paid < 1),
        key=lambda each: abs(step - _step(each[0], paid)) / max(each[0], 1),
    )
    if abs(step - _step(times, paid)) < _SLACK * max(times, 1) * paid:
        found = rows[:at]
        bars.scale(found, math.exp(math.log1p(-paid) - _step(times, paid)), ("adj_close",))
        bars.note(RULE, found, f"the dividend {action.dividend:g} of {action.day} is {said} in its adj_close")


def _step(times: float, paid: float) -> float:
    """What so many times the dividend makes of adjusted closes, as a logarithm."""
    return 2 * math.log1p(-paid) if times == 2 else math.log1p(-times * paid)


def _middle(values: Floats) -> float:
    return float(np.median(values))
