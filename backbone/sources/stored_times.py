"""Times of columns that have a type: timestamps, dates, numbers since 1970, and texts as in CSV."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backbone.domain.arrays import array_of, scalar_of
from backbone.domain.values import nulls_of, numpy_of
from backbone.domain.zones import load_zone, to_wall_time
from backbone.sources.casting import Mask, cast_by_halves
from backbone.sources.text.placing import TimeForm, placed
from backbone.sources.text.times import Moments, counted, has_time_of_day, moment, moments, recognised

__all__ = ["SAMPLE", "StoredTimes", "dates_alone", "recognised_times", "stored_times"]

_UTC: Final = pa.timestamp("us", tz="UTC")
SAMPLE: Final = 1000
"""Rows by which the form of the times is made out."""
_MOST_REASONS: Final = 16
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)")
_PART: Final = 6


@dataclass(frozen=True, slots=True)
class StoredTimes:
    """The moments of a column.

    Attributes:
        values: ``timestamp[us, UTC]``.
        faults: which can't be placed, by the reason.
        repeated: which the clocks showed twice; they are the first of the two.
        cut: which were finer than a microsecond.
    """

    values: pa.Array
    faults: dict[str, Mask]
    repeated: Mask
    cut: Mask


def recognised_times(array: pa.Array, form: TimeForm) -> TimeForm:
    """The form of a column, made out by its first values.

    Raises:
        ValueError: they can't be read or placed before something is told; says what.
    """
    first = array.slice(0, SAMPLE)
    if pa.types.is_timestamp(first.type) or pa.types.is_date(first.type):
        if form.zone is None and not form.dates and getattr(first.type, "tz", None) is None:
            raise ValueError("times that have no zone; say which zone they are in (--zone UTC)")
        return form
    return recognised((text for text in _texts(first).to_pylist() if text is not None), form)


def dates_alone(array: pa.Array, form: TimeForm) -> list[str | None] | None:
    """Dates as they are written, None for what is none; None in all where some of them have a time of day."""
    if pa.types.is_timestamp(array.type):
        return None
    texts: list[str | None] = _texts(array).to_pylist()
    if pa.types.is_date(array.type):
        return texts
    clocks = [text is not None and has_time_of_day(text, form) for text in texts]
    if any(clocks):
        return None
    return [text if clock is False else None for text, clock in zip(texts, clocks, strict=True)]


def stored_times(array: pa.Array, form: TimeForm) -> StoredTimes:
    """Place the times of a column."""
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        return _stamps(array, form)
    if pa.types.is_integer(array.type) and (form.epochs or form.unit) and form.format is None:
        numbers, beyond = cast_by_halves(array, pa.int64())
        found = counted(numbers, form)
        found = found._replace(failed=found.failed | beyond)
    else:
        found = moments(_texts(array), form)
    return StoredTimes(found.values, _reasons(array, found, form), found.repeated, found.cut)


def _texts(array: pa.Array) -> pa.Array:
    """Numbers as they are written; texts as they are."""
    if not pa.types.is_floating(array.type):
        return array.cast(pa.string())
    numbers = array.cast(pa.float64())
    numbers = pc.if_else(pc.is_finite(numbers), numbers, pa.NA)
    size = pc.if_else(pc.less(pc.abs(numbers), scalar_of(2.0**63)), numbers, pa.NA)
    whole = pc.trunc(size)
    rest = pc.round(pc.multiply(pc.abs(pc.subtract(size, whole)), scalar_of(10.0**_PART)))
    part = pc.utf8_lpad(rest.cast(pa.int64(), safe=False).cast(pa.string()), _PART, "0")
    texts = pc.binary_join_element_wise(whole.cast(pa.int64(), safe=False).cast(pa.string()), part, scalar_of("."))
    return pc.if_else(pc.equal(rest, scalar_of(0.0)), whole.cast(pa.int64(), safe=False).cast(pa.string()), texts)


def _reasons(array: pa.Array, found: Moments, form: TimeForm) -> dict[str, Mask]:
    """What is wrong with those that failed: few different words, none of which has a value in it."""
    faults: dict[str, Mask] = {}
    rows = np.flatnonzero(found.failed)
    for row, text in zip(rows.tolist(), _texts(array.take(array_of(rows))).to_pylist(), strict=True):
        reason = _reason(text or "", form)
        if reason not in faults and len(faults) >= _MOST_REASONS:
            reason = "ts is not a time"
        faults.setdefault(reason, np.zeros(len(array), dtype=np.bool_))[row] = True
    return faults


def _reason(text: str, form: TimeForm) -> str:
    try:
        moment(text, form)
    except ValueError as error:
        return f"ts {str(error).removeprefix(repr(text)).removeprefix(repr(text[:60])).strip()}"
    return "ts is not a time"


def _stamps(array: pa.Array, form: TimeForm) -> StoredTimes:
    """Timestamps and dates; what a zone of the column itself says is its wall clock, for dates."""
    missing = nulls_of(array)
    zone = getattr(array.type, "tz", None)
    us, beyond, cut = _microseconds(array, zone)
    wall = _wall_clock(us, zone) if form.dates and zone is not None else us
    utc, failed, repeated = placed(wall, wall - us, np.full(len(us), zone is not None), form)
    values = array_of(utc, missing=missing).cast(_UTC)
    bad = failed & ~beyond & ~missing
    outside = (utc < form.first) | (utc > form.last)
    other = (
        "ts has a time of day; daily bars bear the session's date"
        if form.dates
        else "ts does not exist: the clocks skip it"
    )
    faults = {f"ts {form.years}": (beyond | (bad & outside)) & ~missing, other: bad & ~outside}
    return StoredTimes(values, faults, repeated & ~failed & ~missing, cut & ~failed & ~missing)


def _microseconds(array: pa.Array, zone: str | None) -> tuple[NDArray[np.int64], Mask, Mask]:
    """Microseconds since 1970, those that are too many, and those that were finer."""
    wanted = pa.timestamp("us", tz=zone)
    none = np.zeros(len(array), dtype=np.bool_)
    if getattr(array.type, "unit", "") == "ns":
        fine = numpy_of(array.cast(pa.int64()), 0)
        return np.floor_divide(fine, 1000), none, fine % 1000 != 0
    cast, beyond = cast_by_halves(array, wanted)
    return numpy_of(cast.cast(pa.int64()), 0), beyond, none


def _wall_clock(us: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """The wall clock of a column's own zone, which is a name or an offset."""
    if match := _OFFSET.fullmatch(zone):
        ahead = timedelta(hours=int(match[2]), minutes=int(match[3])) // timedelta(microseconds=1)
        return us + (-ahead if match[1] == "-" else ahead)
    return to_wall_time(us.astype("datetime64[us]"), load_zone(zone)).astype(np.int64)
