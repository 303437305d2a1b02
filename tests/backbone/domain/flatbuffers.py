"""Arrow IPC messages made by hand, also such as no library would write."""

from __future__ import annotations

from struct import pack

__all__ = ["END", "Blob", "batch", "field", "message", "pairs", "schema", "stream", "table", "text", "vector"]

END = b"\xff\xff\xff\xff\0\0\0\0"


class Blob:
    """Some bytes of a flatbuffer, a multiple of 8, and where in them the object begins that others refer to."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data + bytes(-len(data) % 8)
        self.at = at


def table(*slots: bytes | Blob | None) -> Blob:
    """A table: numbers as little-endian bytes, references as blobs that follow it, defaults as None."""
    names = pack("<HH", 4 + 2 * len(slots), 8 + 8 * len(slots))
    names += b"".join(pack("<H", 0 if slot is None else 8 + 8 * n) for n, slot in enumerate(slots))
    names += bytes(-len(names) % 8)
    inline, behind = pack("<ixxxx", len(names)), b""
    for n, slot in enumerate(slots):
        if isinstance(slot, Blob):
            inline += pack("<Ixxxx", 8 * (len(slots) - n) + len(behind) + slot.at)
            behind += slot.data
        else:
            inline += (slot or b"").ljust(8, b"\0")
    return Blob(names + inline + behind, len(names))


def text(value: str) -> Blob:
    """A text."""
    raw = value.encode()
    return Blob(pack("<I", len(raw)) + raw + b"\0")


def vector(*elements: Blob, times: int = 1) -> Blob:
    """References to the elements, to each one so many times, though it is there once."""
    count = len(elements) * times
    room = 4 + 4 * count
    room += -room % 8
    references, behind = b"", b""
    for element in elements:
        for _ in range(times):
            references += pack("<I", room + len(behind) + element.at - 4 - len(references))
        behind += element.data
    return Blob((pack("<I", count) + references).ljust(room, b"\0") + behind)


def structs(*values: tuple[int, int]) -> Blob:
    """A vector of pairs of 64-bit numbers, whose elements are at multiples of 8."""
    return Blob(bytes(4) + pack("<I", len(values)) + b"".join(pack("<qq", *each) for each in values), 4)


UTF8, DOUBLE, INT64 = table(), table(pack("<h", 2)), table(pack("<i", 64), b"\1")
STAMP = table(pack("<h", 2), text("UTC"))


def field(
    name: str, nullable: bool, kind: int, type_: Blob, dictionary: Blob | None = None, *children: Blob, **more: Blob
) -> Blob:
    """A column; kinds: 2 Int, 3 FloatingPoint, 5 Utf8, 10 Timestamp, 12 List."""
    slots = (text(name), bytes([nullable]), bytes([kind]), type_, dictionary, vector(*children), more.get("metadata"))
    return table(*slots)


def trades() -> list[Blob]:
    """The columns of trades."""
    return [
        *(field("symbol", False, 5, UTF8), field("ts", False, 10, STAMP), field("sequence", True, 2, INT64)),
        *(field("price", True, 3, DOUBLE), field("size", True, 3, DOUBLE)),
        *(field("venue", True, 5, UTF8), field("conditions", True, 5, UTF8)),
    ]


def pairs(times: int = 1, **facts: str) -> Blob:
    """Metadata."""
    return vector(*(table(text(name), text(value)) for name, value in facts.items()), times=times)


OURS = {"dimension": "trades", "codec_version": "2"}


def schema(
    columns: Blob | None = None, facts: Blob | None = None, *, big_endian: bool = False, beside: Blob | None = None
) -> bytes:
    """The first message."""
    columns = vector(*trades()) if columns is None else columns
    header = table(pack("<h", big_endian), columns, pairs(1, **OURS) if facts is None else facts)
    return message(1, header, beside=beside)


def batch(
    rows: int,
    body: bytes,
    nodes: list[tuple[int, int]],
    buffers: list[tuple[int, int]],
    *,
    compression: Blob | None = None,
    announced: int | None = None,
) -> bytes:
    """The second message."""
    header = table(pack("<q", rows), structs(*nodes), structs(*buffers), compression)
    return message(3, header, len(body) if announced is None else announced) + body


def message(kind: int, header: Blob, body_bytes: int = 0, beside: Blob | None = None) -> bytes:
    """One message without its body; kinds: 1 schema, 2 dictionary, 3 record batch."""
    made = table(pack("<h", 4), bytes([kind]), header, pack("<q", body_bytes), beside)
    flatbuffer = pack("<Ixxxx", 8 + made.at) + made.data
    return pack("<Ii", 0xFFFFFFFF, len(flatbuffer)) + flatbuffer


def stream(*messages: bytes) -> bytes:
    """Messages and the end."""
    return b"".join(messages) + END
