"""What travels on the stream: what the relay hands over, the records that are read, and where a reader stands."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from backbone.domain.dimension import Dimension

__all__ = ["Envelope", "PartitionLag", "Place", "Record"]


class Place(msgspec.Struct, frozen=True):
    """Where a cursor stands, for going there again: after a lost answer, a restart, in another process.

    Attributes:
        position: everything that matches up to this outbox position was handed out.
        mark: the adapter's own and more exact word for it, such as an offset for each partition; "" where the position
            says it all. It means nothing to another generation of the stream.
    """

    position: int
    mark: str = ""


class Envelope(Protocol):
    """What the relay hands over: an outbox row has this shape."""

    @property
    def position(self) -> int:
        """Position in the outbox, ascending in commit order, greater than 0."""
        ...

    @property
    def event_id(self) -> str:
        """Identifier of the change, by which consumers drop what they have seen."""
        ...

    @property
    def ingest_id(self) -> str:
        """Chunk that the change came from."""
        ...

    @property
    def dimension(self) -> Dimension:
        """Dimension of the rows."""
        ...

    @property
    def symbol(self) -> str:
        """Symbol (or calendar) of all the rows: the key of the record."""
        ...

    @property
    def rows(self) -> int:
        """Number of rows in the payload."""
        ...

    @property
    def revision(self) -> int:
        """Of two versions of a row the one of the greater revision is the newer."""
        ...

    @property
    def payload(self) -> bytes:
        """The rows in the columnar codec."""
        ...

    @property
    def checksum(self) -> int | None:
        """Of the payload, as it was written; None: nobody noted it."""
        ...

    @property
    def created_at(self) -> datetime:
        """When it was committed."""
        ...


class Record(msgspec.Struct, frozen=True):
    """One published change: the rows of one symbol that one commit inserted or changed.

    Attributes:
        position: position in the outbox it came from.
        partition: partition by the stable hash of the symbol.
        offset: offset within the partition, from 0.
        key: the symbol (or calendar).
        event_id: identifier of the change.
        ingest_id: chunk that the change came from.
        dimension: dimension of the rows.
        rows: number of rows in the payload.
        revision: of two versions of a row the one of the greater revision is the newer.
        payload: the rows in the columnar codec.
        place: where a cursor stands that has handed out this record; None: after its position.
        checksum: of the payload, as it was written, beside it on the stream; None: it came without one.
        created_at: when the change was committed; None: it came without it.
    """

    position: int
    partition: int
    offset: int
    key: str
    event_id: str
    ingest_id: str
    dimension: Dimension
    rows: int
    revision: int
    payload: bytes
    place: Place | None = None
    checksum: int | None = None
    created_at: datetime | None = None


class PartitionLag(msgspec.Struct, frozen=True):
    """How far reading is behind in one partition.

    Attributes:
        topic: name of the topic.
        partition: of it.
        current_offset: the next one that the slowest cursor reads.
        end_offset: the one that the next record gets.
        lag: records between the two.
    """

    topic: str
    partition: int
    current_offset: int
    end_offset: int
    lag: int
