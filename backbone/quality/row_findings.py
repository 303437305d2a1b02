"""Findings of checks that look at single rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from backbone.domain import Frame
from backbone.quality.checks import CHECKS, Finding, Mask, Severity, label
from backbone.quality.coverage import Series
from backbone.quality.screening import Screening

__all__ = ["row_findings", "tick_findings"]

_EXAMPLES = 5
_PRICES = ("open", "high", "low", "close", "price", "bid", "ask")
_OFF = 1e-6  # of a tick; a price in binary is off by less


def row_findings(frame: Frame, rules: Screening, wrong: Mask, odd: Mask) -> Iterator[Finding]:
    """Findings of the checks of single rows; the rows they concern are added to the masks.

    What is allowed by the rules is mentioned, and counts for nothing where the symbol is known to be of that kind.
    """
    for check in CHECKS:
        found, allowed = rules.divide(check, frame)
        if found.any():
            mask = wrong if check.severity == "error" else odd
            np.logical_or(mask, found, out=mask)
            yield _finding(frame, check.code, check.severity, check.text, found)
        if allowed.any() and check.code == "inconsistent_bar":
            np.logical_or(odd, allowed, out=odd)
            yield _finding(frame, check.code, "warning", check.text, allowed)
        elif allowed.any():
            yield _finding(frame, f"{check.code}_allowed", "info", f"{check.text}, as such symbols may", allowed)


def tick_findings(
    frame: Frame, parts: Sequence[Series], tick_of: Callable[[str], float | None], odd: Mask
) -> Iterator[Finding]:
    """Rows with a price that is no multiple of the tick of its symbol; they are added to the mask."""
    off = np.zeros(frame.num_rows, dtype=np.bool_)
    columns = [name for name in _PRICES if name in frame.dimension.values]
    for one in parts if columns else ():
        tick = tick_of(one.symbol)
        if tick is not None:
            own = slice(one.first, one.last)
            off[own] = np.logical_or.reduce([_is_off(frame.column(name)[own], tick) for name in columns])
    if off.any():
        np.logical_or(odd, off, out=odd)
        yield _finding(frame, "off_tick", "warning", "has a price that is no multiple of the tick", off)


def _is_off(prices: NDArray[np.float64], tick: float) -> Mask:
    steps = prices / tick
    return np.asarray(np.abs(steps - np.round(steps)) > np.maximum(_OFF, np.abs(steps) * 1e-12))


def _finding(frame: Frame, code: str, severity: Severity, text: str, found: Mask) -> Finding:
    rows = np.flatnonzero(found)
    return Finding(
        code=code,
        severity=severity,
        count=rows.size,
        message=f"{rows.size:,} of {frame.num_rows:,} rows: each {text}",
        examples=tuple(label(frame, row) for row in rows[:_EXAMPLES].tolist()),
    )
