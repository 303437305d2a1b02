"""What has to be known of an Arrow IPC stream before Arrow builds anything of it.

Arrow trusts a message as to how much there is: a few bytes may name one text or one field a million times, announce
buffers that unfold a thousandfold, or send dictionaries. So who reads bytes of others looks first at these facts, in
the flatbuffers of the two messages (schema, record batch), and refuses all that our own writer never makes. What is
left does not unfold: its columns lie in the bytes as they will in memory.

The layout is that of the Arrow columnar format 1.5, "Encapsulated message format", and of Schema.fbs and Message.fbs.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812  it is a class
from typing import TYPE_CHECKING, Final

from backbone.domain.errors import BackboneError

if TYPE_CHECKING:
    pass

__all__ = ["END", "MOST_HEAD_BYTES", "CodecError", "body_at", "inspect"]

END: Final = b"\xff\xff\xff\xff\0\0\0\0"
"""How a stream ends."""

MOST_HEAD_BYTES: Final = 16 * 1024
"""Bytes of the flatbuffer of one message at most, with all that travels beside the columns."""

_MOST_PAIRS: Final = 64
_LONGEST_NAME: Final = 64
_PREFIX: Final = Struct("<Ii")
_U16, _I16, _U32, _I32, _I64 = (Struct(f"<{code}") for code in "HhIiq")
_SCHEMA, _RECORD_BATCH = 1, 3
_FLAT_TYPES: Final = {2, 3, 5, 10}  # Int, FloatingPoint, Utf8, Timestamp
_STAMP_BYTES: Final = 8


class CodecError(BackboneError, ValueError):
    """The bytes are not a frame: foreign, truncated, damaged, or of a version this release does not know."""

    code = "codec"


class _Table:
    """A table of a flatbuffer, read in place; what points out of the bytes raises StructError."""

    __slots__ = ("_at", "_bytes", "_slots")

    def __init__(self, data: memoryview, at: int) -> None:
        self._bytes = data
        self._at = at
        slots = at - _I32.unpack_from(data, at)[0]
        self._slots = (slots, _U16.unpack_from(data, slots)[0])

    def place(self, field: int) -> int:
        """Where the value of a field lies, counted from 0 as the schema does; 0: it has its default."""
        slots, size = self._slots
        slot = 4 + 2 * field
        offset: int = _U16.unpack_from(self._bytes, slots + slot)[0] if slot + 2 <= size else 0
        return self._at + offset if offset else 0

    def number(self, field: int, kind: Struct) -> int:
        """A number, 0 by default."""
        at = self.place(field)
        return int(kind.unpack_from(self._bytes, at)[0]) if at else 0

    def byte(self, field: int) -> int:
        """An unsigned byte, 0 by default."""
        at = self.place(field)
        return int.from_bytes(self._bytes[at : at + 1], "little") if at else 0

    def target(self, field: int) -> int:
        """Where what a field refers to lies; 0: nothing."""
        at = self.place(field)
        return at + int(_U32.unpack_from(self._bytes, at)[0]) if at else 0

    def length(self, field: int) -> int:
        """How many elements a vector, or bytes a text has."""
        at = self.target(field)
        return int(_U32.unpack_from(self._bytes, at)[0]) if at else 0

    def table(self, field: int) -> _Table:
        """The table that a field refers to."""
        return _Table(self._bytes, self.target(field))

    def tables(self, field: int) -> list[_Table]:
        """The tables of a vector."""
        first = self.target(field) + 4
        places = range(first, first + 4 * self.length(field), 4)
        return [_Table(self._bytes, at + _U32.unpack_from(self._bytes, at)[0]) for at in places]


def body_at(data: memoryview, start: int) -> int:
    """Where the body of the message that begins at `start` lies.

    Raises:
        CodecError: no message begins there, its flatbuffer is larger than allowed, or it is cut.
    """
    try:
        mark, size = _PREFIX.unpack_from(data, start)
    except StructError as error:
        raise CodecError(f"not a frame, or cut: no message begins at byte {start} of {len(data)}") from error
    if mark != 0xFFFFFFFF or not 0 < size <= MOST_HEAD_BYTES or size % 8 or start + _PREFIX.size + size > len(data):
        raise CodecError(f"not a frame, cut or damaged: no message as we write them begins at byte {start}")
    return start + _PREFIX.size + int(size)


def inspect(data: memoryview) -> None:
    """Refuse a stream that is not one schema of flat columns and one plain record batch, whole, and nothing more.

    Raises:
        CodecError: anything about it is foreign: dictionaries, compression, nested or extended columns, another byte
            order, a second batch, bytes behind the end, or a batch that announces more than there is.
    """
    schema_end = body_at(data, 0)
    body = body_at(data, schema_end)
    try:
        _inspect_schema(_message(data[_PREFIX.size : schema_end], _SCHEMA, "schema"))
        batch = _message(data[schema_end + _PREFIX.size : body], _RECORD_BATCH, "record batch")
        _inspect_batch(batch, len(data) - len(END) - body)
    except StructError as error:
        raise CodecError(f"damaged frame: its header points out of itself: {error}") from error
    if data[-len(END) :].tobytes() != END:
        raise CodecError("truncated frame: it does not end as an Arrow stream does")


def _message(flatbuffer: memoryview, kind: int, name: str) -> _Table:
    message = _Table(flatbuffer, _U32.unpack_from(flatbuffer)[0])
    if message.byte(1) != kind:
        raise CodecError(f"foreign frame: a message of kind {message.byte(1)} stands where the {name} should")
    if message.length(4):
        raise CodecError(f"foreign frame: its {name} has metadata of its own beside that of the columns")
    return message


def _inspect_schema(message: _Table) -> None:
    schema = message.table(2)
    if message.number(3, _I64) or schema.number(0, _I16):
        raise CodecError("foreign frame: its byte order is not little-endian")
    if schema.length(1) > _MOST_PAIRS or schema.length(2) > _MOST_PAIRS:
        raise CodecError(f"foreign frame: over {_MOST_PAIRS} columns, or facts beside them")
    for field in schema.tables(1):
        if field.byte(2) not in _FLAT_TYPES or field.place(4) or field.length(5) or field.length(6):
            raise CodecError("foreign frame: a column is nested, extended, dictionary-encoded or of a foreign type")
        if field.length(0) > _LONGEST_NAME:
            raise CodecError(f"foreign frame: the name of a column has over {_LONGEST_NAME} bytes")
    if sum(pair.length(0) + pair.length(1) for pair in schema.tables(2)) > MOST_HEAD_BYTES:
        raise CodecError(f"foreign frame: over {MOST_HEAD_BYTES} bytes beside the columns")


def _inspect_batch(message: _Table, body_bytes: int) -> None:
    batch = message.table(2)
    if message.number(3, _I64) != body_bytes:
        raise CodecError("truncated or damaged frame: it announces another number of bytes than there are")
    if batch.place(3) or batch.length(4):
        raise CodecError("foreign frame: its columns are compressed, or of variable buffers")
    # every row has its stamp among the buffers, so a short message can't announce a huge table
    if not 0 <= batch.number(0, _I64) * _STAMP_BYTES <= body_bytes:
        raise CodecError(f"damaged frame: {batch.number(0, _I64)} rows announced in {body_bytes} bytes")
    if batch.length(1) > _MOST_PAIRS or batch.length(2) > 3 * _MOST_PAIRS:
        raise CodecError(f"foreign frame: over {_MOST_PAIRS} columns")
