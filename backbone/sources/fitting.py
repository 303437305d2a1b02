"""Columns of a file into the types of a dimension, and what is wrong with which of their rows.

Texts are looked at once for each distinct one, and none is unfolded before its length is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backbone.domain import Dimension
from backbone.domain.arrays import array_of, scalar_of
from backbone.domain.clock import parse_interval
from backbone.domain.dimension import Kind
from backbone.domain.schema import arrow_type
from backbone.domain.text import LONGEST_TEXT, hidden
from backbone.domain.values import nulls_of, numpy_of
from backbone.sources.casting import Mask, cast_by_halves
from backbone.sources.corrections import CORRECTION, kinds_read
from backbone.sources.errors import InputInvalid
from backbone.sources.port import EXCERPT_LENGTH
from backbone.sources.remarks import Remarks, may_be_lost
from backbone.sources.stored_times import stored_times
from backbone.sources.text.layout import required_columns
from backbone.sources.text.placing import TimeForm

__all__ = ["Fitting", "coded", "is_text", "text_bytes"]


class Fitting:
    """The columns of one batch.

    Args:
        path: of the file, for messages.
        dimension: what the rows are.
        times: how the times are written.

    Attributes:
        faults: what is wrong, and with which rows; the first that fits a row is its reason.
        lost: cells that can't be read and are missing now, by column, for no row is lost over them.
        cut: times that were finer than a microsecond.
        repeated: times that the clocks showed twice; they are the first of the two.
        shown: for each column how its values are shown.
    """

    def __init__(self, path: Path, dimension: Dimension, times: TimeForm) -> None:
        self._path = path
        self._dimension = dimension
        self._times = times
        self._required = required_columns(dimension)
        self.faults: dict[str, Mask] = {}
        self.lost: dict[str, Mask] = {}
        self.cut: Mask | None = None
        self.repeated: Mask | None = None
        self.shown: dict[str, pa.Array] = {}

    def foreign(self, stored: Mapping[str, pa.DataType]) -> dict[str, str]:
        """The columns of foreign types, which are not read, each with the reason.

        Raises:
            InputInvalid: one of them is needed; says which.
        """
        reasons = {}
        for column, given in stored.items():
            kind = kinds_read(self._dimension)[column]
            if _allowed(column, kind, given.value_type if pa.types.is_dictionary(given) else given):
                continue
            if not may_be_lost(column, self._dimension):
                raise InputInvalid(f"{self._path}: column {column} is {given}; {kind} is needed: convert it first")
            reasons[column] = f"{column} is {kind}, this is {given}"
        return reasons

    def fit(self, column: str, array: pa.Array) -> pa.Array:
        """A column in its final type; what is wrong with it goes to the faults."""
        kind = kinds_read(self._dimension)[column]
        if kind == "string":
            return self._texts(column, coded(_written(array)))
        array = _cut_off(array) if is_text(array.type) else array
        array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
        self.shown[column] = array
        if kind == "timestamp":
            fitted = self._moments(array)
        elif kind == "double":
            fitted = self._doubles(column, array)
        else:
            fitted, failed = cast_by_halves(_without_nan(array), arrow_type(kind))
            self._wrong(column, f"{column} does not fit {kind} exactly", failed)
        if column in self._required:
            self.faults[f"{column} is empty"] = nulls_of(fitted)
        return fitted

    def remark(self, remarks: Remarks, good: Mask) -> None:
        """Count what was done to cells of the rows that are good."""
        for column, rows in self.lost.items():
            remarks.unread_cells(column, self.shown[column], rows & good)
        if self.cut is not None:
            remarks.cut_times(self.shown["ts"], self.cut & good)

    def _wrong(self, column: str, reason: str, rows: Mask) -> None:
        """Say what is wrong with rows, or with no more than their cells in this column."""
        if not may_be_lost(column, self._dimension):
            self.faults[reason] = rows
        elif rows.any():
            self.lost[column] = self.lost.get(column, np.zeros_like(rows)) | rows

    def _doubles(self, column: str, array: pa.Array) -> pa.Array:
        """Numbers as the nearest double; a whole one that is a price has to fit exactly."""
        if pa.types.is_decimal(array.type):
            fitted = array.cast(pa.string()).cast(pa.float64())
        elif pa.types.is_integer(array.type) and may_be_lost(column, self._dimension):
            fitted = array.cast(pa.float64(), safe=False)
        else:
            fitted, self.faults[f"{column} does not fit double exactly"] = cast_by_halves(array, pa.float64())
        infinite = _true(pc.is_inf(fitted))
        self._wrong(column, f"{column} is not a finite number", infinite)
        odd = pc.or_(pc.is_nan(fitted), array_of(infinite))
        return pc.if_else(odd, pa.NA, fitted)

    def _moments(self, array: pa.Array) -> pa.Array:
        try:
            found = stored_times(array, self._times)
        except ValueError as error:
            raise InputInvalid(f"{self._path}: column ts is {array.type}: {error}") from error
        self.faults |= found.faults
        self.cut, self.repeated = found.cut, found.repeated
        return found.values

    def _texts(self, column: str, array: pa.DictionaryArray) -> pa.Array:
        missing = nulls_of(array)
        codes = numpy_of(array.indices, 0)
        entries = array.dictionary
        if len(entries) > len(codes):
            used, codes = np.unique(codes, return_inverse=True)
            entries = entries.take(array_of(used))
        raw = entries.cast(pa.large_binary())
        heads = pc.binary_slice(raw, 0, LONGEST_TEXT + 1)
        texts: list[str | None] = []
        reasons = [self._read(column, head, texts) for head in heads.to_pylist()]
        if not texts:  # a column of nulls
            texts, reasons, heads = [None], [""], array_of([b""], pa.large_binary())
        numbers = {"": 0}
        found = np.array([numbers.setdefault(reason, len(numbers)) for reason in reasons])[codes]
        for reason, number in numbers.items():
            if reason:
                self._wrong(column, reason, (found == number) & ~missing)
        if column in self._required:
            empty = self.faults.get(f"{column} is empty", False)
            self.faults[f"{column} is empty"] = missing | empty
        chosen = array_of(codes, missing=missing)
        self.shown[column] = pa.DictionaryArray.from_arrays(
            chosen.cast(pa.int32()), pc.binary_slice(heads, 0, EXCERPT_LENGTH)
        )
        return array_of(texts, pa.string()).take(chosen)

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


def coded(array: pa.Array) -> pa.DictionaryArray:
    """Texts as a dictionary and the places in it."""
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def text_bytes(array: pa.DictionaryArray) -> NDArray[np.int64]:
    """The bytes of each text of a column, as far as they may be stored."""
    lengths = pc.min_element_wise(pc.binary_length(array.dictionary).cast(pa.int64()), scalar_of(LONGEST_TEXT))
    found: NDArray[np.int64] = numpy_of(lengths.take(array.indices), 0)
    return found


def _allowed(column: str, kind: Kind, given: pa.DataType) -> bool:
    types = pa.types
    if kind == "timestamp":
        temporal = types.is_timestamp(given) or types.is_date(given)
        return bool(temporal or is_text(given) or _is_number(given))
    if kind == "string":
        number = types.is_integer(given) or (types.is_floating(given) and column == CORRECTION)
        return bool(is_text(given) or types.is_null(given) or (number and column != "interval"))
    return bool(_is_number(given) or types.is_null(given))


def is_text(given: pa.DataType) -> bool:
    """Whether a column is one of texts, or of places in a dictionary of texts."""
    types, plain = pa.types, given.value_type if pa.types.is_dictionary(given) else given
    return bool(types.is_string(plain) or types.is_large_string(plain) or types.is_string_view(plain))


def _is_number(given: pa.DataType) -> bool:
    return bool(pa.types.is_integer(given) or pa.types.is_floating(given) or pa.types.is_decimal(given))


def _written(array: pa.Array) -> pa.Array:
    """Numbers that stand for texts, such as codes of venues, as they are written."""
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.NA, array)
    return array.cast(pa.string()) if _is_number(array.type) else array


def _cut_off(array: pa.Array) -> pa.Array:
    """Texts of times, of which none is longer than one that is no time; what is not UTF-8 is none either."""
    codes = coded(array)
    heads = pc.binary_slice(codes.dictionary.cast(pa.large_binary()), 0, EXCERPT_LENGTH)
    texts = [None if head is None else head.decode("utf-8", "replace") for head in heads.to_pylist()]
    return array_of(texts, pa.string()).take(codes.indices)


def _without_nan(array: pa.Array) -> pa.Array:
    """Whole numbers of which some are missing, as pandas stores them: floats, with NaN for those."""
    if not pa.types.is_floating(array.type):
        return array
    floats = array.cast(pa.float64())
    return pc.if_else(pc.is_nan(floats), pa.NA, floats)


def _true(array: pa.Array) -> Mask:
    mask: Mask = numpy_of(array, False)
    return mask
