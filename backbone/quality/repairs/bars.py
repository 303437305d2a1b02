"""The bars of one series as arrays that the rules write to, with what they did and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRICES", "Bars", "Floats", "Mended", "Places", "Truths", "logs", "middles"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Truths = NDArray[np.bool_]

PRICES: Final = ("open", "high", "low", "close")


class Mended(NamedTuple):
    """What a rule found wrong: which rows, and why, in a sentence without its subject."""

    rule: str
    rows: Places
    why: str


@dataclass
class Bars:
    """Bars of one series in the order of time.

    Attributes:
        symbol: whose they are.
        stamps: their moments, microseconds since 1970, ascending.
        columns: their numbers by name, NaN where there is none; rules write to them.
        mended: what the rules did, in their order.
    """

    symbol: str
    stamps: NDArray[np.int64]
    columns: dict[str, Floats]
    mended: list[Mended] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def levels(self) -> Floats:
        """The logarithm of the middle of each bar's prices; NaN where it has none above zero."""
        return middles(np.stack([logs(self.columns[name]) for name in PRICES], axis=1))

    @property
    def factors(self) -> Floats | None:
        """The logarithm of adjusted close over close; None: there is no adjusted close at all."""
        adjusted = self.columns.get("adj_close")
        if adjusted is None or not np.isfinite(adjusted).any():
            return None
        return logs(adjusted) - logs(self.columns["close"])

    @cached_property
    def spread(self) -> float:
        """How far returns lie from their median as a rule: a standard deviation that no fault of a few rows moves."""
        levels = self.levels
        returns = np.diff(levels[np.isfinite(levels)])
        moves = returns[returns != 0]
        return float(1.4826 * np.median(np.abs(moves - np.median(moves)))) if moves.size else 0.0

    def scale(self, rows: Places, by: float | Floats, names: tuple[str, ...] = PRICES) -> None:
        """Multiply columns of some rows."""
        for name in names:
            if name in self.columns:
                self.columns[name][rows] *= by

    def note(self, rule: str, rows: Places, why: str) -> None:
        """Say what was wrong with some rows."""
        if rows.size:
            self.mended.append(Mended(rule, rows, why))


def logs(values: Floats) -> Floats:
    """Logarithms; NaN of what is missing, infinite, or not above zero."""
    found = np.full(values.shape, np.nan)
    np.log(values, out=found, where=np.isfinite(values) & (values > 0))
    return found


def middles(values: Floats) -> Floats:
    """The median of each row without its NaN; NaN of a row that has nothing else."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    there = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(len(ordered))
    return np.asarray((ordered[rows, np.maximum(there - 1, 0) // 2] + ordered[rows, there // 2]) / 2)
