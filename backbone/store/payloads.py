"""Cut the changed rows of a chunk into outbox payloads: one symbol each, of bounded size, in key order."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from backbone.domain.codec import checksum_of, encode, encoded_bytes
from backbone.domain.frame import Frame
from backbone.domain.identifiers import event_id

__all__ = ["MAX_PAYLOAD_BYTES", "Origin", "Payload", "payloads_of"]

MAX_PAYLOAD_BYTES = 512 * 1024
"""Half of what a Kafka broker accepts by default."""

_HEAD_BYTES = 2048
"""About what each payload has besides its rows."""

_ANY_EVENT = event_id("", "", 0)
"""As long as any other."""

Meta = dict[str, str | int | float | None]


class Origin(msgspec.Struct, frozen=True):
    """Where rows come from, as it travels with them.

    Attributes:
        source: name of the source.
        ingest_id: chunk they came in.
        revision: of that chunk.
        ingested_at_us: stamp of that chunk, microseconds since 1970 UTC.
        known_at_us: since when its values are known, where that is not since then.
    """

    source: str
    ingest_id: str
    revision: int
    ingested_at_us: int
    known_at_us: int | None = None

    @property
    def since_us(self) -> int:
        """Since when its rows stand, as a read ``as_of`` a moment sees it."""
        return self.ingested_at_us if self.known_at_us is None else self.known_at_us


class Payload(msgspec.Struct, frozen=True):
    """Encoded rows of one symbol, and the checksum that travels beside them."""

    event_id: str
    symbol: str
    rows: int
    data: bytes
    checksum: int


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
        for n, part in enumerate(_parts(rows, origin, max_bytes)):
            identity = event_id(seed, symbol, n)
            data = encode(part, _meta(identity, origin))
            yield Payload(identity, symbol, part.num_rows, data, checksum_of(data))


def _meta(identity: str, origin: Origin) -> Meta:
    return {
        "event_id": identity,
        "ingest_id": origin.ingest_id,
        "revision": origin.revision,
        "source": origin.source,
        "ingested_at": origin.ingested_at_us,
    }


def _parts(frame: Frame, origin: Origin, max_bytes: int) -> Iterator[Frame]:
    """Slices that encode into at most `max_bytes`: about equal ones first, and those too large yet cut again."""
    if frame.num_rows == 1:
        yield frame
        return
    size = encoded_bytes(frame, _meta(_ANY_EVENT, origin))
    if size <= max_bytes:
        yield frame
        return
    pieces = min(frame.num_rows, -(-size // max(1, max_bytes - _HEAD_BYTES)))
    rows = -(-frame.num_rows // pieces)
    for offset in range(0, frame.num_rows, rows):
        yield from _parts(frame.slice(offset, rows), origin, max_bytes)
