"""Reads what releases before the Arrow codec have written: outbox rows of theirs are relayed until they are pruned.

The layout is that of `backbone.domain.identity`, with meta beside the symbols. It goes when no store can hold it.
"""

from __future__ import annotations

from struct import error as StructError  # noqa: N812  it is a class
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from backbone.domain.canonical import require_canonical
from backbone.domain.identity import (
    ALL_NULL,
    CODES,
    CONSTANT,
    ENTRY,
    HAS_NULLS,
    KIND_CODES,
    LONGEST_CONSTANT,
    MAGIC,
    PREAMBLE,
)
from backbone.domain.ipc import CodecError
from backbone.domain.schema import arrow_schema, arrow_type

if TYPE_CHECKING:
    from backbone.domain.dimension import Dimension, Kind

__all__ = ["MAGIC", "decode", "read_meta"]

_VERSION: Final = 1
_DIMENSIONS: Final = {code: dimension for dimension, code in CODES.items()}
_TEXT: Final = msgspec.msgpack.Decoder(tuple[tuple[str, ...], dict[str, str | int | float | None]])
_MOST_ROWS: Final = 2**17
"""More than fit into the largest payload that could be set."""
_MOST_UNFOLDED: Final = 128 * 2**20
"""Bytes of texts that stand once, over all rows: a chunk of 100,000 rows, which was the largest, has less."""


class _Header(NamedTuple):
    dimension: Dimension
    rows: int
    meta: dict[str, str | int | float | None]
    body: int


def read_meta(payload: memoryview) -> dict[str, str]:
    """What travelled beside the columns, as text.

    Raises:
        CodecError: the bytes are damaged, or of another version.
    """
    return {name: str(value) for name, value in _header(payload).meta.items() if value is not None}


def decode(payload: memoryview) -> tuple[Dimension, pa.Table]:
    """The columns, mapped onto the payload where they are whole, and looked at.

    Raises:
        CodecError: the bytes are damaged, or of another version.
    """
    header = _header(payload)
    try:
        table = _map_columns(header, payload)
        table.validate(full=True)
        require_canonical(header.dimension, table)
    except (pa.ArrowException, StructError, ValueError) as error:
        raise CodecError(f"damaged frame: {error}") from error
    return header.dimension, table


def _header(data: memoryview) -> _Header:
    try:
        _, version, code, columns, rows, _, _, text_bytes, buffer_bytes = PREAMBLE.unpack_from(data)
    except StructError as error:
        raise CodecError(f"not a frame: {len(data)} bytes given, the preamble alone has {PREAMBLE.size}") from error
    dimension = _DIMENSIONS.get(code)
    if version != _VERSION or dimension is None or columns != len(dimension.columns):
        raise CodecError(f"damaged frame: version {version}, dimension code {code}, {columns} columns are unknown")
    body = PREAMBLE.size + text_bytes + -text_bytes % 8
    total = body + columns * ENTRY.size + buffer_bytes
    # every row has its stamp among the buffers, so a short message can't announce a huge table
    if total != len(data) or rows * 8 > buffer_bytes or rows > _MOST_ROWS:
        raise CodecError(f"truncated or damaged frame: {len(data)} bytes given, {total} and {rows} rows announced")
    try:
        _, meta = _TEXT.decode(data[PREAMBLE.size : PREAMBLE.size + text_bytes])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError(f"damaged frame: its symbols or meta are unreadable: {error}") from error
    return _Header(dimension, rows, meta, body)


def _map_columns(header: _Header, payload: memoryview) -> pa.Table:
    kinds = header.dimension.kinds
    entries = [ENTRY.unpack_from(payload, header.body + ENTRY.size * index) for index in range(len(kinds))]
    if sum(text_bytes for _, flags, _, text_bytes in entries if flags == CONSTANT) * header.rows > _MOST_UNFOLDED:
        raise ValueError(f"its texts unfold to over {_MOST_UNFOLDED} bytes")
    reader = _Reader(payload, header.body + ENTRY.size * len(kinds))
    arrays = []
    for (name, kind), (code, flags, zero, text_bytes) in zip(kinds.items(), entries, strict=True):
        if code != KIND_CODES[kind] or zero or (text_bytes and kind != "string"):
            raise ValueError(f"column {name} has a foreign entry in the directory")
        arrays.append(_decode(reader, kind, flags, header.rows, text_bytes))
    reader.finish()
    return pa.Table.from_arrays(arrays, schema=arrow_schema(header.dimension))


class _Reader:
    """Hands out consecutive buffers of a payload, and nothing beyond its end."""

    def __init__(self, payload: memoryview, position: int) -> None:
        self._buffer = pa.py_buffer(payload)
        self._position = position

    def take(self, size: int) -> pa.Buffer:
        start = self._position
        if start + size > self._buffer.size:
            raise ValueError(f"a buffer of {size} bytes goes beyond the end")
        self._position = start + size + -size % 8
        return self._buffer.slice(start, size)

    def finish(self) -> None:
        if self._position != self._buffer.size:
            raise ValueError(f"its buffers end at byte {self._position} of {self._buffer.size}")


def _decode(reader: _Reader, kind: Kind, flags: int, rows: int, text_bytes: int) -> pa.Array:
    data_type = arrow_type(kind)
    if not rows and not flags:
        return pa.nulls(0, data_type)
    if flags == ALL_NULL and rows and not text_bytes and kind in {"double", "string"}:
        return pa.nulls(rows, data_type)
    if flags == CONSTANT and rows and kind == "string":
        return _repeat(reader.take(text_bytes), rows)
    if not rows or flags not in {0, HAS_NULLS}:
        raise ValueError(f"a {kind} column has the impossible flags {flags}")
    valid = reader.take((rows + 7) // 8) if flags else None
    if kind != "string":
        return pa.Array.from_buffers(data_type, rows, [valid, reader.take(rows * 8)])
    offsets, data = reader.take((rows + 1) * 4), reader.take(text_bytes)
    if np.frombuffer(offsets, dtype=np.int32)[0] != 0:
        raise ValueError("the offsets of a text column do not begin at 0")
    return pa.Array.from_buffers(data_type, rows, [valid, offsets, data])


def _repeat(text: pa.Buffer, rows: int) -> pa.Array:
    if text.size > LONGEST_CONSTANT:
        raise ValueError(f"a constant text of {text.size} bytes is too long")
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(text.size)
    data = pa.py_buffer(text.to_pybytes() * rows)
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), data])
