"""Plain lines into columns, all at once; rows with a value that does not fit are marked, not judged.

First every column is parsed as what its first cell looks like. Only where that fails are texts parsed one column at a
time, see `backbone.sources.text.times` and `backbone.sources.text.numbers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from backbone.domain import Dimension
from backbone.domain.arrays import array_of, combined, scalar_of
from backbone.domain.clock import parse_interval
from backbone.domain.schema import arrow_type
from backbone.domain.spreadsheets import unescaped
from backbone.domain.text import LONGEST_TEXT, hidden
from backbone.domain.values import nulls_of, numpy_of
from backbone.sources.casting import Mask
from backbone.sources.corrections import kinds_read
from backbone.sources.remarks import Remarks, may_be_lost
from backbone.sources.text.cells import number_form
from backbone.sources.text.heading import split
from backbone.sources.text.layout import Layout, required_columns
from backbone.sources.text.numbers import MISSING, numbers, wholes
from backbone.sources.text.shapes import evenly
from backbone.sources.text.times import Moments, counted, moments, of_timestamps

__all__ = ["Columns", "parse_columns"]

_AWARE: Final = pa.timestamp("us", tz="UTC")
_NAIVE: Final = pa.timestamp("us")
_CODES: Final = pa.dictionary(pa.int32(), pa.string())
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<offset>Z|[+-]\d\d(:?\d\d)?)?", re.ASCII)
_COUNT: Final = re.compile(r"[1-9]\d{8,18}", re.ASCII)
_NULLS: Final = sorted({each for word in MISSING for each in (word, word.upper(), word.title())} | {"NaN"})


@dataclass(frozen=True, slots=True)
class Columns:
    """What the lines say.

    Attributes:
        arrays: parsed columns by name.
        doubtful: rows that have a value which does not fit (and stands as null or nonsense).
        repeated: rows whose time the clocks showed twice; it is the first of the two.
    """

    arrays: dict[str, pa.Array]
    doubtful: Mask
    repeated: Mask


@dataclass(frozen=True, slots=True)
class _Fitted:
    """One column in its final type, which of its values did not fit, and what else is to be said of them."""

    array: pa.Array
    failed: Mask
    repeated: Mask | None = None
    cut: Mask | None = None


def parse_columns(data: bytes, layout: Layout, dimension: Dimension, remarks: Remarks) -> Columns:
    """Parse lines that are known to be plain (see `backbone.sources.text.lines.examine`).

    Args:
        data: the lines, each with its line break.
        layout: of the file.
        dimension: what the rows are.
        remarks: where cells are counted that are missing now, and times that were cut, of rows that are not doubtful.
    """
    given = _given(data, layout, dimension)
    rows = len(next(iter(given.values())))
    required = required_columns(dimension)
    fitted = {column: _fit(array, column, layout, dimension) for column, array in given.items()}
    doubtful, repeated = np.zeros(rows, dtype=np.bool_), np.zeros(rows, dtype=np.bool_)
    for column, fit in fitted.items():
        if not may_be_lost(column, dimension):
            doubtful |= fit.failed
        if column in required:
            doubtful |= _nulls(fit.array)
        if fit.repeated is not None:
            repeated |= fit.repeated
    arrays = {}
    for column, fit in fitted.items():
        if fit.cut is not None:
            remarks.cut_times(given[column], fit.cut & ~doubtful)
        lost = fit.failed & ~doubtful
        remarks.unread_cells(column, given[column], lost)
        arrays[column] = pc.if_else(array_of(lost), pa.NA, fit.array) if lost.any() else fit.array
    return Columns(arrays, doubtful, repeated)


def _given(data: bytes, layout: Layout, dimension: Dimension) -> dict[str, pa.Array]:
    """The cells of each column: parsed already where that goes, or as they are written."""
    first = [cell.strip() for cell in split(data[: data.find(b"\n")].decode("utf-8"), layout.delimiter)]
    types = {
        place: _parse_type(column, first[place], layout, dimension) if len(places) == 1 else pa.string()
        for column, places in layout.parts.items()
        for place in places
    }
    # Arrow reads 0x10 as 16, which no id of letters and digits means; a letter alone is looked for much faster
    hexadecimal = pa.int64() in types.values() and any(x in data and b"0" + x in data for x in (b"x", b"X"))
    texts = dict.fromkeys(types, pa.string())
    try:
        table = _read(data, layout, texts if hexadecimal else types)
    except pa.ArrowInvalid:
        table = _read(data, layout, texts)
    if not _are_finite(table):
        table = _read(data, layout, texts)
    cells = {place: _whole_column(table.column(str(place))) for place in types}
    return {column: _joined([cells[place] for place in places]) for column, places in layout.parts.items()}


def _are_finite(table: pa.Table) -> bool:
    """Whether all numbers are; where Arrow took a cell for NaN or for endless, its text says whether it is missing."""
    doubles = (column for column in table.columns if pa.types.is_floating(column.type))
    return all(pc.all(pc.is_finite(column), min_count=0).as_py() for column in doubles)


def _parse_type(column: str, first: str, layout: Layout, dimension: Dimension) -> pa.DataType:
    """What a column is parsed as, by its first cell; texts are looked at more closely afterwards."""
    kind, times = kinds_read(dimension)[column], layout.times
    if kind == "string":
        return _CODES
    if kind != "timestamp":
        return pa.string() if kind == "double" and layout.numbers.decimal == "," else arrow_type(kind)
    if times.format or times.dates:
        return pa.string()
    if times.epochs or times.unit:
        return pa.int64() if _COUNT.fullmatch(first) else pa.string()
    match = _ISO.fullmatch(first)
    if match is None:
        return pa.string()
    return _AWARE if match["offset"] else _NAIVE


def _read(data: bytes, layout: Layout, types: dict[int, pa.DataType]) -> pa.Table:
    names = [str(place) for place in range(layout.fields)]
    extra = sorted(layout.extra_missing)
    return pacsv.read_csv(
        pa.BufferReader(data),
        read_options=pacsv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
        parse_options=pacsv.ParseOptions(delimiter=layout.delimiter),
        convert_options=pacsv.ConvertOptions(
            include_columns=[str(place) for place in types],
            column_types={str(place): kind for place, kind in types.items()},
            null_values=[*_NULLS, *extra],
            strings_can_be_null=False,  # a symbol may be called NA
        ),
    )


def _whole_column(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)  # `combine_chunks` copies it
    array = combined(column)
    return array.chunk(0) if isinstance(array, pa.ChunkedArray) else array


def _joined(cells: list[pa.Array]) -> pa.Array:
    """Two cells as one text with a blank between; nothing where either is empty."""
    if len(cells) == 1:
        return cells[0]
    texts = [each if evenly(each) is not None else _trimmed(each) for each in cells]
    return pc.binary_join_element_wise(*texts, scalar_of(" "), null_handling="emit_null")


def _fit(array: pa.Array, column: str, layout: Layout, dimension: Dimension) -> _Fitted:
    """One column in its final type."""
    kind = kinds_read(dimension)[column]
    if kind == "string":
        read = unescaped if column in layout.escaped else None
        return _texts(array, parse_interval if column == "interval" else read, key=column in dimension.key)
    if kind == "timestamp":
        found = _moments(array, layout)
        return _Fitted(found.values, found.failed, found.repeated, found.cut)
    if pa.types.is_string(array.type):
        return _Fitted(*(numbers if kind == "double" else wholes)(array, number_form(layout, column)))
    return _Fitted(array, np.zeros(len(array), dtype=np.bool_))


def _moments(array: pa.Array, layout: Layout) -> Moments:
    if pa.types.is_string(array.type):
        return moments(array, layout.times, _trimmed)
    return (counted if pa.types.is_integer(array.type) else of_timestamps)(array, layout.times)


def _texts(array: pa.Array, normalise: Callable[[str], str] | None, *, key: bool) -> _Fitted:
    """Texts without surrounding blanks; the work is done once per distinct text."""
    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    texts: list[str | None] = []
    empty: list[bool] = []
    for text in coded.dictionary.to_pylist():
        trimmed: str | None = text.strip()
        empty.append(not trimmed)
        if normalise is not None and trimmed:
            trimmed = _or_none(normalise, trimmed)
        fits = trimmed and len(trimmed.encode()) <= LONGEST_TEXT and not (key and hidden(trimmed))
        texts.append(trimmed if fits else None)
    if len(texts) == 1 and not coded.null_count:
        found = pa.repeat(scalar_of(texts[0], pa.string()), len(coded))
    else:
        found = array_of(texts, pa.string()).take(coded.indices)
    if not found.null_count:
        return _Fitted(found, np.zeros(len(found), dtype=np.bool_))
    nothing = _nulls(coded.indices) | np.array([*empty, True])[numpy_of(coded.indices, len(empty))]
    return _Fitted(found, _nulls(found) & ~nothing)


def _or_none(normalise: Callable[[str], str], text: str) -> str | None:
    try:
        return normalise(text)
    except ValueError:
        return None


def _trimmed(texts: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(trimmed, scalar_of("")), pa.NA, trimmed)


def _nulls(array: pa.Array) -> Mask:
    if not array.null_count:
        return np.zeros(len(array), dtype=np.bool_)
    nulls: Mask = nulls_of(array)
    return nulls
