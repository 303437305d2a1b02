"""Times of texts: a whole column at once, or one by itself, with the same answers.

Numbers count from 1970, in the unit that their digits tell: 9 to 11 are seconds, 12 to 14 milliseconds, 15 to 17
microseconds, 18 to 20 nanoseconds; eight digits are a date. A column is either numbers or dates. What leaves open which
is the day and which the month is not read until the caller says how it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backbone.domain.arrays import array_of
from backbone.domain.clock import MAX_US, MIN_US, from_us
from backbone.domain.values import nulls_of, numpy_of
from backbone.sources.casting import Mask
from backbone.sources.text.placing import FIRST_WALL, LAST_WALL, TimeForm, place, placed
from backbone.sources.text.shapes import Shaped, evenly, shaped
from backbone.sources.text.spelled import DIGITS_BELOW, Spelled, Untold, spelled, unit_of
from backbone.sources.text.written import FINER_DIGITS, Looks, clock_of, find, is_epoch, shape_of

__all__ = [
    "Moment",
    "Moments",
    "TimeForm",
    "counted",
    "has_time_of_day",
    "moment",
    "moments",
    "of_timestamps",
    "recognised",
]

_MOST: Final = 2**63 - 1
_AWARE: Final = pa.timestamp("us", tz="UTC")
_IN_DIGITS: Final[Mapping[int, tuple[str, ...]]] = {
    10: ("%Y%m%d%H",),
    12: ("%Y%m%d%H%M", "%y%m%d%H%M%S"),
    14: ("%Y%m%d%H%M%S",),
    17: ("%Y%m%d%H%M%S%f",),
}
"""How dates with a time of day are written that have as many digits as numbers since 1970."""


class Moment(NamedTuple):
    """A moment.

    Attributes:
        at: in UTC.
        repeated: whether the clocks showed it twice; it is the first of the two.
        cut: whether it was finer than a microsecond.
    """

    at: datetime
    repeated: bool
    cut: bool


class Moments(NamedTuple):
    """The moments of a column.

    Attributes:
        values: ``timestamp[us, UTC]``; null where nothing stands, nonsense where it failed.
        failed: which texts are no moments; `moment` says why.
        repeated: which of them the clocks showed twice; they are the first of the two.
        cut: which were finer than a microsecond.
    """

    values: pa.Array
    failed: Mask
    repeated: Mask
    cut: Mask


def moment(text: str, form: TimeForm) -> Moment:
    """Read one text.

    Raises:
        ValueError: it is no moment, has no offset while the form has no zone, names a local time that the clocks skip,
            has a time of day where dates are meant, or lies outside the form's bounds.
    """
    said = spelled(text.strip(), form.looks)
    if FIRST_WALL <= said.wall <= LAST_WALL:
        us, repeated = place(text, said, form)
        if form.first <= us <= form.last:
            return Moment(from_us(us), repeated, said.cut)
    raise ValueError(f"{text!r} {form.years}")


def moments(
    texts: pa.Array, form: TimeForm, trimmed: Callable[[pa.Array], pa.Array] = pc.utf8_trim_whitespace
) -> Moments:
    """Read a column of strings; the same answers as `moment` gives for each.

    Args:
        texts: as they are written.
        form: of the column.
        trimmed: takes the blanks away that surround them.
    """
    texts = texts.cast(pa.string())
    even = evenly(texts)
    texts = trimmed(texts) if even is None else texts
    found = shaped(texts, partial(find, looks=form.looks), form.unit, even)
    _read_singly(found, texts, form)
    values, failed, repeated = placed(found.wall, found.offset, found.aware, form)
    missing = nulls_of(texts)
    failed = (failed | ~found.read) & ~missing
    return Moments(_stamps(values, missing), failed, repeated & ~failed & ~missing, found.cut & ~failed)


def _read_singly(found: Shaped, texts: pa.Array, form: TimeForm) -> None:
    """Read what stands in no common shape: each distinct text once."""
    rows = np.flatnonzero(~found.read & numpy_of(texts.is_valid()))
    if not rows.size:
        return
    coded = texts.take(array_of(rows)).dictionary_encode()
    said = [_said(text, form) for text in coded.dictionary.to_pylist()]
    codes = numpy_of(coded.indices)
    found.read[rows] = np.array([each is not None for each in said])[codes]
    found.wall[rows] = np.array([each.wall if each else 0 for each in said])[codes]
    found.offset[rows] = np.array([each.offset or 0 if each else 0 for each in said])[codes]
    found.aware[rows] = np.array([each is not None and each.offset is not None for each in said])[codes]
    found.cut[rows] = np.array([each is not None and each.cut for each in said])[codes]


def _said(text: str, form: TimeForm) -> Spelled | None:
    try:
        said = spelled(text, form.looks)
    except ValueError:
        return None
    return said if MIN_US <= said.wall <= MAX_US else None


def of_timestamps(stamps: pa.Array, form: TimeForm) -> Moments:
    """Place timestamps of whole microseconds, with a zone or without."""
    missing = nulls_of(stamps)
    wall = numpy_of(stamps.cast(pa.int64()), 0)
    us, failed, repeated = placed(wall, 0, np.full(len(wall), stamps.type.tz is not None), form)
    return Moments(_stamps(us, missing), failed & ~missing, repeated & ~failed & ~missing, np.zeros_like(missing))


def counted(given: pa.Array, form: TimeForm) -> Moments:
    """Place whole numbers since 1970, each by its digits or all by the form's unit; as `moment` does their texts."""
    missing = nulls_of(given)
    numbers = numpy_of(given, 0)
    size = np.abs(numbers)
    least, most = (int(size.min()), int(size.max())) if size.size else (0, 0)
    wall, cut, read = np.zeros_like(numbers), np.zeros_like(missing), np.zeros_like(missing)
    for unit, below in DIGITS_BELOW.items():
        first, last = _span_of(unit, below, form)
        if last < least or first > most:
            continue
        here = (size >= first) & (size <= last)
        wall = np.where(here, numbers * 10**below if below >= 0 else np.sign(numbers) * (size // 10**-below), wall)
        if below < 0:
            cut |= here & (size % 10**-below != 0)
        read |= here
    us, failed, repeated = placed(wall, 0, np.ones_like(missing), form)
    failed = (failed | ~read) & ~missing
    return Moments(_stamps(us, missing), failed, repeated, cut & ~failed & ~missing)


def _span_of(unit: str, below: int, form: TimeForm) -> tuple[int, int]:
    """The first and the last number that counts in a unit; where none does, the first is above the last."""
    if form.unit == unit:
        return 0, _MOST // 10 ** max(0, below) - 1
    if form.unit is not None or (form.finer and unit == "s"):
        return 1, 0
    return 10 ** (14 - below), min(_MOST, 10 ** (17 - below) - 1)


def _stamps(us: NDArray[np.int64], missing: Mask) -> pa.Array:
    return array_of(us, missing=missing if missing.any() else None).cast(_AWARE)


def recognised(texts: Iterable[str], form: TimeForm) -> TimeForm:
    """The form of a column, made out by some of its texts: numbers or dates, and how long clocks without colons are.

    Raises:
        ValueError: they can't be read or placed before their format, their unit or their zone is told; says which.
    """
    looks = form.looks
    said: list[tuple[str, Spelled]] = []
    untold: list[Untold] = []
    for text in filter(None, (each.strip() for each in texts)):
        try:
            said.append((text, spelled(text, looks)))
        except Untold as error:
            untold.append(error)
        except ValueError:
            continue
    if len(untold) > len(said):
        raise untold[0]
    naive = [text for text, each in said if each.offset is None]
    if naive and len(naive) == len(said) and form.zone is None and not form.dates:
        raise ValueError(
            f"times without an offset from UTC, such as {naive[0]!r}; say which zone they are in "
            "(--zone UTC, --zone America/New_York)"
        )
    if not said or form.format:
        return form
    numbers = [text for text, _ in said if is_epoch(text)]
    finer = sum(len(text.partition(".")[0].strip("+-")) in FINER_DIGITS for text in numbers)
    _refuse_dates_in_digits(numbers, form)
    clock = _clock((text for text, _ in said), form.looks)
    return replace(form, epochs=2 * len(numbers) > len(said), finer=2 * finer > len(numbers), clock=clock)


def _clock(texts: Iterable[str], looks: Looks) -> Literal["four", "six"] | None:
    """How many digits times of day without colons have in most of these texts, which are moments."""
    found: Counter[Literal["four", "six"]] = Counter()
    for shape, count in Counter(map(shape_of, texts)).items():
        match = find(shape, looks)
        clock = None if match is None else clock_of(match)
        if clock is not None:
            found[clock] += count
    return found.most_common(1)[0][0] if found else None


def _refuse_dates_in_digits(numbers: Sequence[str], form: TimeForm) -> None:
    """Refuse numbers since 1970 each of which may be the digits of a date and a time of day just as well.

    Raises:
        ValueError: there are some, and their unit is not told; says what to tell.
    """
    digits = [text.partition(".")[0] for text in numbers]
    if form.unit is not None or not digits:
        return
    for written in _IN_DIGITS.get(len(digits[0]), ()):
        if all(_is_written(text, written, form) for text in digits):
            raise ValueError(
                f"{numbers[0]!r} leaves open whether it is a date and a time of day or a number since 1970; say "
                f"--time-format {written} or --time-unit {unit_of(len(digits[0]))}"
            )


def _is_written(text: str, written: str, form: TimeForm) -> bool:
    try:
        wall = spelled(text, Looks(format=written)).wall
    except ValueError:
        return False
    return form.first <= wall <= form.last


def has_time_of_day(text: str, form: TimeForm) -> bool | None:
    """Whether a text says more than a date, be it midnight; None where it is no moment."""
    match = find(text.strip(), form.looks)
    return None if match is None else bool({"whole", "hour"} & match.groupdict().keys())
