"""Cut the changed rows of a chunk into outbox payloads: one symbol each, of bounded size, in key order."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from backbone.domain.codec import encode, encode_parts
from backbone.domain.frame import Frame
from backbone.domain.identifiers import event_id

__all__ = ["MAX_PAYLOAD_BYTES", "Origin", "Payload", "payloads_of"]

MAX_PAYLOAD_BYTES = 512 * 1024
"""Half of what a Kafka broker accepts by default."""

_META_BYTES = 512
"""Generous room for what travels beside the rows."""


class Origin(msgspec.Struct, frozen=True):
    """Where rows come from, as it travels with them.

    Attributes:
        source: name of the source.
        ingest_id: chunk they came in.
        revision: of that chunk.
        ingested_at_us: stamp of that chunk, microseconds since 1970 UTC.
    """

    source: str
    ingest_id: str
    revision: int
    ingested_at_us: int


class Payload(msgspec.Struct, frozen=True):
    """Encoded rows of one symbol."""

    event_id: str
    symbol: str
    rows: int
    data: bytes


def payloads_of(frame: Frame, origin: Origin, max_bytes: int = MAX_PAYLOAD_BYTES) -> Iterator[Payload]:
    """Encode the rows symbol by symbol.

    The revision takes part in the event id: content A, then B, then A again are three different changes.

    Args:
        frame: the rows that were inserted or changed.
        origin: where they come from.
        max_bytes: bound of one payload; a single row may exceed it.
    """
    seed = f"{origin.ingest_id}:{origin.revision}"
    for symbol, rows in frame.split_by_symbol():
        for n, part in enumerate(_parts(rows, max_bytes)):
            identity = event_id(seed, symbol, n)
            meta: dict[str, str | int | float | None] = {
                "event_id": identity,
                "ingest_id": origin.ingest_id,
                "revision": origin.revision,
                "source": origin.source,
                "ingested_at": origin.ingested_at_us,
            }
            yield Payload(event_id=identity, symbol=symbol, rows=part.num_rows, data=encode(part, meta))


def _parts(frame: Frame, max_bytes: int) -> Iterator[Frame]:
    """Slices that encode into at most `max_bytes`: about equal ones first, and those too large yet cut again."""
    size = sum(map(len, encode_parts(frame))) + _META_BYTES
    if size <= max_bytes or frame.num_rows == 1:
        yield frame
        return
    pieces = min(frame.num_rows, -(-size // max(1, max_bytes - 2 * _META_BYTES)))
    rows = -(-frame.num_rows // pieces)
    for offset in range(0, frame.num_rows, rows):
        yield from _parts(frame.slice(offset, rows), max_bytes)
