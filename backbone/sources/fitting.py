"""Columns of a file into the types of a dimension, and what is wrong with which of their rows.

Texts are looked at once for each distinct one, and none is unfolded before its length is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backbone.domain import Dimension
from backbone.domain.clock import MAX_US, MIN_US, parse_interval
from backbone.domain.dimension import Kind
from backbone.domain.schema import arrow_type
from backbone.domain.text import LONGEST_TEXT, hidden
from backbone.domain.zones import from_wall_time
from backbone.sources.casting import Mask, cast_by_halves
from backbone.sources.errors import InputInvalid
from backbone.sources.port import EXCERPT_LENGTH
from backbone.sources.text.layout import required_columns

__all__ = ["Fitting", "coded", "text_bytes"]


class Fitting:
    """The columns of one batch.

    Args:
        path: of the file, for messages.
        dimension: what the rows are.
        zone: of times without an offset.

    Attributes:
        faults: what is wrong, and with which rows; the first that fits a row is its reason.
        shown: for each column how its values are shown.
    """

    def __init__(self, path: Path, dimension: Dimension, zone: ZoneInfo | None) -> None:
        self._path = path
        self._dimension = dimension
        self._zone = zone
        self._required = required_columns(dimension)
        self.faults: dict[str, Mask] = {}
        self.shown: dict[str, pa.Array] = {}

    def refuse_types(self, stored: Mapping[str, pa.DataType]) -> None:
        """Refuse columns of foreign types, before any is read.

        Raises:
            InputInvalid: says which.
        """
        for column, given in stored.items():
            kind = self._dimension.kinds[column]
            if not _allowed(kind, given.value_type if pa.types.is_dictionary(given) else given):
                raise InputInvalid(f"{self._path}: column {column} is {given}; {kind} is needed: convert it first")

    def fit(self, column: str, array: pa.Array) -> pa.Array:
        """A column in its final type; what is wrong with it goes to the faults."""
        kind = self._dimension.kinds[column]
        if kind == "string":
            return self._texts(column, coded(array))
        array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
        self.shown[column] = array
        if kind == "timestamp":
            fitted = self._moments(array)
        else:
            array = _without_nan(array) if kind == "int64" else array
            fitted, self.faults[f"{column} does not fit {kind} exactly"] = cast_by_halves(array, arrow_type(kind))
        if kind == "double":
            self.faults[f"{column} is not a finite number"] = _true(pc.is_inf(fitted))
            fitted = pc.if_else(pc.is_nan(fitted), None, fitted)
        if column in self._required:
            self.faults[f"{column} is empty"] = fitted.is_null().to_numpy(zero_copy_only=False)
        return fitted

    def _texts(self, column: str, array: pa.DictionaryArray) -> pa.Array:
        missing = array.is_null().to_numpy(zero_copy_only=False)
        codes = array.indices.fill_null(0).to_numpy()
        entries = array.dictionary
        if len(entries) > len(codes):
            used, codes = np.unique(codes, return_inverse=True)
            entries = entries.take(pa.array(used))
        raw = entries.cast(pa.large_binary())
        heads = pc.binary_slice(raw, 0, LONGEST_TEXT + 1)
        texts: list[str | None] = []
        reasons = [self._read(column, head, texts) for head in heads.to_pylist()]
        if not texts:  # a column of nulls
            texts, reasons, heads = [None], [""], pa.array([b""], pa.large_binary())
        numbers = {"": 0}
        found = np.array([numbers.setdefault(reason, len(numbers)) for reason in reasons])[codes]
        self.faults |= {reason: (found == number) & ~missing for reason, number in numbers.items() if reason}
        if column in self._required:
            empty = self.faults.get(f"{column} is empty", False)
            self.faults[f"{column} is empty"] = missing | empty
        chosen = pa.array(codes, mask=missing)
        self.shown[column] = pa.DictionaryArray.from_arrays(
            chosen.cast(pa.int32()), pc.binary_slice(heads, 0, EXCERPT_LENGTH)
        )
        return pa.array(texts, pa.string()).take(chosen)

    def _read(self, column: str, raw: bytes | None, texts: list[str | None]) -> str:
        """What is wrong with a text, "" for nothing; the text itself, in its final form, is appended."""
        texts.append(None)
        if raw is None or len(raw) > LONGEST_TEXT:
            return "" if raw is None else f"{column} is too long: over {LONGEST_TEXT} bytes"
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return f"{column} is not UTF-8"
        if "\0" in text:
            return f"{column} holds a NUL character"
        if column in self._required and not text.strip():
            return f"{column} is empty"
        if column in self._dimension.key and (found := hidden(text)):
            return f"{column} holds the control or invisible character {found}"
        if column == "interval":
            try:
                text = parse_interval(text)
            except ValueError:
                return "interval is not known"
        texts[-1] = text
        return ""

    def _moments(self, array: pa.Array) -> pa.Array:
        """Timestamps in UTC; a file with finer ones than a microsecond is refused."""
        aware = pa.types.is_timestamp(array.type) and array.type.tz is not None
        missing = array.is_null().to_numpy(zero_copy_only=False)
        cast, failed = self._microseconds(array, pa.timestamp("us", tz="UTC" if aware else None))
        us = cast.cast(pa.int64()).fill_null(0).to_numpy()
        if self._dimension is Dimension.DAILY_BARS:
            self.faults["ts has a time of day; daily bars bear the session's date"] = us % 86_400_000_000 != 0
        elif not aware and self._zone is None:
            raise InputInvalid(f"{self._path}: times have no zone; say which zone they are in (--zone UTC)")
        elif not aware and self._zone is not None:
            utc, ambiguous, nonexistent = from_wall_time(us.astype("datetime64[us]"), self._zone)
            us = utc.astype(np.int64)
            self.faults["ts comes twice when the clocks are set back"] = ambiguous
            self.faults["ts does not exist: the clocks skip it"] = nonexistent
        self.faults["ts lies outside the years 1 to 9999"] = failed | (us < MIN_US) | (us > MAX_US)
        return pa.array(us, mask=missing).cast(pa.timestamp("us", tz="UTC"))

    def _microseconds(self, array: pa.Array, wanted: pa.DataType) -> tuple[pa.Array, Mask]:
        if getattr(array.type, "unit", "") != "ns":
            return cast_by_halves(array, wanted)
        try:
            return array.cast(wanted), np.zeros(len(array), dtype=np.bool_)
        except pa.ArrowInvalid as error:
            raise InputInvalid(
                f"{self._path}: times are finer than a microsecond; round them first: {error}"
            ) from error


def coded(array: pa.Array) -> pa.DictionaryArray:
    """Texts as a dictionary and the places in it."""
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def text_bytes(array: pa.DictionaryArray) -> NDArray[np.int64]:
    """The bytes of each text of a column, as far as they may be stored."""
    lengths = pc.min_element_wise(pc.binary_length(array.dictionary).cast(pa.int64()), LONGEST_TEXT)
    found: NDArray[np.int64] = lengths.take(array.indices).fill_null(0).to_numpy()
    return found


def _allowed(kind: Kind, given: pa.DataType) -> bool:
    types = pa.types
    if kind == "timestamp":
        return bool(types.is_timestamp(given) or types.is_date(given))
    if kind == "string":
        return bool(types.is_string(given) or types.is_large_string(given) or types.is_string_view(given))
    return bool(types.is_integer(given) or types.is_floating(given) or types.is_decimal(given) or types.is_null(given))


def _without_nan(array: pa.Array) -> pa.Array:
    """Whole numbers of which some are missing, as pandas stores them: floats, with NaN for those."""
    if not pa.types.is_floating(array.type):
        return array
    floats = array.cast(pa.float64())
    return pc.if_else(pc.is_nan(floats), None, floats)


def _true(array: pa.Array) -> Mask:
    mask: Mask = array.fill_null(False).to_numpy(zero_copy_only=False)
    return mask
