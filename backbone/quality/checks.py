"""Checks of single rows: what can't be (such rows must not be stored) and what is merely odd (such rows are reported).

Each check is a function from a frame to a mask of its rows; null never counts as wrong except in ``missing_price``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.domain.clock import from_us

__all__ = ["CHECKS", "SEVERITIES", "Finding", "Mask", "RowCheck", "Severity", "label"]

Mask: TypeAlias = NDArray[np.bool_]
Severity: TypeAlias = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""Worst first."""

_BARS = frozenset({Dimension.DAILY_BARS, Dimension.INTRADAY_BARS})
_PRICES = ("open", "high", "low", "close", "price", "bid", "ask")
_SIZES = ("volume", "size", "bid_size", "ask_size")
_NEEDED = ("open", "high", "low", "close", "price")
_ROUNDING = 1e-9


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was found.

    Attributes:
        code: name of the kind of finding, stable, such as ``missing_bars``.
        severity: ``error``, ``warning`` or ``info``.
        count: rows (or bars, or symbols) it concerns.
        message: what was found, in a sentence.
        examples: where, the first few.
    """

    code: str
    severity: Severity
    count: int
    message: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check of single rows.

    Attributes:
        code: of the finding.
        severity: of the finding.
        impossible: such a row must not be stored.
        text: what is wrong with such a row.
        find: from a frame to the mask of such rows.
    """

    code: str
    severity: Severity
    impossible: bool
    text: str
    find: Callable[[Frame], Mask]


def infinite_value(frame: Frame) -> Mask:
    """Rows with an infinite number."""
    doubles = [column for column, kind in frame.dimension.kinds.items() if kind == "double"]
    return _any(frame, doubles, np.isinf)


def non_positive_price(frame: Frame) -> Mask:
    """Rows with a price of zero or less."""
    return _any(frame, _PRICES, lambda values: values <= 0)


def adj_close_not_positive(frame: Frame) -> Mask:
    """Rows whose adjusted close is zero or less, which much paid out since then makes of a sound price."""
    return _any(frame, ("adj_close",), lambda values: values <= 0)


def negative_size(frame: Frame) -> Mask:
    """Rows with a size or volume below zero."""
    return _any(frame, _SIZES, lambda values: values < 0)


def high_below_low(frame: Frame) -> Mask:
    """Bars whose high is below their low."""
    if frame.dimension not in _BARS:
        return _none(frame)
    return np.asarray(frame.column("high") < frame.column("low"))


def missing_price(frame: Frame) -> Mask:
    """Rows that lack a price: any of a bar's four, a trade's, or both sides of a quote."""
    if frame.dimension is Dimension.QUOTES:
        return np.asarray(np.isnan(frame.column("bid")) & np.isnan(frame.column("ask")))
    return _any(frame, _NEEDED, np.isnan)


def no_price(frame: Frame) -> Mask:
    """Rows without the one price that they are about: a bar's close, a trade's price, either side of a quote."""
    if frame.dimension is Dimension.QUOTES:
        return missing_price(frame)
    return _any(frame, ("close", "price"), np.isnan)


def inconsistent_bar(frame: Frame) -> Mask:
    """Bars whose open or close lies outside low to high (where the two are finite, and in order).

    A billionth of the price is no difference: prices that were adjusted or converted differ by so much.
    """
    if frame.dimension not in _BARS:
        return _none(frame)
    high, low = frame.column("high"), frame.column("low")
    first, last = frame.column("open"), frame.column("close")
    outside = np.asarray((high < first) | (high < last) | (low > first) | (low > last))
    if not outside.any():
        return outside
    slack = _ROUNDING * np.maximum(np.abs(high), np.abs(low))
    outside &= (np.fmax(first, last) > high + slack) | (np.fmin(first, last) < low - slack)
    return outside & ~(high < low) & ~infinite_value(frame)


def crossed_quote(frame: Frame) -> Mask:
    """Quotes whose bid is above their ask."""
    if frame.dimension is not Dimension.QUOTES:
        return _none(frame)
    return np.asarray(frame.column("bid") > frame.column("ask"))


CHECKS: tuple[RowCheck, ...] = (
    RowCheck("infinite_value", "error", True, "has an infinite number", infinite_value),
    RowCheck("non_positive_price", "error", True, "has a price of zero or less", non_positive_price),
    RowCheck("negative_size", "error", True, "has a negative size", negative_size),
    RowCheck("high_below_low", "error", True, "has a high below its low", high_below_low),
    RowCheck("no_price", "error", True, "has no price to go by", no_price),
    RowCheck("missing_price", "error", False, "lacks a price", missing_price),
    RowCheck("inconsistent_bar", "error", True, "opens or closes outside its low and high", inconsistent_bar),
    RowCheck("adj_close", "warning", False, "has an adjusted close of zero or less", adj_close_not_positive),
    RowCheck("crossed_quote", "warning", False, "has a bid above its ask", crossed_quote),
)


def label(frame: Frame, row: int) -> str:
    """Name a row by its key, such as ``EURUSD 1h 2018-03-09T16:00:00Z``."""
    key = frame.to_arrow().select(frame.dimension.key).slice(row, 1)
    parts = []
    for name in frame.dimension.key:
        column = key.column(name)
        if name == "ts":
            parts.append(f"{from_us(column[0].value):%Y-%m-%dT%H:%M:%S.%f}".removesuffix(".000000") + "Z")
        else:
            parts.append(str(column[0].as_py()))
    return " ".join(parts)


def _any(frame: Frame, columns: tuple[str, ...] | list[str], wrong: Callable[[NDArray[np.float64]], Mask]) -> Mask:
    found = _none(frame)
    for column in columns:
        if column in frame.dimension.values:
            found |= wrong(frame.column(column))
    return found


def _none(frame: Frame) -> Mask:
    return np.zeros(frame.num_rows, dtype=np.bool_)
