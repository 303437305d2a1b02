"""Many rows out of the server by binary COPY, as columns.

COPY costs the server a third of what packing its columns does (`backbone.store.timescale.columns`), but takes no
parameters, and gives row after row: a count of fields, then for each its length and its bytes. Columns of fixed length
come first, and none of them is ever missing, so that rows whose texts are as long as those of the row before lie at one
distance from each other: such a run is a matrix, of which numpy takes column after column. Most trades of a page have
the same venue's letter and no conditions, so that runs are long; where they are short, texts are walked over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import unpack_from
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.domain.arrays import array_of, empty_of
from backbone.domain.cleaning import check
from backbone.domain.dimension import Dimension
from backbone.domain.schema import arrow_schema
from backbone.domain.stored import constant
from backbone.store.sql import quoted
from backbone.store.timescale.columns import doubles_of, moments_of, wholes_of

__all__ = ["Rows", "copied"]

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

_HEADER_BYTES: Final = 19
_COUNT, _LENGTH, _FIXED = 2, 4, 12  # bytes of a count of fields, of a length, and of a field of fixed length
_LONG: Final = 256
"""Rows of a run that is worth a matrix of its own."""
_WALKED: Final = 4096
"""Rows that are walked over until another run is looked for."""


def copied(dimension: Dimension, known: Mapping[str, str]) -> str:
    """The expressions that a statement has to select for its answer to COPY to be what `Rows` reads.

    Args:
        dimension: of the rows.
        known: columns whose one text is known beforehand: they are not sent.
    """
    fixed, texts = _columns(dimension, known)
    doubles = {name for name in fixed if dimension.kinds[name] == "double"}
    given = [f"coalesce({quoted(name)}, 'NaN')" if name in doubles else quoted(name) for name in fixed]
    return ", ".join([*given, *map(quoted, texts)])


def _columns(dimension: Dimension, known: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Those of fixed length, and the texts."""
    sent = [name for name in dimension.columns if name not in known]
    texts = [name for name in sent if dimension.kinds[name] == "string"]
    return [name for name in sent if name not in texts], texts


class Rows:
    """Makes tables of what COPY gives.

    Args:
        dimension: of the rows.
        known: columns whose one text is known beforehand.
    """

    def __init__(self, dimension: Dimension, known: Mapping[str, str]) -> None:
        self._dimension = dimension
        self._known = known
        self._fixed, self._texts = _columns(dimension, known)
        self._first_text = _COUNT + _FIXED * len(self._fixed)

    def tables(self, pieces: Sequence[bytes]) -> list[pa.Table]:
        """The rows of one answer, in order; none makes one table without rows.

        Raises:
            ValueError: a text of a key is empty, or a moment lies outside the calendar.
        """
        data, at = b"".join(pieces), _HEADER_BYTES
        raw = np.frombuffer(data, dtype=np.uint8)
        found = []
        while (run := self._run(data, raw, at)) is not None:
            table, at = run
            found.append(table)
        return found or [empty_of(arrow_schema(self._dimension))]

    def _run(self, data: bytes, raw: Bytes, at: int) -> tuple[pa.Table, int] | None:
        """The rows from a place on, and where the next ones begin; None: no further row is whole."""
        stride = self._bytes_of_row(data, at)
        if stride is None:
            return None
        count = self._alike(raw, at, stride)
        if count >= _LONG:
            matrix = raw[at : at + count * stride].reshape(count, stride)
            return self._of_matrix(data, at, matrix), at + count * stride
        starts: list[int] = []
        while stride is not None and len(starts) < _WALKED:
            starts.append(at)
            at += stride
            stride = self._bytes_of_row(data, at)
        return self._of_starts(data, raw, np.array(starts)), at

    def _bytes_of_row(self, data: bytes, at: int) -> int | None:
        """How long the row at a place is; None: it is not whole, or what is there is the end."""
        end = at + self._first_text
        for _ in self._texts:
            if end + _LENGTH > len(data):
                return None
            (length,) = unpack_from(">i", data, end)
            end += _LENGTH + max(0, length)
        return None if end > len(data) or data[at : at + _COUNT] == b"\xff\xff" else end - at

    def _alike(self, raw: Bytes, at: int, stride: int) -> int:
        """How many rows from a place on have texts of the lengths that those of the first have."""
        places = self._places(raw[at : at + stride].tobytes())
        fits, size, most = 1, 64, (len(raw) - at) // stride
        while fits < most:
            matrix = raw[at + fits * stride : at + min(most, fits + size) * stride].reshape(-1, stride)
            same = np.ones(len(matrix), dtype=np.bool_)
            for place in places:
                same &= matrix[:, place] == raw[at + place]
            wrong = np.flatnonzero(~same)
            if wrong.size:
                return fits + int(wrong[0])
            fits, size = fits + len(matrix), 4 * size
        return fits

    def _places(self, row: bytes) -> list[int]:
        """The bytes of a row that say how long it is: its count of fields and the lengths of its texts."""
        places, end = list(range(_COUNT)), self._first_text
        for _ in self._texts:
            places += range(end, end + _LENGTH)
            end += _LENGTH + max(0, unpack_from(">i", row, end)[0])
        return places

    def _of_matrix(self, data: bytes, at: int, matrix: Bytes) -> pa.Table:
        count, stride = matrix.shape
        arrays = {}
        for number, name in enumerate(self._fixed):
            place = at + _COUNT + _FIXED * number + _LENGTH
            arrays[name] = self._numbers(name, np.ndarray((count,), ">i8", data, place, (stride,)))
        end = self._first_text
        for name in self._texts:
            (length,) = unpack_from(">i", data, at + end)
            end += _LENGTH
            if length < 0:
                arrays[name] = pa.nulls(count, pa.string())
                continue
            text = np.ascontiguousarray(matrix[:, end : end + length])
            offsets = np.arange(count + 1, dtype=np.int32) * length
            arrays[name] = pa.Array.from_buffers(
                pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text.tobytes())]
            )
            end += length
        return self._table(arrays, count)

    def _of_starts(self, data: bytes, raw: Bytes, starts: Numbers) -> pa.Table:
        arrays = {}
        for number, name in enumerate(self._fixed):
            places = starts + _COUNT + _FIXED * number + _LENGTH
            eight = raw[places[:, None] + np.arange(8)]
            arrays[name] = self._numbers(name, eight.view(">i8").reshape(-1))
        texts: list[list[bytes | None]] = [[] for _ in self._texts]
        for start in starts.tolist():
            end = start + self._first_text
            for column in texts:
                (length,) = unpack_from(">i", data, end)
                end += _LENGTH
                column.append(None if length < 0 else data[end : end + length])
                end += max(0, length)
        arrays |= {
            name: array_of(column, pa.binary()).cast(pa.string())
            for name, column in zip(self._texts, texts, strict=True)
        }
        return self._table(arrays, len(starts))

    def _numbers(self, name: str, values: npt.NDArray[Any]) -> pa.Array:
        kind = self._dimension.kinds[name]
        if kind == "double":
            return doubles_of(values.view(">f8"))
        numbers = values.astype(np.int64)
        return moments_of(numbers) if kind == "timestamp" else wholes_of(numbers)

    def _table(self, arrays: Mapping[str, pa.Array], count: int) -> pa.Table:
        columns = []
        for name, kind in self._dimension.kinds.items():
            if name in self._known:
                columns.append(constant(self._dimension, name, self._known[name], count))
                continue
            if kind == "timestamp" or (kind == "string" and name in self._dimension.key):
                check(self._dimension, name, arrays[name])
            columns.append(arrays[name])
        return pa.Table.from_arrays(columns, schema=arrow_schema(self._dimension))
