"""The one columnar codec: a frame as bytes, for the outbox, the stream and the cache.

A frame is an Arrow IPC stream of one record batch with the schema of its dimension, little-endian, without dictionaries
and without compression: whatever reads Arrow reads it. The schema's metadata say `dimension`, `codec_version` and what
the writer gave as `meta`, all as text.

Whether bytes are still those that we wrote is known by their checksum (CRC-32 of zlib: it finds damage, it proves no
author), which travels beside them and never inside. Bytes that come without one are checked as those of a stranger: no
more is built than is there, then every value, the order of the rows and the schema are looked at.

Decoding copies no column. Version 1, which was a layout of our own, is still read.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from backbone.domain import former
from backbone.domain.canonical import require_canonical
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.ipc import END, MOST_HEAD_BYTES, CodecError, body_at, inspect
from backbone.domain.schema import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VERSION", "CodecError", "Meta", "checksum_of", "decode", "encode", "encoded_bytes", "read_meta"]

Meta = dict[str, str]
"""What travels beside the columns, by name."""

VERSION: Final = 2
"""Of what `encode` writes, the columns of each dimension included; who keeps encoded frames keeps it beside them."""

_DIMENSION, _CODEC_VERSION = "dimension", "codec_version"
_OURS: Final = (_DIMENSION, _CODEC_VERSION)


def encode(frame: Frame, meta: Mapping[str, str | int | float | None] | None = None) -> bytes:
    """The frame as bytes.

    Args:
        frame: any frame.
        meta: small facts to carry along, as text; those that are None are left out.

    Raises:
        ValueError: a meta value is no text, number or None, has the name of one of ours, or all are over 16 KiB.
    """
    return b"".join((_head(frame.dimension, meta), _batch(frame).serialize(), END))


def encoded_bytes(frame: Frame, meta: Mapping[str, str | int | float | None] | None = None) -> int:
    """The length of what `encode` would give, without copying a row.

    Raises:
        ValueError: as `encode`.
    """
    return int(_head(frame.dimension, meta).size + pa.ipc.get_record_batch_size(_batch(frame)) + len(END))


def checksum_of(data: bytes | memoryview) -> int:
    """The checksum that travels beside encoded bytes: their CRC-32, from 0 to 4,294,967,295."""
    return zlib.crc32(data)


def _checked(meta: Mapping[str, str | int | float | None]) -> Meta:
    for name, value in meta.items():
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise ValueError(f"meta {name!r}={value!r} given; names are text, values text, numbers or None")  # noqa: TRY004
        if name in _OURS:
            raise ValueError(f"meta {name!r} given; the codec says that itself; choose another name")
    return {name: str(value) for name, value in meta.items() if value is not None}


def _head(dimension: Dimension, meta: Mapping[str, str | int | float | None] | None) -> pa.Buffer:
    """The first message: columns and meta."""
    return _head_with(dimension, _checked(meta)) if meta else _plain_head(dimension)


def _head_with(dimension: Dimension, meta: Meta) -> pa.Buffer:
    ours = {_DIMENSION: dimension.value, _CODEC_VERSION: str(VERSION)}
    head = arrow_schema(dimension).with_metadata({**ours, **meta}).serialize()
    if head.size > MOST_HEAD_BYTES:
        raise ValueError(f"meta of about {head.size} bytes given; at most {MOST_HEAD_BYTES} fit; give less")
    return head


@cache
def _plain_head(dimension: Dimension) -> pa.Buffer:
    return _head_with(dimension, {})


@cache
def _plain_heads() -> dict[bytes, Dimension]:
    return {_plain_head(dimension).to_pybytes(): dimension for dimension in Dimension}


def _batch(frame: Frame) -> pa.RecordBatch:
    batches = frame.to_arrow().to_batches()
    return batches[0] if batches else _no_rows(frame.dimension)


@cache
def _no_rows(dimension: Dimension) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.nulls(0, field.type) for field in arrow_schema(dimension)], schema=arrow_schema(dimension)
    )


def decode(data: bytes | bytearray | memoryview, checksum: int | None = None) -> Frame:
    """The frame that the bytes hold; its columns are not copied.

    Args:
        data: what `encode` gave, of this version or the former one.
        checksum: what `checksum_of` gave for it when it was written. Without it every value is looked at.

    Raises:
        CodecError: the bytes are not a frame, or not those that the checksum belongs to.
    """
    payload = _as_bytes(data)
    if checksum is not None and (found := zlib.crc32(payload)) != checksum:
        raise CodecError(f"damaged frame: the checksum of its {len(payload)} bytes is {found}, not {checksum}")
    if payload[:4].tobytes() == former.MAGIC:
        return Frame.of_canonical(*former.decode(payload))
    return Frame.of_canonical(*(_foreign(payload) if checksum is None else _read(payload)))


def read_meta(data: bytes | bytearray | memoryview) -> Meta:
    """What was given as `meta` to `encode`, as text.

    Raises:
        CodecError: the bytes are not a frame.
    """
    payload = _as_bytes(data)
    if payload[:4].tobytes() == former.MAGIC:
        return former.read_meta(payload)
    inspect(payload)
    try:
        facts = {name.decode(): value.decode() for name, value in _facts(_schema(payload)).items()}
    except (UnicodeDecodeError, pa.ArrowException, OSError, EOFError) as error:
        raise CodecError(f"damaged frame: what stands beside its columns is unreadable: {error}") from error
    return {name: value for name, value in facts.items() if name not in _OURS}


def _read(payload: memoryview) -> tuple[Dimension, pa.Table]:
    """The columns of a frame of ours, mapped onto the bytes.

    Raises:
        CodecError: it is of another version or dimension, or Arrow can't read it.
    """
    end = body_at(payload, 0)
    try:
        dimension = _plain_heads().get(payload[:end].tobytes()) or _dimension_of(_facts(_schema(payload)))
        batch = pa.ipc.read_record_batch(pa.py_buffer(payload).slice(end), arrow_schema(dimension))
        batch.validate()
    except (pa.ArrowException, OSError, EOFError) as error:
        raise CodecError(f"damaged frame: Arrow can't read it: {_first_line(error)}") from error
    return dimension, pa.Table.from_batches([batch])


def _foreign(payload: memoryview) -> tuple[Dimension, pa.Table]:
    """The columns of a frame that anybody may have written.

    Raises:
        CodecError: it is anything else than what we write.
    """
    inspect(payload)
    try:
        schema = _schema(payload)
        dimension = _dimension_of(_facts(schema))
        _require_columns(dimension, schema)
        _, table = _read(payload)
        table.validate(full=True)
        require_canonical(dimension, table)
    except CodecError:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise CodecError(f"damaged frame: {_first_line(error)}") from error
    return dimension, table


def _require_columns(dimension: Dimension, schema: pa.Schema) -> None:
    if not schema.equals(arrow_schema(dimension)):
        raise CodecError(f"foreign frame: its columns are not those of {dimension}, with names, types and order")


def _schema(payload: memoryview) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(payload).slice(0, body_at(payload, 0)))


def _facts(schema: pa.Schema) -> dict[bytes, bytes]:
    return schema.metadata or {}


def _dimension_of(facts: Mapping[bytes, bytes]) -> Dimension:
    version = facts.get(_CODEC_VERSION.encode())
    if version != str(VERSION).encode():
        raise CodecError(f"frame of version {version!r} given; this release reads versions 1 and 2; upgrade the reader")
    name = facts.get(_DIMENSION.encode(), b"")
    try:
        return Dimension(name.decode())
    except ValueError as error:
        raise CodecError(f"foreign frame: its dimension is {name[:40]!r}; known are {', '.join(Dimension)}") from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _as_bytes(data: bytes | bytearray | memoryview) -> memoryview:
    """The data as it is where nobody can change it any more, else a copy."""
    view = memoryview(data)
    plain = view.readonly and view.format == "B" and view.ndim == 1 and view.c_contiguous
    # a view into a larger message may begin anywhere; Arrow wants numbers at multiples of 8
    return view if plain and not pa.py_buffer(view).address % 8 else memoryview(view.tobytes())
