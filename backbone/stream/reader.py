"""A cursor over the in-process log."""

from __future__ import annotations

from typing import Protocol

import anyio

from backbone.domain.dimension import Dimension
from backbone.stream.errors import PositionGone, StreamClosed
from backbone.stream.port import Record
from backbone.stream.window import Window

__all__ = ["MemoryReader"]


class _Source(Protocol):
    """What a reader needs from its log."""

    @property
    def first_position(self) -> int: ...

    @property
    def newest_position(self) -> int: ...

    def lost(self, position: int) -> bool: ...

    def require_open(self) -> None: ...

    async def wait(self) -> None: ...


class MemoryReader:
    """An independent cursor: it looks into the log's window and moves nothing but itself."""

    def __init__(
        self,
        log: _Source,
        window: Window[Record],
        *,
        dimension: Dimension | None,
        symbols: frozenset[str],
        position: int,
    ) -> None:
        self._log = log
        self._window = window
        self._dimension = dimension
        self._symbols = symbols
        self._is_closed = False
        self.seek(position)

    @property
    def position(self) -> int:
        """Position up to which everything that matches was handed out."""
        return self._position

    def seek(self, position: int) -> None:
        """Stand after `position`."""
        if position < 0:
            raise ValueError(f"position {position} given; allowed: 0 (before the first record) or more")
        self._position = position
        self._index = self._index_after(position)

    async def poll(self, max_records: int = 500, timeout: float = 1.0) -> list[Record]:
        """Wait at most `timeout` seconds for matching records, woken by the publisher."""
        if max_records < 1:
            raise ValueError(f"max_records={max_records} given; at least 1 is needed")
        with anyio.move_on_after(timeout):
            while True:
                if records := self._take(max_records):
                    return records
                await self._log.wait()
        return []

    def lag(self) -> int:
        """Matching records that the log holds and this reader has not read."""
        return sum(1 for record in self._window.since(self._index) if self._is_wanted(record))

    async def close(self) -> None:
        """Refuse further polls."""
        self._is_closed = True

    def _take(self, max_records: int) -> list[Record]:
        if self._is_closed:
            raise StreamClosed("this reader is closed; ask the log for a new one")
        self._log.require_open()
        if self._log.lost(self._position):
            raise PositionGone(self._position, self._log.first_position)
        records: list[Record] = []
        self._index = max(self._index, self._window.start)
        while self._index < self._window.end and len(records) < max_records:
            record = self._window[self._index]
            if self._is_wanted(record):
                records.append(record)
            self._index += 1
            self._position = max(self._position, record.position)
        return records

    def _is_wanted(self, record: Record) -> bool:
        if record.position <= self._position:
            return False
        if self._dimension is not None and record.dimension is not self._dimension:
            return False
        return not self._symbols or record.key in self._symbols

    def _index_after(self, position: int) -> int:
        low, high = self._window.start, self._window.end
        while low < high:
            middle = (low + high) // 2
            if self._window[middle].position <= position:
                low = middle + 1
            else:
                high = middle
        return low
