"""Steps of one known size in a series, such as that of 100, and which rows lie off by it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backbone.quality.repairs.bars import Floats, Places, Truths

__all__ = ["Levels", "levels_of"]

Counts = NDArray[np.int64]


class Levels(NamedTuple):
    """On which level rows lie.

    Attributes:
        rows: places of the rows that have a value, ascending.
        level: of each of them, in steps above the first one.
    """

    rows: Places
    level: Counts

    @property
    def flat(self) -> bool:
        """Whether all lie on one level."""
        return not self.rows.size or bool((self.level == self.level[0]).all())

    @property
    def returns(self) -> bool:
        """Whether the series goes back to a level that it has left."""
        begins = np.flatnonzero(np.diff(self.level, prepend=self.level[0] - 1))
        return bool(np.unique(self.level[begins]).size < begins.size)

    def share(self, level: int) -> float:
        """How many of the rows lie on a level."""
        return float((self.level == level).mean())

    def enclosed(self, level: int) -> Truths:
        """Rows off a level that have rows on it both before and after them."""
        on = self.level == level
        return np.asarray(~on & np.logical_or.accumulate(on) & np.logical_or.accumulate(on[::-1])[::-1])


def levels_of(values: Floats, step: float, slack: float) -> Levels:
    """Divide a series into levels.

    Args:
        values: logarithms in the order of time; NaN are passed over.
        step: size of a step, above 0; two at once count as well.
        slack: how far a change may be from a step and count as one.
    """
    rows = np.flatnonzero(np.isfinite(values))
    changes = np.diff(values[rows])
    steps = np.rint(changes / step)
    steps[(np.abs(changes - steps * step) > slack) | (np.abs(steps) > 2)] = 0
    return Levels(rows, np.concatenate(([0], np.cumsum(steps).astype(np.int64)))[: rows.size])
