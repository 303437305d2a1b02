"""Trades that were cancelled or corrected later, as tapes and vendors say so.

A file may say beside each trade what became of it, in codes or in words:

| code | word | what it is |
|---|---|---|
| 0, 2, none | regular | a trade |
| 1 | | a trade that was corrected later; the correction has its id |
| 7, 8 | error, incorrect, cancelled, busted | a trade that does not count |
| 10, 11 | | the message that takes a trade back, with its id |
| 12 | correction, corrected | the correction, with the id of the trade |

The codes are those of the US consolidated tapes, as NYSE TAQ and Polygon have them; the words are Alpaca's and others'.
A trade that does not count is kept and marked, its conditions end in ``cancelled``: left out, it would go on standing
where it was stored before its cancel was known. A correction takes the place of the trade with its id, and its
conditions end in ``corrected``. Both need an id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain.arrays import array_of, combined
from backbone.domain.dimension import Dimension, Kind
from backbone.domain.fates import CANCELLED, CORRECTED
from backbone.domain.text import LONGEST_TEXT
from backbone.domain.values import nulls_of, numpy_of

__all__ = ["CORRECTION", "WORDS", "Settled", "kinds_read", "settled"]

CORRECTION: Final = "correction"
"""The column of a file of trades that says what became of each."""

_MARKS: Final = ("", CANCELLED, CORRECTED)
_COUNTS, _CANCELLED, _CORRECTED, _UNKNOWN = range(4)
_CODES: Final[Mapping[int, int]] = {
    **dict.fromkeys((0, 1, 2), _COUNTS),
    **dict.fromkeys((7, 8, 10, 11), _CANCELLED),
    12: _CORRECTED,
}
WORDS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("", "none", "null", "nan", "regular", "valid"), _COUNTS),
    **dict.fromkeys(("cancel", "cancelled", "canceled", "cancellation", "cxl", "bust", "busted"), _CANCELLED),
    **dict.fromkeys(("error", "erroneous", "incorrect"), _CANCELLED),
    **dict.fromkeys(("correct", "correction", "corrected"), _CORRECTED),
}
"""Words, in lower case, and what they say of a trade."""
_NUMBER: Final = re.compile(r"(\d{1,3})(?:\.0*)?")
_ITEMS: Final = re.compile(r"\s*[,;|]\s*")
_REASONS: Final = {
    _CANCELLED: "is cancelled, and has no id (sequence) by which its trade is known",
    _CORRECTED: "corrects a trade, and has no id (sequence) by which that is known",
    _UNKNOWN: "correction is not known; known are 0, 1, 2, 7, 8, 10, 11, 12 and words such as cancelled, corrected",
}

Fates = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Settled:
    """Trades, of which each is what it is in the end.

    Attributes:
        table: those that go on, marked where they do not count or stand for others.
        kept: which of the given ones these are.
        reasons: of the others, by row: why.
        cancelled, corrected: how many are marked so.
    """

    table: pa.Table
    kept: Mask
    reasons: Mapping[int, str]
    cancelled: int
    corrected: int


def kinds_read(dimension: Dimension) -> Mapping[str, Kind]:
    """The columns that are read of a file, and their kinds: those of the dimension, and what tells of corrections."""
    return {**dimension.kinds, CORRECTION: "string"} if dimension is Dimension.TRADES else dimension.kinds


def settled(table: pa.Table) -> Settled:
    """Mark trades that were cancelled or corrected, by the column `CORRECTION` and by words among the conditions."""
    fates = np.zeros(table.num_rows, dtype=np.int64)
    if CORRECTION in table.column_names:
        fates = _fates(table.column(CORRECTION), _of_code)
        table = table.drop_columns([CORRECTION])
        if "conditions" not in table.column_names:
            table = table.append_column("conditions", pa.nulls(table.num_rows, pa.string()))
    if "conditions" in table.column_names:
        fates = np.where(fates == _COUNTS, _fates(table.column("conditions"), _of_conditions), fates)
    if not fates.any():
        return Settled(table, np.ones(table.num_rows, dtype=np.bool_), {}, 0, 0)
    nameless = np.ones(table.num_rows, dtype=np.bool_)
    if "sequence" in table.column_names:
        nameless = nulls_of(table.column("sequence"))
    bad = (fates == _UNKNOWN) | ((fates != _COUNTS) & nameless)
    reasons = {row: _REASONS[int(fates[row])] for row in np.flatnonzero(bad).tolist()}
    table, fates = table.filter(array_of(~bad)), fates[~bad]
    counts = np.bincount(fates, minlength=len(_MARKS))
    return Settled(_marked(table, fates), ~bad, reasons, int(counts[_CANCELLED]), int(counts[_CORRECTED]))


def _fates(column: pa.ChunkedArray, fate: Callable[[str], int]) -> Fates:
    """What became of each trade; each distinct text is looked at once."""
    if column.null_count == len(column):
        return np.full(len(column), _COUNTS, dtype=np.int64)
    coded = combined(column).dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    of = np.array([*(fate(text) for text in coded.dictionary.to_pylist()), _COUNTS], dtype=np.int64)
    found: Fates = of[numpy_of(coded.indices, len(of) - 1)]
    return found


def _of_code(text: str) -> int:
    """What a cell of the column says: a code, or a word."""
    if code := _NUMBER.fullmatch(text.strip()):
        return _CODES.get(int(code[1]), _UNKNOWN)
    return WORDS.get(text.strip().casefold(), _UNKNOWN)


def _of_conditions(text: str) -> int:
    """What one of several conditions says: a word by itself, for codes mean something else there."""
    return max(WORDS.get(each, _COUNTS) for each in _ITEMS.split(text.strip().casefold()))


def _marked(table: pa.Table, fates: Fates) -> pa.Table:
    """The trades, whose conditions end in what became of them."""
    if not fates.any():
        return table
    marked = table.column("conditions").to_pylist()
    for row in np.flatnonzero(fates).tolist():
        marked[row] = _with_mark(marked[row], _MARKS[fates[row]])
    return table.set_column(table.column_names.index("conditions"), "conditions", array_of(marked, pa.string()))


def _with_mark(conditions: str | None, mark: str) -> str:
    if not conditions or conditions == mark:
        return mark
    whole = conditions if conditions.endswith(f",{mark}") else f"{conditions},{mark}"
    return whole if len(whole.encode()) <= LONGEST_TEXT else mark
