"""Columns as raw buffers and back: the part of the codec that knows Arrow."""

from __future__ import annotations

import sys
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.canonical import distinct, in_order, integers, whole
from backbone.domain.cleaning import check, check_doubles, constant_text, doubles, text_buffers
from backbone.domain.clock import INTERVALS
from backbone.domain.schema import arrow_schema, arrow_type

if TYPE_CHECKING:
    import numpy.typing as npt

    from backbone.domain.codec import Header
    from backbone.domain.dimension import Dimension, Kind

__all__ = ["column_parts", "map_columns"]

if sys.byteorder != "little":
    raise ImportError("the columnar codec needs a little-endian machine")

_ENTRY: Final = Struct("<BBHI")
_KIND_CODES: Final[dict[Kind, int]] = {"string": 1, "timestamp": 2, "double": 3, "int64": 4}
_HAS_NULLS: Final = 1
_CONSTANT: Final = 2
_ALL_NULL: Final = 4
_MAX_CONSTANT_BYTES: Final = 255
"""Longer texts are never stored once only, so that a small message can't unfold into a huge table."""
_INT32_MAX: Final = 2**31 - 1

Buffer = bytes | memoryview


def column_parts(dimension: Dimension, table: pa.Table) -> tuple[bytes, list[Buffer]]:
    """The directory and the buffers of a canonical table; each buffer is padded to a multiple of 8 bytes."""
    directory = bytearray()
    buffers: list[Buffer] = []
    for name, kind in dimension.kinds.items():
        flags, text_bytes, parts = _encode(kind, table.column(name))
        directory += _ENTRY.pack(_KIND_CODES[kind], flags, 0, text_bytes)
        for part in parts:
            buffers.append(part)
            if len(part) % 8:
                buffers.append(bytes(-len(part) % 8))
    return bytes(directory), buffers


def _encode(kind: Kind, column: pa.ChunkedArray) -> tuple[int, int, list[Buffer]]:
    """The flags of a column, its bytes of text, and its buffers."""
    if not len(column):
        return 0, 0, []
    array = column.chunk(0)
    if array.null_count == len(array):
        return _ALL_NULL, 0, []
    if kind == "string":
        return _encode_text(array)
    if kind != "double":
        return 0, 0, [_view(integers(array))]
    values = doubles(array)
    if not array.null_count:
        return 0, 0, [_view(values)]
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    return _HAS_NULLS, 0, [_bitmap(valid), _view(np.where(valid, values, 0.0))]


def _encode_text(array: pa.Array) -> tuple[int, int, list[Buffer]]:
    flags = 0
    parts: list[Buffer] = []
    if array.null_count:
        flags = _HAS_NULLS
        parts.append(_bitmap(array.is_valid().to_numpy(zero_copy_only=False)))
        array = pc.fill_null(array, "")
    else:
        text = constant_text(array)
        if text is not None and len(text) <= _MAX_CONSTANT_BYTES:
            return _CONSTANT, len(text), [text]
    offsets, data = text_buffers(array)
    return flags, len(data), [*parts, _view(offsets - offsets[0]), _view(data)]


def _bitmap(valid: npt.NDArray[np.bool_]) -> bytes:
    return np.packbits(valid, bitorder="little").tobytes()


def _view(values: npt.NDArray[Any]) -> memoryview:
    return values.data.cast("B") if len(values) else memoryview(b"")


def map_columns(header: Header, payload: Buffer) -> pa.Table:
    """The table of an encoded frame, its columns mapped onto the payload where they are whole.

    Raises:
        ValueError: the buffers are damaged, not canonical, or not those that the header announces.
    """
    dimension = header.dimension
    reader = _Reader(payload, header.body + _ENTRY.size * len(dimension.columns))
    arrays = []
    for index, (name, kind) in enumerate(dimension.kinds.items()):
        code, flags, zero, text_bytes = _ENTRY.unpack_from(payload, header.body + _ENTRY.size * index)
        if code != _KIND_CODES[kind] or zero or (text_bytes and kind != "string"):
            raise ValueError(f"column {name} has a foreign entry in the directory")
        array = _decode(reader, kind, flags, header.rows, text_bytes)
        # of a constant text one row stands for all
        check(dimension, name, array.slice(0, 1) if flags == _CONSTANT else array)
        if kind == "double":
            check_doubles(array)
        arrays.append(array)
    reader.finish()
    table = pa.Table.from_arrays(arrays, schema=arrow_schema(dimension))
    _compare(header, table)
    return table


class _Reader:
    """Hands out consecutive buffers of a payload, and nothing beyond its end."""

    def __init__(self, payload: Buffer, position: int) -> None:
        buffer = pa.py_buffer(payload)
        # a view into a larger message may begin anywhere; Arrow wants numbers at multiples of 8
        self._buffer = buffer if buffer.address % 8 == 0 else pa.py_buffer(bytes(payload))
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
        return pa.array([], type=data_type)
    if flags == _ALL_NULL and rows and not text_bytes and kind in {"double", "string"}:
        return pa.nulls(rows, data_type)
    if flags == _CONSTANT and rows and kind == "string":
        return _repeat(reader.take(text_bytes), rows)
    if not rows or flags not in {0, _HAS_NULLS}:
        raise ValueError(f"a {kind} column has the impossible flags {flags}")
    valid = reader.take((rows + 7) // 8) if flags else None
    if kind != "string":
        return pa.Array.from_buffers(data_type, rows, [valid, reader.take(rows * 8)])
    offsets, data = reader.take((rows + 1) * 4), reader.take(text_bytes)
    marks = np.frombuffer(offsets, dtype=np.int32)
    if marks[0] != 0 or marks[-1] != text_bytes or (marks[1:] < marks[:-1]).any():
        raise ValueError("the offsets of a text column are out of order or out of bounds")
    return pa.Array.from_buffers(data_type, rows, [valid, offsets, data])


def _repeat(text: pa.Buffer, rows: int) -> pa.Array:
    size = text.size
    if size > _MAX_CONSTANT_BYTES or size * rows > _INT32_MAX:
        raise ValueError(f"a constant text of {size} bytes in {rows} rows is too long")
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(size)
    data = pa.py_buffer(text.to_pybytes() * rows)
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), data])


def _compare(header: Header, table: pa.Table) -> None:
    """Hold the columns against the header: same symbols, same span, rows ascending by key."""
    if not header.rows:
        return
    dimension = header.dimension
    if not in_order([whole(table.column(name)) for name in dimension.key]):
        raise ValueError("its rows are not strictly ascending by key")
    stamps = integers(whole(table.column("ts")))
    if (stamps.min(), stamps.max()) != (header.start_us, header.end_us):
        raise ValueError("its time span is not the one of the header")
    if distinct(whole(table.column(0))) != header.symbols:
        raise ValueError("its symbols are not those of the header")
    if dimension.has_interval and not set(distinct(whole(table.column("interval")))) <= INTERVALS.keys():
        raise ValueError("its intervals have other names than ours")
