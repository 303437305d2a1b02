"""Plain lines into columns, all at once; rows with a value that does not fit are marked, not judged.

First every column is parsed as what it should be. Only where that fails are texts parsed one column at a time, the ones
that do not fit being found by halving.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from backbone.domain import Dimension
from backbone.domain.clock import MAX_US, MIN_US, parse_interval
from backbone.domain.dimension import Kind
from backbone.domain.schema import arrow_type
from backbone.domain.spreadsheets import unescaped
from backbone.domain.text import LONGEST_TEXT, hidden
from backbone.domain.zones import from_wall_time
from backbone.sources.casting import Mask, cast_by_halves
from backbone.sources.text.layout import Layout, required_columns

__all__ = ["Columns", "has_offset", "parse_columns"]

_AWARE = pa.timestamp("us", tz="UTC")
_NAIVE = pa.timestamp("us")
_CODES = pa.dictionary(pa.int32(), pa.string())
_DAY_US = 86_400_000_000
_OFFSET = r"(?i)(z|:\d\d(\.\d*)?\s*[+-]\d\d(:?\d\d)?)$"
_TIME = r"^\d{4}-[01]\d-[0-3]\d([ T][0-2]\d:[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)?)?$"
_SHAPES = {
    "double": r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$",
    "int64": r"^-?\d+$",
    str(_AWARE): _TIME,
    str(_NAIVE): _TIME,
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Parsed columns by name, and the rows that have a value which does not fit (and stands as null or nonsense)."""

    arrays: dict[str, pa.Array]
    doubtful: Mask


def has_offset(text: str) -> bool:
    """Whether a time names its offset from UTC."""
    return re.search(_OFFSET, text.strip()) is not None


def parse_columns(data: bytes, layout: Layout, dimension: Dimension, zone: ZoneInfo | None) -> Columns:
    """Parse lines that are known to be plain (see `backbone.sources.text.lines.examine`).

    Args:
        data: the lines, each with its line break.
        layout: of the file.
        dimension: what the rows are.
        zone: of times without an offset.
    """
    first = data[: data.find(b"\n")].decode("utf-8").split(layout.delimiter)[layout.positions["ts"]]
    stamp = _AWARE if has_offset(first.strip('" \r')) else _NAIVE
    types = {c: _parse_type(dimension.kinds[c], stamp) for c in layout.positions}
    try:
        table = _read(data, layout, types)
    except pa.ArrowInvalid:
        table = _read(data, layout, dict.fromkeys(types, pa.string()))
    required = required_columns(dimension)
    arrays, doubtful = {}, np.zeros(table.num_rows, dtype=np.bool_)
    for column in layout.positions:
        given = table.column(column).combine_chunks()
        given = given.chunk(0) if isinstance(given, pa.ChunkedArray) else given
        read = unescaped if column in layout.escaped else None
        array, failed = _fit(given, column, dimension, zone, read)
        doubtful |= failed
        if column in required:
            doubtful |= _nulls(array)
        arrays[column] = array
    return Columns(arrays, doubtful)


def _parse_type(kind: Kind, stamp: pa.DataType) -> pa.DataType:
    if kind == "string":
        return _CODES
    return stamp if kind == "timestamp" else arrow_type(kind)


def _read(data: bytes, layout: Layout, types: dict[str, pa.DataType]) -> pa.Table:
    used = {position: column for column, position in layout.positions.items()}
    names = [used.get(n, f"unused {n}") for n in range(layout.fields)]
    return pacsv.read_csv(
        pa.BufferReader(data),
        read_options=pacsv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
        parse_options=pacsv.ParseOptions(delimiter=layout.delimiter),
        convert_options=pacsv.ConvertOptions(
            include_columns=list(types), column_types=types, null_values=[""], strings_can_be_null=True
        ),
    )


def _fit(
    array: pa.Array, column: str, dimension: Dimension, zone: ZoneInfo | None, read: Callable[[str], str] | None
) -> tuple[pa.Array, Mask]:
    """One column in its final type, and which of its values did not fit."""
    kind = dimension.kinds[column]
    if kind == "string":
        return _texts(array, parse_interval if column == "interval" else read, key=column in dimension.key)
    if kind == "timestamp":
        return _moments(array, daily=dimension is Dimension.DAILY_BARS, zone=zone)
    if pa.types.is_string(array.type):
        array, failed = _cast(_trimmed(array), arrow_type(kind))
    else:
        failed = np.zeros(len(array), dtype=np.bool_)
    if kind == "double":
        values = array.to_numpy(zero_copy_only=False)
        failed = failed | (~np.isfinite(values) & ~_nulls(array))
    return array, failed


def _texts(array: pa.Array, normalise: Callable[[str], str] | None, *, key: bool) -> tuple[pa.Array, Mask]:
    """Texts without surrounding blanks; the work is done once per distinct text."""
    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    texts: list[str | None] = []
    for text in coded.dictionary.to_pylist():
        trimmed: str | None = text.strip()
        if normalise is not None and trimmed:
            trimmed = _or_none(normalise, trimmed)
        fits = trimmed and len(trimmed.encode()) <= LONGEST_TEXT and not (key and hidden(trimmed))
        texts.append(trimmed if fits else None)
    found = pa.array(texts, pa.string()).take(coded.indices)
    return found, _nulls(found) & ~_nulls(coded.indices)


def _or_none(normalise: Callable[[str], str], text: str) -> str | None:
    try:
        return normalise(text)
    except ValueError:
        return None


def _moments(array: pa.Array, *, daily: bool, zone: ZoneInfo | None) -> tuple[pa.Array, Mask]:
    if not pa.types.is_string(array.type):
        return _checked(array, np.full(len(array), array.type.tz is not None), daily=daily, zone=zone)
    texts = _trimmed(array)
    aware = pc.match_substring_regex(texts, _OFFSET).fill_null(True).to_numpy(zero_copy_only=False)
    with_offset, failed_aware = _cast(pc.if_else(pa.array(aware), texts, None), _AWARE)
    without, failed_naive = _cast(pc.if_else(pa.array(~aware), texts, None), _NAIVE)
    merged = pc.coalesce(with_offset.cast(pa.int64()), without.cast(pa.int64())).cast(_NAIVE)
    fitted, failed = _checked(merged, aware, daily=daily, zone=zone)
    return fitted, failed | failed_aware | failed_naive


def _checked(array: pa.Array, aware: Mask, *, daily: bool, zone: ZoneInfo | None) -> tuple[pa.Array, Mask]:
    """Moments in UTC. Dates of daily bars stand for themselves; other times without an offset are those of the zone."""
    missing = _nulls(array)
    us = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    failed = np.zeros(len(array), dtype=np.bool_)
    if daily:
        failed |= us % _DAY_US != 0
    elif not aware.all():
        if zone is None:
            failed |= ~aware
        else:
            utc, ambiguous, nonexistent = from_wall_time(us.astype("datetime64[us]"), zone)
            us = np.where(aware, us, utc.astype(np.int64))
            failed |= ~aware & (ambiguous | nonexistent)
    failed |= (us < MIN_US) | (us > MAX_US)
    return pa.array(us, mask=missing).cast(_AWARE), failed & ~missing


def _trimmed(texts: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)


def _cast(texts: pa.Array, wanted: pa.DataType) -> tuple[pa.Array, Mask]:
    """Cast texts; those that do not fit become null and are marked."""
    try:
        return texts.cast(wanted), np.zeros(len(texts), dtype=np.bool_)
    except pa.ArrowInvalid:
        # A glance at the shape finds nearly all misfits at once; looking for each by halving costs more.
        shaped = pc.match_substring_regex(texts, _SHAPES[str(wanted)])
        misshapen: Mask = ~shaped.fill_null(True).to_numpy(zero_copy_only=False)
        array, failed = cast_by_halves(pc.if_else(shaped, texts, None), wanted)
        return array, failed | misshapen


def _nulls(array: pa.Array) -> Mask:
    nulls: Mask = array.is_null().to_numpy(zero_copy_only=False)
    return nulls
