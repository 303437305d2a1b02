"""The in-process log: the stream of a laptop and of tests. It lives as long as its process.

Records stand in one window in position order, which implies order per symbol, and once more per partition for
consumer groups. Memory is bounded in bytes by forgetting the oldest records; their positions stay readable from the
outbox, and a reader that stands before them is told so (`PositionGone`) rather than skipped ahead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import anyio

from backbone.domain.dimension import Dimension
from backbone.domain.hashing import partition_of
from backbone.stream.errors import StreamClosed
from backbone.stream.port import (
    Envelope,
    LagReport,
    PartitionLag,
    PublishResult,
    Record,
    Start,
    StreamInfo,
)
from backbone.stream.reader import MemoryReader
from backbone.stream.trim import newest_rows
from backbone.stream.window import Window

__all__ = ["MemoryLog"]

_RECORD_OVERHEAD = 512
"""Bytes counted for a record beside its payload: the Struct, its strings and its list slots."""


class MemoryLog:
    """A partitioned append-only log in memory.

    Args:
        partitions: number of partitions, at least 1.
        capacity_bytes: bound of what is retained (payloads plus a flat amount per record); the newest record is
            always retained.
        partition: the stable hash of a symbol; replaced in tests only.
    """

    def __init__(
        self,
        *,
        partitions: int = 8,
        capacity_bytes: int = 64 * 2**20,
        partition: Callable[[str, int], int] = partition_of,
    ) -> None:
        if partitions < 1:
            raise ValueError(f"partitions={partitions} given; at least 1 is needed")
        if capacity_bytes < 1:
            raise ValueError(f"capacity_bytes={capacity_bytes} given; at least 1 is needed")
        self._capacity = capacity_bytes
        self._partition = partition
        self._window: Window[Record] = Window()
        self._partitions: list[Window[Record]] = [Window() for _ in range(partitions)]
        self._newest: dict[tuple[Dimension, str], Record] = {}
        self._committed: dict[str, dict[int, int]] = defaultdict(dict)
        self._retained_bytes = 0
        self._dropped_records = 0
        self._floor: int | None = None
        self._newest_position = 0
        self._arrival: anyio.Event | None = None
        self._is_open = False

    async def open(self) -> None:
        """Make ready; what was published before a `close` is still there."""
        self._is_open = True

    async def close(self) -> None:
        """Wake every waiting reader with `StreamClosed`."""
        self._is_open = False
        self._wake()

    async def probe(self) -> StreamInfo:
        """Say what is retained."""
        return StreamInfo(
            backend="memory",
            healthy=self._is_open,
            degraded_reason=None if self._is_open else "the log is closed",
            details={
                "lifetime": "this process",
                "partitions": str(len(self._partitions)),
                "records": str(len(self._window)),
                "retained_bytes": str(self._retained_bytes),
                "capacity_bytes": str(self._capacity),
                "dropped_records": str(self._dropped_records),
                "newest_position": str(self._newest_position),
            },
        )

    @property
    def first_position(self) -> int:
        """Position of the oldest record retained; what lies before it is in the outbox only."""
        return self._window[self._window.start].position if len(self._window) else self._newest_position + 1

    @property
    def newest_position(self) -> int:
        """Position of the newest record published, 0 before the first."""
        return self._newest_position

    def lost(self, position: int) -> bool:
        """Whether records after `position` were published and are no longer here."""
        return self._floor is not None and position < self._floor

    async def resume(self, position: int) -> None:
        """Take positions up to `position` as published earlier: they are not here and are not appended again."""
        while position > self._newest_position and len(self._window):
            self._drop_oldest()
        self._newest_position = max(self._newest_position, position)
        if not len(self._window):
            self._floor = self._newest_position
        self._wake()

    async def publish(self, envelopes: Sequence[Envelope]) -> PublishResult:
        """Append what is new, forget the oldest beyond the capacity, wake the readers."""
        self.require_open()
        _require_ascending(envelopes)
        duplicates = 0
        for envelope in envelopes:
            if envelope.position <= self._newest_position:
                duplicates += 1
            else:
                self._append(envelope)
        published = len(envelopes) - duplicates
        if published:
            self._wake()
        return PublishResult(published=published, duplicates=duplicates)

    def ends(self) -> dict[int, int]:
        """End offset by partition."""
        return {number: window.end for number, window in enumerate(self._partitions)}

    async def read(self, partition: int, offset: int, max_records: int = 500) -> list[Record]:
        """Records of one partition from `offset` on."""
        self.require_open()
        window = self._partitions[self._known_partition(partition)]
        first = max(offset, window.start)
        return [window[index] for index in range(first, min(first + max_records, window.end))]

    def reader(
        self, *, dimension: Dimension | None = None, symbols: Sequence[str] = (), after: Start = 0
    ) -> MemoryReader:
        """A new cursor; nothing is registered, so a forgotten reader costs nothing."""
        if after == "latest":
            position = self._newest_position
        elif after == "earliest":
            position = self._floor or 0
        elif isinstance(after, int) and after >= 0:
            position = after
        else:
            raise ValueError(f"after={after!r} given; allowed: 'latest', 'earliest' or a position of 0 or more")
        return MemoryReader(self, self._window, dimension=dimension, symbols=frozenset(symbols), position=position)

    def last(self, dimension: Dimension, symbol: str) -> Record | None:
        """Newest record of that dimension and symbol; when the window forgets it, its newest rows are kept."""
        return self._newest.get((dimension, symbol))

    async def commit(self, group: str, partition: int, offset: int) -> None:
        """Remember the offset for as long as the process lives."""
        end = self._partitions[self._known_partition(partition)].end
        if not 0 <= offset <= end:
            raise ValueError(f"offset {offset} of partition {partition} given; allowed: 0..{end}")
        self._committed[group][partition] = offset

    async def committed(self, group: str, partition: int) -> int:
        """Committed offset, 0 if there is none."""
        return self._committed.get(group, {}).get(self._known_partition(partition), 0)

    async def lag(self, group: str) -> LagReport:
        """End offsets minus committed offsets."""
        committed = self._committed.get(group, {})
        partitions = tuple(
            PartitionLag(partition=n, committed=committed.get(n, 0), end=end, lag=end - committed.get(n, 0))
            for n, end in self.ends().items()
        )
        lags = [partition.lag for partition in partitions]
        return LagReport(group=group, partitions=partitions, total_lag=sum(lags), max_lag=max(lags))

    def _append(self, envelope: Envelope) -> None:
        if self._floor is None:
            self._floor = envelope.position - 1
        number = self._partition(envelope.symbol, len(self._partitions))
        record = Record(
            position=envelope.position,
            partition=number,
            offset=self._partitions[number].end,
            key=envelope.symbol,
            event_id=envelope.event_id,
            dimension=envelope.dimension,
            rows=envelope.rows,
            payload=envelope.payload,
        )
        self._window.append(record)
        self._partitions[number].append(record)
        self._newest[record.dimension, record.key] = record
        self._newest_position = record.position
        self._retained_bytes += _size(record)
        while self._retained_bytes > self._capacity and len(self._window) > 1:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        record = self._window.drop_first()
        self._partitions[record.partition].drop_first()
        self._retained_bytes -= _size(record)
        self._dropped_records += 1
        self._floor = max(self._floor or 0, record.position)
        if self._newest.get((record.dimension, record.key)) is record:
            self._newest[record.dimension, record.key] = newest_rows(record)

    def _wake(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.set()

    async def wait(self) -> None:
        """Return at the next publish, resume or close."""
        if self._arrival is None:
            self._arrival = anyio.Event()
        await self._arrival.wait()

    def require_open(self) -> None:
        """Raise `StreamClosed` unless the log is open."""
        if not self._is_open:
            raise StreamClosed("the in-process log is closed; open it before publishing or reading")

    def _known_partition(self, partition: int) -> int:
        if not 0 <= partition < len(self._partitions):
            raise ValueError(f"partition {partition} given; allowed: 0..{len(self._partitions) - 1}")
        return partition


def _size(record: Record) -> int:
    return len(record.payload) + _RECORD_OVERHEAD


def _require_ascending(envelopes: Sequence[Envelope]) -> None:
    previous = 0
    for envelope in envelopes:
        if envelope.position <= previous:
            raise ValueError(
                f"position {envelope.position} after {previous} given; positions start at 1 and ascend within a batch: "
                "publish outbox rows in the order in which they were read"
            )
        previous = envelope.position
