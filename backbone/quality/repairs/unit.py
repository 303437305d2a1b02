"""Prices that are a hundred times too large or too small: pence for pounds, cents for rand, yen by the hundred.

No market moves by a hundred and back, so rows that do are mended wherever they stand, and single prices of a bar.
A move by a hundred that stays may be a reverse split. It is taken for a change of the unit only where a market quotes
in hundredths, and where as much was traded as before: a split would have divided the volume by a hundred.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from backbone.quality.repairs.bars import PRICES, Bars, Floats, Places, logs, middles
from backbone.quality.repairs.levels import Levels, levels_of

__all__ = ["RULE", "is_step", "mend_units"]

RULE: Final = "unit"

_STEP = math.log(100)
_SLACK = 0.35  # of a logarithm: a price may move by 40 % between the two rows that a step lies between
_FEWEST_ROWS = 5
_NEARLY_ALL = 0.9
_MOST = 2 / 3
_BESIDE = 20  # rows at each side of a step whose volume is compared
_SAME_VOLUME = math.log(10)
_ROUNDING = 0.01  # of a price: so far may the open or close of a bar lie outside its low and high


def is_step(ratio: float) -> bool:
    """Whether a split of that ratio looks like another unit."""
    return abs(abs(math.log(ratio)) - _STEP) < _SLACK


def mend_units(bars: Bars, *, minor: bool) -> None:
    """Bring the prices of a series to one unit, where they show beyond doubt that they are of two.

    Args:
        bars: written to.
        minor: its market quotes in hundredths, so that of two levels that are both held the higher is the right one.
    """
    together = np.concatenate([bars.columns[name] for name in bars.columns if name != "volume"])
    good = together[np.isfinite(together) & (together > 0)]
    if len(bars) < _FEWEST_ROWS or not good.size or good.max() / good.min() < math.exp(_STEP - _SLACK):
        return
    found = levels_of(bars.levels, _STEP, _SLACK)
    if not found.flat and (right := _right(bars, found, minor=minor)) is not None:
        for level in np.unique(found.level[found.level != right]).tolist():
            rows = found.rows[found.level == level]
            bars.scale(rows, 100.0 ** (right - level), tuple(bars.columns.keys() - {"volume"}))
            bars.note(RULE, rows, _said(level - right, "its prices are"))
    _mend_single(bars)
    _mend_adjusted(bars)


def _right(bars: Bars, found: Levels, *, minor: bool) -> int | None:
    """The level that the others are brought to; None: nothing shows it."""
    held, counts = np.unique(found.level, return_counts=True)
    most = int(held[counts.argmax()])
    if (found.level == most)[[0, -1]].all() and found.share(most) >= (_NEARLY_ALL if minor else _MOST):
        return most
    if not minor or not (found.returns or _traded_as_before(bars, found)):
        return None
    if found.share(most) >= _NEARLY_ALL:
        return most
    return int(max(level for level in held.tolist() if found.share(level) >= 1 - _NEARLY_ALL))


def _traded_as_before(bars: Bars, found: Levels) -> bool:
    """Whether the volume beside each step is about the same on both sides of it."""
    volume = bars.columns.get("volume")
    if volume is None:
        return False
    for step in np.flatnonzero(np.diff(found.level)).tolist():
        sides = (found.rows[max(0, step + 1 - _BESIDE) : step + 1], found.rows[step + 1 : step + 1 + _BESIDE])
        before, after = (_median_of_positive(volume[side]) for side in sides)
        if before is None or after is None or abs(math.log(after / before)) > _SAME_VOLUME:
            return False
    return True


def _median_of_positive(values: Floats) -> float | None:
    good = values[values > 0]
    return float(np.median(good)) if good.size else None


def _mend_single(bars: Bars) -> None:
    """Single prices that are off while those beside them are not, where the bar makes sense without."""
    around = _around(bars.levels)
    off = {name: _steps(logs(bars.columns[name]) - around) for name in PRICES}
    mended = {name: bars.columns[name] * 100.0 ** -off[name] for name in PRICES}
    first, last = mended["open"], mended["close"]
    with np.errstate(invalid="ignore"):
        above = mended["low"] > np.fmin(first, last) * (1 + _ROUNDING)
        below = mended["high"] < np.fmax(first, last) * (1 - _ROUNDING)
    for name in PRICES:
        for sign in (1, -1):
            rows = np.flatnonzero((off[name] == sign) & ~above & ~below)
            bars.scale(rows, 100.0**-sign, (name,))
            bars.note(RULE, rows, _said(sign, f"its {name} is"))


def _steps(off: Floats) -> Floats:
    """1 of what is a hundred times too large, -1 of what is as much too small, else 0."""
    return np.where(np.abs(np.abs(off) - _STEP) < _SLACK, np.sign(off), 0.0)


def _around(levels: Floats) -> Floats:
    """The middle of the levels of each bar and of those next to it."""
    before, after = np.concatenate((levels[:1], levels[:-1])), np.concatenate((levels[1:], levels[-1:]))
    return middles(np.stack((before, levels, after), axis=1))


def _mend_adjusted(bars: Bars) -> None:
    """Adjusted closes that are off by a hundred from what the closes say."""
    factors = bars.factors
    if factors is None:
        return
    found = levels_of(factors, _STEP, _SLACK)
    if found.flat:
        return
    held, counts = np.unique(found.level, return_counts=True)
    most = int(held[counts.argmax()])
    if found.share(most) < _MOST:
        return
    for level in held[held != most].tolist():
        rows: Places = found.rows[(found.level == level) & found.enclosed(most)]
        bars.scale(rows, 100.0 ** (most - level), ("adj_close",))
        bars.note(RULE, rows, _said(level - most, "its adj_close is"))


def _said(off: int, subject: str) -> str:
    share = f"{100**off:,} times" if off > 0 else f"1/{100**-off:,} of"
    return f"{subject} {share} those of other bars"
