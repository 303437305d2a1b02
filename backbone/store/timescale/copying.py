"""Binary COPY, encoded from Arrow columns.

The format (PostgreSQL documentation, COPY, "Binary Format") is row by row: a count of fields, then for each its length
and its bytes, numbers in network order. Here the fields of fixed length come first in each row, so that they are one
block of bytes for which numpy fills in column after column; Arrow joins the fields of varying length behind it. No row
is ever an object.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from struct import pack
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.arrays import array_of, filled, scalar_of
from backbone.domain.canonical import integers
from backbone.domain.cleaning import doubles
from backbone.domain.values import nulls_of, numpy_of
from backbone.store.timescale.workers import Workers

__all__ = ["PG_EPOCH_US", "Bytes", "Field", "Rows", "Stream", "constant", "int4"]

PG_EPOCH_US: Final = 946_684_800_000_000
"""Microseconds from 1970 to 2000, where PostgreSQL begins to count."""

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_SLICE_BYTES: Final = 2**20  # few turns of the loop, and none of them long


@dataclass(frozen=True, slots=True)
class Bytes:
    """A column of bytes, of which Arrow gets a few at a time.

    To copy megabytes of them at once would hold the interpreter's lock, and with it the event loop, for milliseconds.
    """

    values: Sequence[bytes]
    null_count: ClassVar[int] = 0
    type: ClassVar[pa.DataType] = pa.binary()

    def slice(self, start: int, count: int) -> pa.Array:
        """So many of them as an Arrow array."""
        return array_of(self.values[start : start + count], self.type)

    def to_pylist(self) -> list[bytes]:
        """All of them."""
        return [*self.values]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the rows to copy.

    Attributes:
        name: of the column.
        values: an Arrow array, `Bytes`, or, as bytes, the encoded field that all rows share.
    """

    name: str
    values: Any


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows to copy.

    Attributes:
        fields: columns of one length.
        count: that length.
        width: bytes of a row, about; large ones make for slices of fewer rows.
    """

    fields: tuple[Field, ...]
    count: int
    width: int = 128

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in the order in which the fields are encoded: fixed length first."""
        return tuple(field.name for field in (*self._fixed(), *self._varying()))

    def _fixed(self) -> list[Field]:
        return [field for field in self.fields if _is_fixed(field.values)]

    def _varying(self) -> list[Field]:
        return [field for field in self.fields if not _is_fixed(field.values)]

    def encode(self, start: int, stop: int) -> bytes:
        """The rows from `start` to before `stop`, without header and trailer."""
        count = stop - start
        block = _block(len(self.fields), self._fixed(), start, count)
        varying = self._varying()
        if not varying:
            return block.tobytes()
        parts = [_binary(block, block.dtype.itemsize, count)]
        for field in varying:
            parts += _measured(field.values.slice(start, count))
        joined = pc.binary_join_element_wise(*parts, scalar_of(b"", pa.binary()))
        offsets = np.frombuffer(joined.buffers()[1], dtype=np.int32, count=count + 1)
        return bytes(joined.buffers()[2][int(offsets[0]) : int(offsets[-1])])

    def pieces(self) -> Iterator[bytes]:
        """The whole COPY, some thousands of rows at a time."""
        size = max(1, _SLICE_BYTES // self.width)
        for start in range(0, max(self.count, 1), size):
            stop = min(start + size, self.count)
            head, tail = _HEADER if start == 0 else b"", _TRAILER if stop == self.count else b""
            yield head + self.encode(start, stop) + tail


class Stream:
    """The whole COPY, each piece encoded off the loop while the server works on the one before.

    A plain iterator: one that is dropped half way leaves nothing to be cleaned up.
    """

    def __init__(self, rows: Rows, workers: Workers) -> None:
        self._weight = min(rows.count * rows.width, _SLICE_BYTES) // 128  # of a piece
        self._pieces = rows.pieces()
        self._workers = workers

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece: bytes | None = await self._workers.run(self._weight, _next, self._pieces)
        if piece is None:
            raise StopAsyncIteration
        return piece


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)


def constant(value: str | int | None) -> bytes:
    """An encoded field: text, bigint, or NULL."""
    if value is None:
        return _NULL
    data = value.encode() if isinstance(value, str) else pack(">q", value)
    return pack(">i", len(data)) + data


def int4(values: npt.NDArray[Any]) -> pa.Array:
    """A column of integer type."""
    return array_of(values.astype(np.int32), pa.int32())


def _is_fixed(values: Any) -> bool:
    if isinstance(values, bytes):
        return True
    return bool(values.null_count == 0 and pa.types.is_primitive(values.type))


def _block(total: int, fixed: Sequence[Field], start: int, count: int) -> npt.NDArray[Any]:
    """One record per row: the count of fields, then the fixed ones; gaps come out as given by the template."""
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for n, field in enumerate(fixed):
        if isinstance(field.values, bytes):
            layout.append((f"constant{n}", f"V{len(field.values)}"))
        else:
            kind = ">i4" if field.values.type == pa.int32() else ">f8" if field.values.type == pa.float64() else ">i8"
            layout += [(f"length{n}", ">i4"), (f"value{n}", kind)]
    block = np.empty(count, dtype=np.dtype(layout))
    block["fields"] = total
    for n, field in enumerate(fixed):
        if isinstance(field.values, bytes):
            block[f"constant{n}"] = np.void(field.values)
        else:
            block[f"length{n}"] = block.dtype[f"value{n}"].itemsize
            block[f"value{n}"] = _numbers(field.values.slice(start, count))
    return block


def _numbers(array: pa.Array) -> npt.NDArray[Any]:
    if pa.types.is_floating(array.type):
        return doubles(array)
    if array.type == pa.int32():
        return numpy_of(array)
    values = integers(array)
    return values - PG_EPOCH_US if pa.types.is_timestamp(array.type) else values


def _measured(array: pa.Array) -> list[pa.Array]:
    """The lengths of a column, each as a field header, and its bytes; of NULL the length -1 and no bytes."""
    missing = nulls_of(array) if array.null_count else None
    if pa.types.is_primitive(array.type):
        values = _numbers(filled(array, 0.0)).astype(">f8")
        lengths = np.full(len(array), 8, dtype=np.int32)
        if missing is None:
            data = _binary(values, 8, len(array))
        else:
            lengths[missing] = 0
            data = _binary_of(lengths, values[~missing])
    else:
        data = filled(array, b"" if pa.types.is_binary(array.type) else "").cast(pa.binary())
        marks = np.frombuffer(data.buffers()[1], dtype=np.int32, count=len(data) + 1, offset=data.offset * 4)
        lengths = np.diff(marks)
    headers = lengths.astype(">i4")
    if missing is not None:
        headers[missing] = -1
    return [_binary(headers, 4, len(array)), data]


def _binary(values: npt.NDArray[Any], width: int, count: int) -> pa.Array:
    """Values of one width, as Arrow sees bytes."""
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(values)])


def _binary_of(lengths: npt.NDArray[np.int32], values: npt.NDArray[Any]) -> pa.Array:
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(values)])
