"""Columns of times as matrices of bytes: the rows whose digits stand in the same places are read at once.

Of each such shape one text is looked at by the patterns of `backbone.sources.text.written`; where its parts lie, they
lie in all the others too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain.values import nulls_of
from backbone.sources.casting import Mask
from backbone.sources.text.spelled import DIGITS_BELOW, FINE, PIVOT, unit_of
from backbone.sources.text.written import EPOCH_DIGITS, MONTHS

__all__ = ["Shaped", "evenly", "shaped"]

_LONGEST: Final = 64
_MOST_SHAPES: Final = 64
_ZERO, _NINE = ord("0"), ord("9")
_MOST_DIGITS: Final = 18
_HOLDING: Final[dict[int, type[np.unsignedinteger[Any]]]] = {2: np.uint8, 4: np.uint16, 9: np.uint32, 19: np.uint64}
"""By how many digits a number has at most, what holds it."""
_AT_ONCE: Final = 256
_SECOND_US: Final = 1_000_000
_MONTHS_TO_1970: Final = 1970 * 12

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Rows = NDArray[np.intp]
Places = Rows | slice
"""Rows; a slice of all of them where they are alike."""


@dataclass(slots=True)
class Shaped:
    """What the texts of a column say, row by row; see `backbone.sources.text.spelled.Spelled`.

    Attributes:
        wall: microseconds of the wall clock.
        offset: microseconds that it is ahead of UTC.
        aware: whether the text says so.
        cut: whether it was finer than a microsecond.
        read: whether the row was understood; the others have to be looked at one by one.
    """

    wall: Numbers
    offset: Numbers
    aware: Mask
    cut: Mask
    read: Mask

    @classmethod
    def nothing(cls, rows: int) -> Shaped:
        """Of so many rows, none of which is read yet."""
        none = np.zeros(rows, dtype=np.bool_)
        return cls(np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64), none, none.copy(), none.copy())


def evenly(texts: pa.Array) -> Bytes | None:
    """The bytes of texts that all have their digits in the same places, and the same signs around them.

    None: they do not, one of them is null, or there are blanks around them.
    """
    if texts.null_count or not len(texts):
        return None
    raw, edges = _bytes(texts)
    width = int(edges[1] - edges[0])
    if not 0 < width <= _LONGEST or (np.diff(edges) != width).any():
        return None
    matrix = raw[edges[0] : edges[-1]].reshape(-1, width)
    first = matrix[0].tobytes()
    return matrix if first.isascii() and first == first.strip() and _alike(matrix) else None


def _alike(matrix: Bytes) -> bool:
    """Whether all rows have digits where the first has some, and the same bytes elsewhere."""
    first = matrix[0]
    digit = (first >= _ZERO) & (first <= _NINE)
    least, above = np.where(digit, _ZERO, first).astype(np.uint8), np.where(digit, _NINE - _ZERO, 0).astype(np.uint8)
    many = len(matrix) // _AT_ONCE * _AT_ONCE  # numpy is quick with long rows
    long = matrix[:many].reshape(-1, _AT_ONCE * first.size)
    fits = ((long - np.tile(least, _AT_ONCE)) <= np.tile(above, _AT_ONCE)).all()
    return bool(fits and ((matrix[many:] - least) <= above).all())


def shaped(
    texts: pa.Array, look: Callable[[str], re.Match[str] | None], unit: str | None, even: Bytes | None = None
) -> Shaped:
    """Read a column of texts without surrounding blanks.

    Args:
        texts: strings; null stays unread.
        look: gives the parts of a text.
        unit: of numbers since 1970, where their digits do not tell it.
        even: what `evenly` gave for them.
    """
    found = Shaped.nothing(len(texts))
    for rows, matrix in _matrices(texts) if even is None else [(slice(None), even)]:
        match = look(matrix[0].tobytes().decode("ascii", "replace"))
        if match is None:
            continue
        if "whole" in match.groupdict():
            _count(found, rows, matrix, match, unit)
        else:
            _date(found, rows, matrix, match)
    return found


def _matrices(texts: pa.Array) -> Iterator[tuple[Places, Bytes]]:
    """The rows of each shape, and their bytes."""
    if texts.buffers()[2] is None or not len(texts):
        return
    raw, edges = _bytes(texts)
    lengths = np.diff(edges)
    if texts.null_count:
        lengths[nulls_of(texts)] = 0
    for width in np.unique(lengths).tolist():
        if 0 < width <= _LONGEST:
            yield from _by_shape(np.flatnonzero(lengths == width), raw, edges, width)


def _bytes(texts: pa.Array) -> tuple[Bytes, NDArray[np.int32]]:
    """All bytes of the texts, and where each begins and the last ends."""
    _, edges, data = texts.buffers()
    raw: Bytes = np.frombuffer(data, dtype=np.uint8)
    return raw, np.frombuffer(edges, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]


def _by_shape(
    rows: NDArray[np.intp], raw: Bytes, edges: NDArray[np.int32], width: int
) -> Iterator[tuple[Places, Bytes]]:
    starts = edges[rows]
    if rows.size * width == starts[-1] - starts[0] + width:
        matrix = raw[starts[0] : starts[0] + rows.size * width].reshape(rows.size, width)
    else:
        matrix = raw[starts[:, None] + np.arange(width)]
    shape = np.where(matrix - _ZERO <= _NINE - _ZERO, _ZERO, matrix)
    for _ in range(_MOST_SHAPES):
        alike = (shape == shape[0]).all(axis=1)
        if alike.all():
            yield rows, matrix
            return
        yield rows[alike], matrix[alike]
        rows, matrix, shape = rows[~alike], matrix[~alike], shape[~alike]


def _number(matrix: Bytes, places: list[int]) -> Numbers:
    """The number that the digits at these places make.

    It is counted in as few bytes as hold it: what goes over on the way comes back in the end.
    """
    if not places:
        return np.zeros(len(matrix), dtype=np.int64)
    kind = next(kind for digits, kind in _HOLDING.items() if len(places) <= digits)
    value = matrix[:, places[0]].astype(kind)
    for place in places[1:]:
        value *= 10
        value += matrix[:, place]
    value -= kind(_ZERO * int("1" * len(places)) & int(np.iinfo(kind).max))
    return value.astype(np.int64)


def _part(matrix: Bytes, match: re.Match[str], name: str) -> Numbers | int:
    """One part of all texts; 0 where they do not have it."""
    if name not in match.re.groupindex or match[name] is None:
        return 0
    return _number(matrix, list(range(*match.span(name))))


def _count(found: Shaped, rows: Places, matrix: Bytes, match: re.Match[str], unit: str | None) -> None:
    """Numbers since 1970."""
    whole, part = list(range(*match.span("whole"))), list(range(*match.span("part"))) if match["part"] else []
    if not unit and len(whole) not in EPOCH_DIGITS:
        return
    below = DIGITS_BELOW[unit or unit_of(len(whole))]
    if below >= 0:
        digits, rest, padding = whole + part[:below], part[below:], below - len(part[:below])
    else:
        digits, rest, padding = whole[:below], whole[below:] + part, 0
    if len(digits) + padding > _MOST_DIGITS:
        return
    wall = _number(matrix, digits) * 10**padding
    found.wall[rows] = -wall if match["minus"] == "-" else wall
    found.aware[rows] = True
    found.cut[rows] = (matrix[:, rest] != _ZERO).any(axis=1)
    # a number with zeros before it has fewer digits than places, and so another unit
    found.read[rows] = True if unit else matrix[:, whole[0]] != _ZERO


def _date(found: Shaped, rows: Places, matrix: Bytes, match: re.Match[str]) -> None:
    """Dates, with a time of day or without."""
    groups = match.groupdict()
    year = _part(matrix, match, "year")
    if groups.get("short"):
        short = _part(matrix, match, "short")
        year = short + np.where(short >= PIVOT, 1900, 2000)
    name, half = groups.get("name"), groups.get("half")
    month = MONTHS.index(name[:3].lower()) + 1 if name else _part(matrix, match, "month")
    hour, minute, second = (_part(matrix, match, part) for part in ("hour", "minute", "second"))
    days, fits = _days(np.asarray(year), np.asarray(month), _part(matrix, match, "day"))
    if half:
        fits &= (hour >= 1) & (hour <= 12)
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    fits &= (hour <= 23) & (minute <= 59) & (second <= 59)
    wall = (((days * 24 + hour) * 60 + minute) * 60 + second) * _SECOND_US
    if groups.get("fraction"):
        places = list(range(*match.span("fraction")))
        wall += _number(matrix, places[:FINE]) * 10 ** max(0, FINE - len(places))
        found.cut[rows] = (matrix[:, places[FINE:]] != _ZERO).any(axis=1)
    found.wall[rows] = wall
    found.read[rows] = fits & _ahead(found, rows, matrix, match)


def _days(year: Numbers, month: Numbers, day: Numbers | int) -> tuple[Numbers, Mask]:
    """Days since 1970, and which of the dates exist."""
    fits = (year >= 1) & (month >= 1) & (month <= 12)
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    firsts = _first_days()
    first, following = (firsts.take(months + _MONTHS_TO_1970 + n, mode="clip") for n in (0, 1))
    return first + day - 1, fits & (day >= 1) & (day <= following - first)


@cache
def _first_days() -> Numbers:
    """The first day of each month of the years 0 to 9999 and of the one after, in days since 1970."""
    months = np.arange(-_MONTHS_TO_1970, (10_000 - 1970) * 12 + 1)
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _ahead(found: Shaped, rows: Places, matrix: Bytes, match: re.Match[str]) -> Mask | bool:
    """Set the offsets from UTC; says which are possible."""
    sign = match.groupdict().get("sign")
    found.aware[rows] = bool(sign or match.groupdict().get("zulu"))
    if not sign:
        return True
    hours, minutes, seconds = (_part(matrix, match, f"off_{part}") for part in ("hour", "minute", "second"))
    ahead = (hours * 3600 + minutes * 60 + seconds) * _SECOND_US
    found.offset[rows] = -ahead if sign == "-" else ahead
    possible: Mask = (np.asarray(hours) <= 23) & (np.asarray(minutes) <= 59) & (np.asarray(seconds) <= 59)
    return possible
