"""Keeping impossible rows out of the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from backbone.domain import Frame
from backbone.domain.arrays import array_of, combined
from backbone.domain.codec import encode
from backbone.domain.text import excerpt
from backbone.domain.values import numpy_of
from backbone.quality.checks import CHECKS, Mask, RowCheck, label

__all__ = ["STRICT", "Rejected", "Screening", "impossible", "rejected_row", "screen"]

_EXCERPT = 200
_MARK_BYTES = 4
_OUTSIDE = next(check.text for check in CHECKS if check.code == "inconsistent_bar")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that can't be true; has the same attributes as a bad row of a source.

    Attributes:
        location: its key and a mark of its values, such as ``EURUSD 1h 2018-03-09T16:00:00Z #5f0c2a17``: bad rows are
            kept once for each location, and another value is another bad row.
        reason: what is impossible about it.
        excerpt: its values, at most 200 characters.
        payload: the row whole, as a frame of its own in the columnar codec, so that it can be judged again.
    """

    location: str
    reason: str
    excerpt: str
    payload: bytes = b""


def _never(_symbol: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Screening:
    """What may be stored although it looks impossible.

    Attributes:
        may_be_nonpositive: whether the prices of a symbol may be zero or less.
        inconsistent_bars: whether bars may open or close outside their low and high.
    """

    may_be_nonpositive: Callable[[str], bool] = _never
    inconsistent_bars: bool = False

    def divide(self, check: RowCheck, frame: Frame) -> tuple[Mask, Mask]:
        """The rows that a check finds: those that count, and those that are allowed here."""
        found = check.find(frame)
        nothing = np.zeros_like(found)
        if check.code == "inconsistent_bar" and self.inconsistent_bars:
            return nothing, found
        if check.code != "non_positive_price" or not found.any():
            return found, nothing
        allowed = found & _of_symbols(frame, found, self.may_be_nonpositive)
        return found & ~allowed, allowed


STRICT = Screening()
"""Nothing of the kind may be stored."""


def _of_symbols(frame: Frame, rows: Mask, wanted: Callable[[str], bool]) -> Mask:
    """Which of these rows are of symbols that are wanted; each symbol is asked for once."""
    names = frame.to_arrow().column(frame.dimension.partition_column).filter(array_of(rows))
    codes = combined(names).dictionary_encode()
    answers = np.array([wanted(symbol) for symbol in codes.dictionary.to_pylist()], dtype=np.bool_)
    found = np.zeros(frame.num_rows, dtype=np.bool_)
    found[rows] = answers[numpy_of(codes.indices)]
    return found


def screen(frame: Frame, rules: Screening = STRICT) -> tuple[Frame, tuple[Rejected, ...]]:
    """Divide a frame into rows that may be stored and rows that can't be true.

    Impossible are: infinite numbers, prices of zero or less, negative sizes, a high below the low, an open or close
    outside the two, and a row without the price that it is about (close, price, either side of a quote), as in files.
    What is merely odd stays; `backbone.quality.report.assess` reports it.

    Args:
        frame: rows.
        rules: what may be stored all the same.

    Returns:
        The good rows (the same frame, when all are) and the rejected ones in the frame's order.
    """
    masks = {check.text: rules.divide(check, frame)[0] for check in CHECKS if check.impossible}
    wrong = np.logical_or.reduce(list(masks.values()))
    if not wrong.any():
        return frame, ()
    table = frame.to_arrow()
    rejected = []
    for row in np.flatnonzero(wrong).tolist():
        reasons = [text for text, mask in masks.items() if mask[row]]
        # a price that can't be lies outside the others as well, which would only repeat it
        told = [text for text in reasons if text != _OUTSIDE] or reasons
        rejected.append(rejected_row(frame, row, "; ".join(told)))
    good = table.filter(array_of(~wrong))
    return Frame.of_known(frame.dimension, good), tuple(rejected)


def impossible(frame: Frame, rules: Screening = STRICT) -> Mask:
    """Which rows can't be true; the frame may be a stacked one."""
    wrong: Mask = np.logical_or.reduce([rules.divide(check, frame)[0] for check in CHECKS if check.impossible])
    return wrong


def rejected_row(frame: Frame, row: int, reason: str) -> Rejected:
    """A row of a frame that is kept aside, as it is shown."""
    values = frame.to_arrow().select(frame.dimension.values).slice(row, 1).to_pylist()[0]
    shown = " ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    mark = blake2b(shown.encode(), digest_size=_MARK_BYTES).hexdigest()
    return Rejected(f"{label(frame, row)} #{mark}", reason, excerpt(shown, _EXCERPT), encode(frame.slice(row, 1)))
