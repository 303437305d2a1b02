"""The in-process log: what a server keeps elsewhere. It lives as long as its stream.

Records stand in one window in position order, which implies order per symbol. Memory is bounded in bytes by forgetting
the oldest records; their positions stay readable from the outbox, and a cursor that stands before them is told so
(`PositionGone`) rather than skipped ahead.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from backbone.domain.dimension import Dimension
from backbone.domain.hashing import partition_of
from backbone.stream.interest import Interest
from backbone.stream.memory.window import Window
from backbone.stream.records import Envelope, Record

__all__ = ["MemoryLog"]

_RECORD_OVERHEAD = 512
"""Bytes counted for a record beside its payload: the Struct, its strings and its list slots."""


class MemoryLog:
    """An append-only log in memory; publishers append, cursors look into `window`.

    Args:
        partitions: number of partitions, at least 1.
        capacity_bytes: bound of what is retained; the newest record is always retained.

    Attributes:
        generation: names this log.
        window: what is retained, ascending by position.
        newest_position: of the newest record published, 0 before the first.
        base: the position that the first record of this log follows; None: not known yet.
        interest: who waits for what.
    """

    def __init__(self, *, partitions: int, capacity_bytes: int) -> None:
        if partitions < 1:
            raise ValueError(f"partitions={partitions} given; at least 1 is needed")
        if capacity_bytes < 1:
            raise ValueError(f"capacity_bytes={capacity_bytes} given; at least 1 is needed")
        self.generation = os.urandom(8).hex()
        self.window: Window[Record] = Window()
        self.newest_position = 0
        self.base: int | None = None
        self._floor = 0
        self._capacity = capacity_bytes
        self._ends = [0] * partitions
        self._retained_bytes = 0
        self._dropped_records = 0
        self.interest: Interest[Dimension] = Interest(Dimension)

    @property
    def first_position(self) -> int:
        """Position of the oldest record retained; what lies before it is in the outbox only."""
        return self.window[self.window.start].position if len(self.window) else self.newest_position + 1

    @property
    def oldest(self) -> int:
        """After this position nothing was forgotten."""
        return self._floor

    def lost(self, position: int) -> bool:
        """Whether records after `position` were published and are no longer here."""
        return self.base is not None and position < self._floor

    def facts(self) -> dict[str, str]:
        """For the operator."""
        return {
            "lifetime": "this process",
            "partitions": str(len(self._ends)),
            "records": str(len(self.window)),
            "retained_bytes": str(self._retained_bytes),
            "capacity_bytes": str(self._capacity),
            "dropped_records": str(self._dropped_records),
            "newest_position": str(self.newest_position),
        }

    def resume(self, position: int) -> None:
        """Take positions up to `position` as published earlier: they are not here and are not appended again."""
        self.wake()
        while position > self.newest_position and len(self.window):
            self._drop_oldest()
        self.newest_position = max(self.newest_position, position)
        if not len(self.window):
            self._floor = self.newest_position
        if self.base is None:
            self.base = self.newest_position

    def begin_again(self, position: int) -> None:
        """Forget all records and become another log, which follows a position."""
        self.wake()
        while len(self.window):
            self._drop_oldest()
        self.generation = os.urandom(8).hex()
        self.newest_position = self._floor = self.base = position

    def append(self, envelopes: Sequence[Envelope]) -> None:
        """Append what is not here yet, forget the oldest beyond the capacity, wake those who wait for any of it."""
        for envelope in envelopes:
            if envelope.position > self.newest_position:
                self._append(envelope)

    def _append(self, envelope: Envelope) -> None:
        if self.base is None:
            self.base = self._floor = envelope.position - 1
        number = partition_of(envelope.symbol, len(self._ends))
        record = Record(
            position=envelope.position,
            partition=number,
            offset=self._ends[number],
            key=envelope.symbol,
            event_id=envelope.event_id,
            ingest_id=envelope.ingest_id,
            dimension=envelope.dimension,
            rows=envelope.rows,
            revision=envelope.revision,
            payload=envelope.payload,
            checksum=envelope.checksum,
            created_at=envelope.created_at,
        )
        self._ends[number] += 1
        self.window.append(record)
        self.newest_position = record.position
        self._retained_bytes += _size(record)
        self.interest.came(record.dimension, record.key, self.window.end - 1)
        while self._retained_bytes > self._capacity and len(self.window) > 1:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        record = self.window.drop_first()
        self._retained_bytes -= _size(record)
        self._dropped_records += 1
        self._floor = max(self._floor, record.position)

    def wake(self) -> None:
        """Have all who wait look again, each from where it stands by now."""
        for dimension in Dimension:
            self.interest.all_came(dimension, self.window.end)


def _size(record: Record) -> int:
    return len(record.payload) + _RECORD_OVERHEAD
