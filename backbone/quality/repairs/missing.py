"""Prices that are zero or missing while the rest of the bar is there: they are taken from it and from the bars beside.

An open is the close before, within the bar's low and high. A high or low is the outermost of what the bar has. A close
and its adjusted one give each other, where the bars before and after agree on what lies between the two. What a source
has for less than half of its bars it does not have, and nothing is made up.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from backbone.quality.repairs.bars import Bars, Floats, Places, Truths

__all__ = ["RULE", "mend_missing"]

RULE: Final = "missing"

_AGREE = 1e-3  # of a logarithm: so far may adjusted close over close differ before and after
_HALF = 0.5


def mend_missing(bars: Bars) -> None:
    """Fill in prices that are zero or missing; a bar of which the close can't be known is left as it is."""
    gone = {name: _gone(values) for name, values in bars.columns.items() if name != "volume"}
    if not any(missing.any() for missing in gone.values()):
        return
    kept = {name for name, missing in gone.items() if missing.mean() <= _HALF}
    there = ~(gone["open"] & gone["high"] & gone["low"] & gone["close"])
    _mend_closes(bars, gone, kept, there)
    there &= ~_gone(bars.columns["close"])
    if "open" in kept:
        _mend_open(bars, np.flatnonzero(gone["open"] & there))
    for name, outermost in (("high", np.fmax), ("low", np.fmin)):
        if name in kept:
            rows = np.flatnonzero(gone[name] & there)
            first, last = _where_there(bars.columns["open"][rows]), bars.columns["close"][rows]
            bars.columns[name][rows] = outermost(first, last)
            bars.note(RULE, rows, f"its {name} is zero or missing")


def _gone(values: Floats) -> Truths:
    return np.asarray(np.isnan(values) | (values == 0))


def _where_there(values: Floats) -> Floats:
    return np.where(values == 0, np.nan, values)


def _mend_open(bars: Bars, rows: Places) -> None:
    close = _where_there(bars.columns["close"])
    known = np.where(np.isfinite(close), np.arange(len(bars)), -1)
    before = np.concatenate(([-1], np.maximum.accumulate(known)[:-1]))[rows]
    rows, before = rows[before >= 0], before[before >= 0]
    high, low = (_where_there(bars.columns[name][rows]) for name in ("high", "low"))
    bars.columns["open"][rows] = np.fmax(np.fmin(close[before], high), low)
    bars.note(RULE, rows, "its open is zero or missing")


def _mend_closes(bars: Bars, gone: dict[str, Truths], kept: set[str], there: Truths) -> None:
    """Closes and adjusted closes of bars whose neighbours agree on what lies between the two."""
    factors = bars.factors
    if factors is None or "adj_close" not in kept:
        return
    between = np.full(len(bars), np.nan)
    between[1:-1] = np.where(np.abs(factors[2:] - factors[:-2]) < _AGREE, (factors[2:] + factors[:-2]) / 2, np.nan)
    for name, other, sign in (("close", "adj_close", -1), ("adj_close", "close", 1)):
        rows = np.flatnonzero(gone[name] & there & ~gone[other] & np.isfinite(between))
        bars.columns[name][rows] = bars.columns[other][rows] * np.exp(sign * between[rows])
        bars.note(RULE, rows, f"its {name} is zero or missing")
