"""How a change looks as a record of Kafka, and back: key, value and headers, readable without our code.

The key is the symbol in UTF-8, the value the rows as an Arrow IPC stream, and each header a short text in ASCII. What
is read back came from a server that others may write to as well: of a record that is none of ours nothing is believed.
A marker, which says that the database was set back, is told by its `content-type`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from backbone.domain.arguments import LARGEST
from backbone.domain.clock import MAX_US, from_us, to_us
from backbone.domain.dimension import Dimension
from backbone.domain.text import LONGEST_TEXT, excerpt, hidden
from backbone.stream.errors import StreamError
from backbone.stream.records import Envelope, Record

__all__ = ["ARROW_STREAM", "Headers", "Marker", "Replayed", "Unreadable", "decoded", "encoded", "marked", "replayed"]

Headers = list[tuple[str, bytes]]

ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"
_MARKER: Final = "application/vnd.backbone.marker"
_MARKER_KEY: Final = b"backbone.marker"

_NUMBER = re.compile(rb"(?:0|[1-9][0-9]{0,18})")
_NAME = re.compile(rb"[!-~]{1,128}")
_LARGEST_CHECKSUM: Final = 2**32 - 1


class Unreadable(StreamError):
    """A record is none of ours, or was damaged: nothing in it can be handed out. Others follow it.

    Attributes:
        reason: what is wrong with it, without where it lies.
    """

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.reason = reason


class Marker(msgspec.Struct, frozen=True):
    """The control record in every partition: the database was set back, and the stream began again here.

    Attributes:
        generation: names the beginning; the markers of one beginning share it.
        position: what was published after this outbox position and lies before the marker is no longer so.
    """

    generation: str
    position: int


class Replayed(msgspec.Struct, frozen=True):
    """Rows that were sent again because somebody asked: no change, and so nothing for a cursor; others may want them.

    Attributes:
        run: the how-manieth time that these were sent.
        position: up to here all was published when they were sent.
    """

    run: int
    position: int


def encoded(envelope: Envelope) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of a change."""
    headers = [
        ("event_id", envelope.event_id.encode()),
        ("position", b"%d" % envelope.position),
        ("ingest_id", envelope.ingest_id.encode()),
        ("revision", b"%d" % envelope.revision),
        ("rows", b"%d" % envelope.rows),
        ("dimension", envelope.dimension.encode()),
        ("content-type", ARROW_STREAM.encode()),
    ]
    headers.append(("created_at", b"%d" % max(to_us(envelope.created_at), 0)))
    if envelope.checksum is not None:
        headers.append(("checksum", b"%d" % envelope.checksum))
    return envelope.symbol.encode(), envelope.payload, headers


def marked(marker: Marker) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of a marker."""
    headers = [
        ("generation", marker.generation.encode()),
        ("position", b"%d" % marker.position),
        ("content-type", _MARKER.encode()),
    ]
    return _MARKER_KEY, b"", headers


def replayed(envelope: Envelope, run: int, filters: str) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of rows that are sent again: those of a change, and that it is none.

    Args:
        envelope: the rows.
        run: the how-manieth time that these are sent.
        filters: what was asked for, as JSON in ASCII.
    """
    key, value, headers = encoded(envelope)
    marks = [("backfill", b"true"), ("replay", b"%d" % run), ("requested_filters", filters.encode("ascii"))]
    return key, value, [*headers, *marks]


def decoded(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
) -> Record | Marker | Replayed:
    """What a record of Kafka says. Headers that we do not know are passed over: tracing and others add their own.

    The value is not looked into: its checksum and the codec are for who decodes the rows.

    Raises:
        Unreadable: it is no record of ours.
    """
    try:
        given = _by_name(headers)
        if given.get("content-type") == _MARKER.encode():
            return Marker(_name(given, "generation"), _number(given, "position"))
        if "backfill" in given:
            return Replayed(_number(given, "replay"), _number(given, "position"))
        return _record(partition, offset, key, value, given)
    except Unreadable as error:
        raise Unreadable(error.reason, f"{topic}, partition {partition}, offset {offset}") from None


def _record(partition: int, offset: int, key: bytes | None, value: bytes | None, given: dict[str, bytes]) -> Record:
    if (kind := _wanted(given, "content-type")) != ARROW_STREAM.encode():
        raise Unreadable(f"content-type {excerpt(kind, 80)} given; ours are {ARROW_STREAM}")
    if value is None:
        raise Unreadable("no value given: a deletion, which we never send")
    position = _number(given, "position")
    if position < 1:
        raise Unreadable("position 0 given; positions begin at 1")
    return Record(
        position=position,
        partition=partition,
        offset=offset,
        key=_symbol(key),
        event_id=_name(given, "event_id"),
        ingest_id=_name(given, "ingest_id"),
        dimension=_dimension(given),
        rows=_number(given, "rows"),
        revision=_number(given, "revision"),
        payload=value,
        checksum=_number(given, "checksum", _LARGEST_CHECKSUM) if "checksum" in given else None,
        created_at=from_us(_number(given, "created_at", MAX_US)) if "created_at" in given else None,
    )


_OURS = frozenset(
    {
        "event_id",
        "position",
        "ingest_id",
        "revision",
        "rows",
        "dimension",
        "checksum",
        "created_at",
        "content-type",
        "generation",
        "backfill",
        "replay",
    }
)


def _by_name(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, bytes]:
    given: dict[str, bytes] = {}
    for name, value in headers:
        if name not in _OURS:
            continue
        if name in given:
            raise Unreadable(f"the header {name} given twice")
        if value is None:
            raise Unreadable(f"the header {name} given without a value")
        given[name] = value
    return given


def _wanted(given: dict[str, bytes], name: str) -> bytes:
    if name not in given:
        raise Unreadable(f"no header {name} given")
    return given[name]


def _number(given: dict[str, bytes], name: str, largest: int = LARGEST) -> int:
    value = _wanted(given, name)
    if not _NUMBER.fullmatch(value) or int(value) > largest:
        raise Unreadable(f"the header {name} is {excerpt(value, 40)}; allowed is a number from 0 to {largest}")
    return int(value)


def _name(given: dict[str, bytes], name: str) -> str:
    value = _wanted(given, name)
    if not _NAME.fullmatch(value):
        raise Unreadable(f"the header {name} is {excerpt(value, 40)}; allowed are 1 to 128 printable ASCII characters")
    return value.decode("ascii")


def _dimension(given: dict[str, bytes]) -> Dimension:
    value = _wanted(given, "dimension")
    try:
        return Dimension(value.decode("ascii"))
    except ValueError:
        raise Unreadable(f"the header dimension is {excerpt(value, 40)}; allowed are {', '.join(Dimension)}") from None


def _symbol(key: bytes | None) -> str:
    if not key:
        raise Unreadable("no key given; the key of a change is its symbol")
    if len(key) > LONGEST_TEXT:
        raise Unreadable(f"a key of {len(key)} bytes given; a symbol has at most {LONGEST_TEXT}")
    try:
        symbol = key.decode()
    except UnicodeDecodeError:
        raise Unreadable(f"the key {excerpt(key, 40)} given; the key of a change is its symbol in UTF-8") from None
    if character := hidden(symbol):
        raise Unreadable(f"the key {excerpt(symbol, 40)} given; a symbol has no character {character}")
    return symbol
