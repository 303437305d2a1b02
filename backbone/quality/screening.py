"""Keeping impossible rows out of the store."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from backbone.domain import Frame
from backbone.domain.text import excerpt
from backbone.quality.checks import CHECKS, Mask, label

__all__ = ["Rejected", "impossible", "rejected_row", "screen"]

_EXCERPT = 200
_MARK_BYTES = 4


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that can't be true; has the same attributes as a bad row of a source.

    Attributes:
        location: its key and a mark of its values, such as ``EURUSD 1h 2018-03-09T16:00:00Z #5f0c2a17``: bad rows are
            kept once for each location, and another value is another bad row.
        reason: what is impossible about it.
        excerpt: its values, at most 200 characters.
    """

    location: str
    reason: str
    excerpt: str


def screen(frame: Frame) -> tuple[Frame, tuple[Rejected, ...]]:
    """Divide a frame into rows that may be stored and rows that can't be true.

    Impossible are: infinite numbers, prices of zero or less, negative sizes, a high below the low, and a row without
    the price that it is about (close, price, either side of a quote), as in files. What is merely odd
    stays; `backbone.quality.report.assess` reports it.

    Returns:
        The good rows (the same frame, when all are) and the rejected ones in the frame's order.
    """
    masks = {check.text: check.find(frame) for check in CHECKS if check.impossible}
    wrong = np.logical_or.reduce(list(masks.values()))
    if not wrong.any():
        return frame, ()
    table = frame.to_arrow()
    rejected = []
    for row in np.flatnonzero(wrong).tolist():
        reason = "; ".join(text for text, mask in masks.items() if mask[row])
        rejected.append(rejected_row(frame, row, reason))
    good = table.filter(pa.array(~wrong))
    return Frame.of_known(frame.dimension, good), tuple(rejected)


def impossible(frame: Frame) -> Mask:
    """Which rows can't be true; the frame may be a stacked one."""
    wrong: Mask = np.logical_or.reduce([check.find(frame) for check in CHECKS if check.impossible])
    return wrong


def rejected_row(frame: Frame, row: int, reason: str) -> Rejected:
    """A row of a frame that is kept aside, as it is shown."""
    values = frame.to_arrow().select(frame.dimension.values).slice(row, 1).to_pylist()[0]
    shown = " ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    mark = blake2b(shown.encode(), digest_size=_MARK_BYTES).hexdigest()
    return Rejected(f"{label(frame, row)} #{mark}", reason, excerpt(shown, _EXCERPT))
