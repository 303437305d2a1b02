"""The one columnar codec: a frame as bytes, for the outbox, the stream, the cache and content hashes.

Layout of version 1, little-endian, every part padded to a multiple of 8 bytes::

    preamble   magic "BBCF", version u8, dimension u8, columns u16, rows u32, start i64, end i64 (us since 1970),
               length of the text part u32, length of the buffers u64
    text       msgpack [symbols, meta]
    directory  per column: kind u8, flags u8, zero u16, bytes of text u32
    buffers    per column: validity bitmap (flag 1), then values: 8 bytes a row, or int32 offsets and UTF-8;
               a text that is the same in all rows is stored once (flag 2), a column of nulls not at all (flag 4)

The same content gives the same bytes, however the frame was made: values under a null are zero, offsets begin at zero.
Decoding reads the preamble and the text part only; the columns are mapped, not copied, when the table is first wanted,
and are checked then: no length in the bytes is trusted.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812  it is a class
from typing import TYPE_CHECKING, Final

import msgspec

from backbone.domain.clock import MAX_US, MIN_US
from backbone.domain.dimension import Dimension
from backbone.domain.errors import BackboneError
from backbone.domain.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

__all__ = [
    "VERSION",
    "CodecError",
    "Header",
    "Meta",
    "decode",
    "encode",
    "encode_parts",
    "peek",
    "read_meta",
    "table_of",
]

Meta = dict[str, str | int | float | None]
"""What may travel beside the columns: small scalars by name."""


class CodecError(BackboneError, ValueError):
    """The bytes are not a frame: foreign, truncated, damaged, or of a version this release does not know."""

    code = "codec"


class Header(msgspec.Struct, frozen=True, gc=False):
    """What is known of an encoded frame without touching its columns."""

    dimension: Dimension
    rows: int
    start_us: int
    end_us: int
    symbols: tuple[str, ...]
    meta: Meta
    body: int
    """Where the directory begins, in bytes."""


_MAGIC: Final = b"BBCF"
VERSION: Final = 1
"""Of the layout above; who keeps encoded frames keeps it beside them."""
_PREAMBLE: Final = Struct("<4sBBHIqqIQ")
_CODES: Final = {dimension: code for code, dimension in enumerate(Dimension, start=1)}
_DIMENSIONS: Final = {code: (dimension, len(dimension.columns)) for dimension, code in _CODES.items()}
_DIRECTORY_ENTRY: Final = 8
_TEXT: Final = msgspec.msgpack.Decoder(tuple[tuple[str, ...], Meta])
_MAX_ROWS: Final = 2**32 - 1


def encode(frame: Frame, meta: Mapping[str, str | int | float | None] | None = None) -> bytes:
    """The frame as bytes.

    Args:
        frame: any frame.
        meta: small scalars to carry along; without them the bytes are the canonical bytes of the frame.

    Raises:
        ValueError: a meta value is no text, number or None, or the frame has over 4,294,967,295 rows.
    """
    return b"".join(encode_parts(frame, meta))


def encode_parts(
    frame: Frame, meta: Mapping[str, str | int | float | None] | None = None
) -> Sequence[bytes | memoryview]:
    """The frame as consecutive pieces of bytes, so that a hash or a socket can take them without joining them."""
    from backbone.domain.columns import column_parts

    if frame.num_rows > _MAX_ROWS:
        raise ValueError(f"a frame of {frame.num_rows} rows given; at most {_MAX_ROWS} fit; split it")
    dimension = frame.dimension
    directory, buffers = column_parts(dimension, frame.to_arrow())
    text = msgspec.msgpack.encode((frame.symbols, _checked(meta or {})))
    start, end = frame.span_us
    preamble = _PREAMBLE.pack(
        _MAGIC,
        VERSION,
        _CODES[dimension],
        len(dimension.columns),
        frame.num_rows,
        start,
        end,
        len(text),
        sum(map(len, buffers)),
    )
    return [preamble, text + bytes(-len(text) % 8), directory, *buffers]


def _checked(meta: Mapping[str, str | int | float | None]) -> Meta:
    for name, value in meta.items():
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise ValueError(f"meta {name!r}={value!r} given; names are text, values text, numbers or None")  # noqa: TRY004
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise ValueError(f"meta {name!r}={value!r} given; whole numbers have at most 64 bits")
    return dict(sorted(meta.items()))


def decode(data: bytes | bytearray | memoryview) -> Frame:
    """The frame that the bytes hold, at the cost of reading its header; columns are mapped and checked on first use.

    Raises:
        CodecError: the bytes are not a frame. Damage within the columns shows when they are first used, likewise.
    """
    payload = _as_bytes(data)
    return Frame.of_payload(_header(payload), payload)


def read_meta(data: bytes | bytearray | memoryview) -> Meta:
    """What was given as ``meta`` to `encode`.

    Raises:
        CodecError: the bytes are not a frame.
    """
    return peek(data).meta


def peek(data: bytes | bytearray | memoryview) -> Header:
    """The header alone.

    Raises:
        CodecError: the bytes are not a frame.
    """
    return _header(_as_bytes(data))


def _header(data: bytes | memoryview) -> Header:
    try:
        magic, version, code, columns, rows, start, end, text_bytes, buffer_bytes = _PREAMBLE.unpack_from(data)
    except StructError as error:
        raise CodecError(f"not a frame: {len(data)} bytes given, the preamble alone has {_PREAMBLE.size}") from error
    if magic != _MAGIC:
        raise CodecError(f"not a frame: it begins with {magic!r} instead of {_MAGIC!r}")
    if version != VERSION:
        raise CodecError(f"frame of version {version} given; this release reads version {VERSION}; upgrade the reader")
    dimension, expected = _DIMENSIONS.get(code, (None, -1))
    if dimension is None or columns != expected:
        raise CodecError(f"damaged frame: dimension code {code} with {columns} columns is unknown")
    body = _PREAMBLE.size + text_bytes + -text_bytes % 8
    total = body + columns * _DIRECTORY_ENTRY + buffer_bytes
    if total != len(data):
        raise CodecError(f"truncated or damaged frame: {len(data)} bytes given, the preamble announces {total}")
    symbols, meta = _text(data[_PREAMBLE.size : _PREAMBLE.size + text_bytes])
    # every row has its stamp among the buffers, so a short message can't announce a huge table
    plausible = rows * 8 <= buffer_bytes and min(1, rows) <= len(symbols) <= rows
    if not (plausible and MIN_US <= start <= end <= MAX_US):
        raise CodecError("damaged frame: its rows, symbols and time span contradict each other")
    return Header(dimension, rows, start, end, symbols, meta, body)


def _text(part: bytes | memoryview) -> tuple[tuple[str, ...], Meta]:
    try:
        return _TEXT.decode(part)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError(f"damaged frame: its symbols or meta are unreadable: {error}") from error


def _as_bytes(data: bytes | bytearray | memoryview) -> bytes | memoryview:
    """The data as it is where nobody can change it any more, else a copy."""
    if isinstance(data, bytes):
        return data
    view = memoryview(data)
    return view if view.readonly and view.format == "B" and view.ndim == 1 and view.c_contiguous else view.tobytes()


def table_of(header: Header, payload: bytes | memoryview) -> pa.Table:
    """The columns of a decoded frame, mapped onto its bytes.

    Raises:
        CodecError: the columns are damaged, or not those that the header announces.
    """
    from backbone.domain.columns import map_columns

    try:
        return map_columns(header, payload)
    except ValueError as error:
        raise CodecError(f"damaged frame: {error}") from error
