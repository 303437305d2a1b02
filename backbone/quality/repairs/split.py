"""Bars that a known split is not in, or is in twice.

Bars before a split are in the old shares until a vendor divides their prices by its ratio and multiplies their volume
by it. Where that was not done, prices step by the ratio at the split. A step near its day, and one elsewhere that goes
back again, shows which bars were left out. A file that gives prices as they were traded, with adjusted closes beside
them that do not step, leaves out nothing.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backbone.quality.repairs.bars import PRICES, Bars, Floats, Places, logs
from backbone.sources.actions import Action

__all__ = ["RULE", "mend_split"]

RULE: Final = "split"

_SMALLEST = 0.18  # of a logarithm: a split of less, such as 11 for 10, is not told from a day's move
_NEAR, _NEARER = 10, 3  # rows before and after its day among which it is looked for; where crashes are as large, fewer
_LARGE = math.log(2.2)
_ON_ITS_DAY = 0.4  # of the step: how far the price may have moved besides on the very day
_ELSEWHERE = 0.15
_MOST_ON_ITS_DAY = 0.35
_LEAST_SLACK = 0.02
_SPREADS = 6
_ANYWHERE = math.log(3) - 1e-9  # the smallest step that counts far from its day, and only where it goes back
_LONGEST = 60  # rows that it may take to go back
_ALIKE = 0.3
_FACTORS = 5  # rows whose adjusted closes are looked at on each side

Counts = NDArray[np.int64]


def mend_split(bars: Bars, action: Action) -> None:
    """Bring bars into the shares after a split, where they show that they are not.

    Args:
        bars: written to.
        action: with a split.
    """
    step = math.log(action.split or 1.0)
    if abs(step) < _SMALLEST or len(bars) < 2:
        return
    levels = bars.levels
    rows = np.flatnonzero(np.isfinite(levels))
    at = int(np.searchsorted(bars.stamps[rows], action.begins_us))
    off = _off(levels[rows], _opens(bars, rows), at, step, bars.spread)
    factors = bars.factors
    if off.any() and not (off[0] and _adjusted_beside(factors, rows, at, step)):
        for sign in (1, -1):
            found = rows[off == sign]
            bars.scale(_with_adjusted(factors, rows, off, sign, step), math.exp(-sign * step), ("adj_close",))
            bars.scale(found, math.exp(-sign * step), PRICES)
            bars.scale(found, math.exp(sign * step), ("volume",))
            bars.note(RULE, found, _said(action, sign, "it"))
    elif not off.any() and factors is not None:
        _mend_adjusted(bars, factors, action, step)


def _opens(bars: Bars, rows: Places) -> Floats:
    """By how much each bar opened above the close before, as a logarithm; NaN where it is not known."""
    opened, closed = logs(bars.columns["open"][rows]), logs(bars.columns["close"][rows])
    return np.concatenate(([np.nan], opened[1:] - closed[:-1]))


def _off(levels: Floats, opens: Floats, at: int, step: float, spread: float) -> Counts:
    """Of each row, 1 where the split is not in it, -1 where it is in twice, else 0; all 0 where nothing fits."""
    count = len(levels)
    changes = np.diff(levels, prepend=levels[:1])
    slack = max(_LEAST_SLACK, min(_SPREADS * spread, _ELSEWHERE * abs(step)))
    falls = _falls(changes, step, slack)
    first, end = _window(at, count, step)
    if 0 < at < count and not falls[first:end].any():
        falls[at] = _falls(changes[at : at + 1], step, min(_ON_ITS_DAY * abs(step), _MOST_ON_ITS_DAY))[0]
    off = np.zeros(count, dtype=np.int64)
    if 0 < at < count:
        # who falls by the ratio to the next row is in the shares before, as are all the rows before him
        lacking = np.cumsum(falls[first:end][::-1])[::-1]
        off[first - 1 : end - 1] = lacking
        off[: first - 1] = lacking[0]
        falls[first:end] = 0
    if abs(step) >= _ANYWHERE:
        falls[~(np.abs(opens + falls * step) < _ALIKE * abs(step))] = 0
        off += _gone_and_back(falls)
    return off if np.abs(off).max() == 1 else np.zeros_like(off)


def _window(at: int, count: int, step: float) -> tuple[int, int]:
    """The rows among which a step is that of a split on the day of row `at`."""
    near = _NEAR if abs(step) >= _LARGE else _NEARER
    return max(at - near, 1), min(at + near + 1, count)


def _falls(changes: Floats, step: float, slack: float) -> Counts:
    """1 where prices fall by the step, -1 where they rise by it."""
    down, up = np.abs(changes + step) < slack, np.abs(changes - step) < slack
    return down.astype(np.int64) - up.astype(np.int64)


def _gone_and_back(falls: Counts) -> Counts:
    """The rows between a step and the next one, which undoes it."""
    off = np.zeros_like(falls)
    places = np.flatnonzero(falls).tolist()
    while len(places) > 1:
        here, there = places[:2]
        if falls[here] == -falls[there] and there - here <= _LONGEST:
            off[here:there] = -falls[here]
            places = places[2:]
        else:
            places = places[1:]
    return off


def _adjusted_beside(factors: Floats | None, rows: Places, at: int, step: float) -> bool:
    """Whether the adjusted closes do not step where the closes do: then these are given as they were traded."""
    if factors is None:
        return False
    before, after = _around(factors[rows], at)
    return abs(after - before - step) < _ALIKE * abs(step)


def _around(factors: Floats, at: int) -> tuple[float, float]:
    """The middle of a few values before and after the rows that a split is looked for among; NaN where none are."""
    sides = factors[max(0, at - _NEAR - _FACTORS) : max(0, at - _NEAR)], factors[at + _NEAR : at + _NEAR + _FACTORS]
    if not all(np.isfinite(side).any() for side in sides):
        sides = factors[max(0, at - 1) : at], factors[at : at + 1]
    before, after = (side[np.isfinite(side)] for side in sides)
    return (float(np.median(before)), float(np.median(after))) if before.size and after.size else (np.nan, np.nan)


def _with_adjusted(factors: Floats | None, rows: Places, off: Counts, sign: int, step: float) -> Places:
    """Of the rows that are off, those whose adjusted close is off as well."""
    found = np.flatnonzero(off == sign)
    right = np.flatnonzero(off == 0)
    if factors is None or not right.size:
        return rows[found]
    beside = right[np.minimum(np.searchsorted(right, found), right.size - 1)]
    between = factors[rows[found]] - factors[rows[beside]]
    return rows[found[~(np.abs(between + sign * step) < _ALIKE * abs(step))]]


def _mend_adjusted(bars: Bars, factors: Floats, action: Action, step: float) -> None:
    """Adjusted closes that lack a split which the closes have."""
    rows = np.flatnonzero(np.isfinite(factors))
    at = int(np.searchsorted(bars.stamps[rows], action.begins_us))
    first, end = _window(at, rows.size, step)
    if not 0 < at < rows.size:
        return
    falls = _falls(np.diff(factors[rows], prepend=factors[rows[:1]]), step, _ELSEWHERE * abs(step))
    places = first + np.flatnonzero(falls[first:end] == 1)
    if places.size == 1:
        found = rows[: places[0]]
        bars.scale(found, math.exp(-step), ("adj_close",))
        bars.note(RULE, found, _said(action, 1, "its adj_close"))


def _said(action: Action, sign: int, where: str) -> str:
    ratio = action.split or 1.0
    shown = f"{ratio:g}:1" if ratio >= 1 else f"1:{1 / ratio:g}"
    return f"the split {shown} of {action.day} is {'not' if sign > 0 else 'twice'} in {where}"
