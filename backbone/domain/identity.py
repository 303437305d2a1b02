"""What a frame's content is known by: canonical bytes, over which hashes are computed. They never travel.

The same content gives the same bytes, however the frame was made and whatever library made its buffers: values under a
null are zero, offsets begin at zero. The layout must not change, for ledgers hold hashes of it. It is little-endian,
every part padded to a multiple of 8 bytes::

    preamble   magic "BBCF", version u8, dimension u8, columns u16, rows u32, start i64, end i64 (us since 1970),
               length of the text part u32, length of the buffers u64
    text       msgpack [symbols, {}]
    directory  per column: kind u8, flags u8, zero u16, bytes of text u32
    buffers    per column: validity bitmap (flag 1), then values: 8 bytes a row, or int32 offsets and UTF-8;
               a text that is the same in all rows stands once (flag 2), a column of nulls not at all (flag 4)
"""

from __future__ import annotations

import sys
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from backbone.domain.arrays import filled
from backbone.domain.canonical import integers
from backbone.domain.cleaning import constant_text, doubles, text_buffers
from backbone.domain.dimension import Dimension
from backbone.domain.values import numpy_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from backbone.domain.dimension import Kind
    from backbone.domain.frame import Frame

__all__ = [
    "ALL_NULL",
    "CODES",
    "CONSTANT",
    "ENTRY",
    "HAS_NULLS",
    "KIND_CODES",
    "LONGEST_CONSTANT",
    "MAGIC",
    "PREAMBLE",
    "canonical_parts",
]

if sys.byteorder != "little":
    raise ImportError("canonical bytes need a little-endian machine")

MAGIC: Final = b"BBCF"
PREAMBLE: Final = Struct("<4sBBHIqqIQ")
ENTRY: Final = Struct("<BBHI")
CODES: Final = {dimension: code for code, dimension in enumerate(Dimension, start=1)}
KIND_CODES: Final[dict[Kind, int]] = {"string": 1, "timestamp": 2, "double": 3, "int64": 4}
HAS_NULLS: Final = 1
CONSTANT: Final = 2
ALL_NULL: Final = 4
LONGEST_CONSTANT: Final = 255
"""Bytes of a text that stands once; longer ones stand in each row."""

_VERSION: Final = 1
_MOST_ROWS: Final = 2**32 - 1

Buffer = bytes | memoryview


def canonical_parts(frame: Frame) -> Sequence[Buffer]:
    """The canonical bytes of a frame in consecutive pieces, so that a hash can take them without joining them.

    Raises:
        ValueError: the frame has over 4,294,967,295 rows.
    """
    if frame.num_rows > _MOST_ROWS:
        raise ValueError(f"a frame of {frame.num_rows} rows given; at most {_MOST_ROWS} fit; split it")
    dimension = frame.dimension
    directory, buffers = _column_parts(dimension, frame.to_arrow())
    text = msgspec.msgpack.encode((frame.symbols, {}))
    preamble = PREAMBLE.pack(
        *(MAGIC, _VERSION, CODES[dimension], len(dimension.columns), frame.num_rows),
        *(*frame.span_us, len(text), sum(map(len, buffers))),
    )
    return [preamble, text + bytes(-len(text) % 8), directory, *buffers]


def _column_parts(dimension: Dimension, table: pa.Table) -> tuple[bytes, list[Buffer]]:
    directory = bytearray()
    buffers: list[Buffer] = []
    for name, kind in dimension.kinds.items():
        flags, text_bytes, parts = _encode(kind, table.column(name))
        directory += ENTRY.pack(KIND_CODES[kind], flags, 0, text_bytes)
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
        return ALL_NULL, 0, []
    if kind == "string":
        return _encode_text(array)
    if kind != "double":
        return 0, 0, [_view(integers(array))]
    values = doubles(array)
    if not array.null_count:
        return 0, 0, [_view(values)]
    valid = numpy_of(array.is_valid())
    return HAS_NULLS, 0, [_bitmap(valid), _view(np.where(valid, values, 0.0))]


def _encode_text(array: pa.Array) -> tuple[int, int, list[Buffer]]:
    flags = 0
    parts: list[Buffer] = []
    if array.null_count:
        flags = HAS_NULLS
        parts.append(_bitmap(numpy_of(array.is_valid())))
        array = filled(array, "")
    else:
        text = constant_text(array)
        if text is not None and len(text) <= LONGEST_CONSTANT:
            return CONSTANT, len(text), [text]
    offsets, data = text_buffers(array)
    return flags, len(data), [*parts, _view(offsets - offsets[0]), _view(data)]


def _bitmap(valid: npt.NDArray[np.bool_]) -> bytes:
    return np.packbits(valid, bitorder="little").tobytes()


def _view(values: npt.NDArray[Any]) -> memoryview:
    return values.data.cast("B") if len(values) else memoryview(b"")
