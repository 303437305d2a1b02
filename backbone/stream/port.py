"""The port of the stream: what every log (in-process, Kafka) offers, and the records that travel on it.

Delivery is at least once and in order per symbol: the relay publishes outbox rows in position order, a symbol always
lands on the same partition, and what is sent twice is dropped by its position. Reading is broadcast: each reader has
a cursor of its own and sees every matching record, however slow the other readers are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from backbone.domain.dimension import Dimension

__all__ = [
    "Envelope",
    "LagReport",
    "Log",
    "PartitionLag",
    "PublishResult",
    "Reader",
    "Record",
    "Start",
    "StreamInfo",
]

Start = int | Literal["latest", "earliest"]
"""Where a reader starts: after this outbox position, after the newest record, or at the oldest one retained."""


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
    def payload(self) -> bytes:
        """The rows in the columnar codec."""
        ...


class Record(msgspec.Struct, frozen=True):
    """One published change: the rows of one symbol that one commit inserted or changed.

    Attributes:
        position: position in the outbox it came from.
        partition: partition by the stable hash of the symbol.
        offset: offset within the partition, from 0.
        key: the symbol (or calendar).
        event_id: identifier of the change.
        dimension: dimension of the rows.
        rows: number of rows in the payload.
        payload: the rows in the columnar codec.
    """

    position: int
    partition: int
    offset: int
    key: str
    event_id: str
    dimension: Dimension
    rows: int
    payload: bytes


class PublishResult(msgspec.Struct, frozen=True):
    """How many envelopes were appended, and how many had been appended before and were dropped."""

    published: int
    duplicates: int


class PartitionLag(msgspec.Struct, frozen=True):
    """Lag of one group on one partition: `end - committed` records."""

    partition: int
    committed: int
    end: int
    lag: int


class LagReport(msgspec.Struct, frozen=True):
    """Lag of one group over all partitions, in records."""

    group: str
    partitions: tuple[PartitionLag, ...]
    total_lag: int
    max_lag: int


class StreamInfo(msgspec.Struct, frozen=True):
    """Answer of a probe that really asked the log.

    Attributes:
        backend: "memory" or "kafka".
        healthy: whether records can be published now.
        degraded_reason: why it works less well than it should, None if it does not.
        details: facts for the operator, as text.
    """

    backend: str
    healthy: bool
    degraded_reason: str | None = None
    details: dict[str, str] = {}


class Reader(Protocol):
    """An independent cursor over the log."""

    @property
    def position(self) -> int:
        """Position up to which everything that matches was handed out."""
        ...

    async def poll(self, max_records: int = 500, timeout: float = 1.0) -> list[Record]:
        """Wait at most `timeout` seconds for matching records after the cursor, and move past them.

        Args:
            max_records: upper bound of the answer's length, at least 1.
            timeout: seconds to wait when there is nothing to read; 0 only looks.

        Returns:
            Records in ascending position; empty when the time passed.

        Raises:
            PositionGone: the cursor lies before what the log retains.
            StreamClosed: the log or this reader was closed.
        """
        ...

    def seek(self, position: int) -> None:
        """Stand after `position`: the next record read has a greater one."""
        ...

    def lag(self) -> int:
        """Number of records that were published, match, and were not read yet."""
        ...

    async def close(self) -> None:
        """Give back what the reader holds; a second call does nothing."""
        ...


class Log(Protocol):
    """An append-only, partitioned log of changes."""

    async def open(self) -> None:
        """Connect; a second call does nothing."""
        ...

    async def close(self) -> None:
        """Wake all readers with `StreamClosed` and give back what the log holds; a second call does nothing."""
        ...

    async def probe(self) -> StreamInfo:
        """Ask the log whether it works."""
        ...

    async def resume(self, position: int) -> None:
        """Say that positions up to `position` were published in an earlier life of this log and are not in it."""
        ...

    async def publish(self, envelopes: Sequence[Envelope]) -> PublishResult:
        """Append envelopes in the order given; those whose position was appended before are dropped and counted.

        Args:
            envelopes: ascending by position.

        Raises:
            ValueError: positions that do not ascend, or one below 1; nothing was appended.
            StreamClosed: the log is not open.
        """
        ...

    def ends(self) -> dict[int, int]:
        """End offset (the offset that the next record gets) by partition."""
        ...

    async def read(self, partition: int, offset: int, max_records: int = 500) -> list[Record]:
        """Records of one partition from `offset` on, without waiting; records already dropped are skipped."""
        ...

    def reader(self, *, dimension: Dimension | None = None, symbols: Sequence[str] = (), after: Start = 0) -> Reader:
        """A new cursor over the records of `dimension` (None: all) and `symbols` (empty: all)."""
        ...

    def last(self, dimension: Dimension, symbol: str) -> Record | None:
        """Newest record of that dimension and symbol, without waiting; None if none was seen."""
        ...

    async def commit(self, group: str, partition: int, offset: int) -> None:
        """Note that `group` has dealt with everything before `offset`.

        Raises:
            ValueError: no such partition, or an offset outside 0..end.
        """
        ...

    async def committed(self, group: str, partition: int) -> int:
        """Committed offset of that group, 0 if it never committed."""
        ...

    async def lag(self, group: str) -> LagReport:
        """Lag of that group: end offsets minus committed offsets."""
        ...
