"""Bars that a source gives wrongly in a way that the bars themselves show: which, why, and what they should be.

The rules stand in `backbone.quality.repairs`, one file for each; every one is off until settings say otherwise. They
look at whole series, so what becomes of a bar does not depend on where chunks end, and the same bars give the same
again. A rule that is on either mends what it finds or has it kept aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.domain.arrays import combined
from backbone.domain.values import numpy_of
from backbone.quality.repairs import dividend, missing, split, unit
from backbone.quality.repairs.bars import Bars, Floats, Places, Truths
from backbone.settings.sections.repair import Remedy
from backbone.sources.actions import Actions

__all__ = ["REPAIRABLE", "Found", "Remedies", "find"]

REPAIRABLE: Final = frozenset({Dimension.DAILY_BARS, Dimension.INTRADAY_BARS})
"""Dimensions that rules look at: ticks are never mended."""

_NOWHERE: Final[Places] = np.zeros(0, dtype=np.intp)
_DIGITS: Final = 12  # what is multiplied by a hundred or divided by a ratio is not exact beyond
_SAME: Final = 1e-9  # a billionth of a price is no repair


def _never(_symbol: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Remedies:
    """What is done about what, and what is known besides the bars.

    Attributes:
        unit, split, dividend, missing: what is done about rows that the rule finds.
        minor: whether a symbol is quoted in hundredths of its currency.
        nonpositive: whether the prices of a symbol may be zero or less; such series are left alone.
        actions: the splits and dividends that are known.
    """

    unit: Remedy = "off"
    split: Remedy = "off"
    dividend: Remedy = "off"
    missing: Remedy = "off"
    minor: Callable[[str], bool] = _never
    nonpositive: Callable[[str], bool] = _never
    actions: Actions = field(default_factory=Actions)

    @property
    def rules(self) -> dict[str, Remedy]:
        """What is done about rows, by rule."""
        return {name: getattr(self, name) for name in (unit.RULE, split.RULE, dividend.RULE, missing.RULE)}


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that rules found.

    Attributes:
        rows: their places among those given, ascending.
        values: what their columns should hold, by column, NaN for null.
        rules: the rules that found them, with commas between them.
        why: what is wrong with each.
        aside: of which rows a rule wants that they are kept aside.
    """

    rows: Places
    values: dict[str, Floats]
    rules: list[str]
    why: list[str]
    aside: Truths

    def moved(self, places: Places) -> Found:
        """The same rows by other places: where each of those that were looked at lies."""
        return replace(self, rows=places[self.rows])

    def without_others(self) -> Found:
        """Those of the rows that have a place: others were only looked at."""
        own = self.rows >= 0
        kept = np.flatnonzero(own).tolist()
        return Found(
            self.rows[own],
            {name: values[own] for name, values in self.values.items()},
            [self.rules[place] for place in kept],
            [self.why[place] for place in kept],
            self.aside[own],
        )

    @staticmethod
    def joined(parts: Sequence[Found]) -> Found:
        """What was found in several parts of the same rows; at least one is given."""
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows)
        rules, why = ([text for part in parts for text in getattr(part, name)] for name in ("rules", "why"))
        return Found(
            rows[order],
            {name: np.concatenate([part.values[name] for part in parts])[order] for name in parts[0].values},
            [rules[place] for place in order.tolist()],
            [why[place] for place in order.tolist()],
            np.concatenate([part.aside for part in parts])[order],
        )


def find(frame: Frame, remedies: Remedies) -> Found:
    """Look for rows that are wrong.

    Args:
        frame: bars, in any order; whole series of them.
        remedies: which rules are on.
    """
    names = [name for name, kind in frame.dimension.kinds.items() if kind == "double"]
    columns = {name: frame.column(name) for name in names}
    none = Found(_NOWHERE, {name: values[:0] for name, values in columns.items()}, [], [], _NOWHERE.astype(np.bool_))
    parts = [_of_series(bars, own, columns, remedies) for bars, own in _series(frame, columns)]
    return Found.joined([none, *(part for part in parts if part.rows.size)])


def _series(frame: Frame, columns: dict[str, Floats]) -> Iterator[tuple[Bars, Places]]:
    """Each series with the places of its rows; of bars of one moment the later one stands behind."""
    table = frame.to_arrow()
    symbols, names = _coded(table.column("symbol"))
    keys = [symbols] + ([_coded(table.column("interval"))[0]] if "interval" in frame.dimension.key else [])
    stamps = frame.column("ts").astype(np.int64)
    order = np.lexsort((stamps, *keys[::-1]))
    changed = np.logical_or.reduce([np.diff(key[order], prepend=-1) != 0 for key in keys])
    begins = np.flatnonzero(changed)
    for first, last in zip(begins.tolist(), [*begins[1:].tolist(), len(order)], strict=True):
        own = order[first:last]
        yield Bars(names[symbols[own[0]]], stamps[own], {name: values[own] for name, values in columns.items()}), own


def _coded(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    codes = combined(column).dictionary_encode()
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    return numpy_of(codes.indices).astype(np.int64), codes.dictionary.to_pylist()


def _of_series(bars: Bars, own: Places, columns: dict[str, Floats], remedies: Remedies) -> Found:
    if remedies.nonpositive(bars.symbol):
        return _changed(bars, own, columns, remedies)
    actions = remedies.actions.of(bars.symbol)
    hundredfold = any(action.split and unit.is_step(action.split) for action in actions)
    if remedies.unit != "off":
        unit.mend_units(bars, minor=remedies.minor(bars.symbol) and not hundredfold)
    for action in reversed(actions):
        if remedies.split != "off" and action.split is not None:
            split.mend_split(bars, action)
    for action in actions:
        if remedies.dividend != "off" and action.dividend is not None:
            dividend.mend_dividend(bars, action)
    if remedies.missing != "off":
        missing.mend_missing(bars)
    return _changed(bars, own, columns, remedies)


def _changed(bars: Bars, own: Places, columns: dict[str, Floats], remedies: Remedies) -> Found:
    """The rows of a series whose values rules have changed."""
    cells = {name: _differs(values, columns[name][own]) for name, values in bars.columns.items() if bars.mended}
    differs = np.logical_or.reduce([np.zeros(len(bars), dtype=np.bool_), *cells.values()])
    for name, changed in cells.items():
        bars.columns[name][changed] = [float(f"{value:.{_DIGITS}g}") for value in bars.columns[name][changed].tolist()]
    places = np.flatnonzero(differs)
    told = _told(bars, differs)
    wanted = {rule for rule, remedy in remedies.rules.items() if remedy == "quarantine"}
    return Found(
        own[places],
        {name: np.where(cells[name], values, columns[name][own])[places] for name, values in bars.columns.items()}
        if places.size
        else {name: values[:0] for name, values in bars.columns.items()},
        [",".join(each) for each in told],
        ["; ".join(each.values()) for each in told],
        np.array([not wanted.isdisjoint(each) for each in told], dtype=np.bool_),
    )


def _differs(values: Floats, given: Floats) -> Truths:
    with np.errstate(invalid="ignore"):
        near = np.abs(values - given) <= _SAME * np.abs(given)
    return np.asarray(~(near | (values == given) | (np.isnan(values) & np.isnan(given))))


def _told(bars: Bars, differs: Truths) -> list[dict[str, str]]:
    """What rules said of each row that differs, by rule."""
    slots = np.cumsum(differs) - 1
    told: list[dict[str, str]] = [{} for _ in range(int(differs.sum()))]
    for rule, rows, why in bars.mended:
        for slot in slots[rows[differs[rows]]].tolist():
            earlier = told[slot].get(rule)
            told[slot][rule] = why if earlier is None else f"{earlier}; {why}"
    return told
