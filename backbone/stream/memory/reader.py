"""A cursor over the in-process log."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from backbone.domain.dimension import Dimension
from backbone.stream.errors import PositionGone, StreamClosed, StreamSetBack
from backbone.stream.memory.log import MemoryLog
from backbone.stream.port import Place, Record

__all__ = ["UNKNOWN", "MemoryCursor"]

UNKNOWN = Place(0, "base")
"""The latest place of a log that nobody has told yet where it begins: just before its first record."""


class MemoryCursor:
    """An independent cursor: it looks into the log's window and moves nothing but itself."""

    def __init__(
        self,
        log: MemoryLog,
        require_open: Callable[[], None],
        dimension: Dimension | None,
        symbols: frozenset[str],
        place: Place,
    ) -> None:
        self._log = log
        self._window = log.window
        self._require_open = require_open
        self._dimension = dimension
        self._symbols = symbols
        self._is_closed = False
        self._generation = log.generation
        self._stand(place)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self._place

    async def seek(self, place: Place) -> None:
        """Stand at a place."""
        self._stand(place)

    def _stand(self, place: Place) -> None:
        if place.position < 0:
            raise ValueError(f"position {place.position} given; allowed: 0 (before the first record) or more")
        begins_with_the_log = place.mark == UNKNOWN.mark
        if not begins_with_the_log:
            place = Place(place.position)
        elif self._log.base is not None:
            place = Place(self._log.base)
        self._place = place
        self._index = self._index_after(place.position)

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

    async def lag(self) -> int:
        """Matching records that the log holds and this cursor has not read."""
        return sum(1 for record in self._window.since(self._index) if self._is_wanted(record))

    async def close(self) -> None:
        """Refuse further polls."""
        self._is_closed = True
        self._log.wake()

    def _take(self, max_records: int) -> list[Record]:
        if self._is_closed:
            raise StreamClosed("this cursor is closed; ask the subscriber for a new one")
        self._require_open()
        if self._generation != self._log.generation:
            raise StreamSetBack(f"the database was set back; position {self._place.position} is of what it was before")
        if self._place.mark:
            self._stand(self._place)
        if self._log.lost(self._place.position):
            raise PositionGone(self._place.position, self._log.first_position)
        records: list[Record] = []
        self._index = max(self._index, self._window.start)
        position = self._place.position
        while self._index < self._window.end and len(records) < max_records:
            record = self._window[self._index]
            if self._is_wanted(record):
                records.append(record)
            self._index += 1
            position = max(position, record.position)
        if position > self._place.position:
            self._place = Place(position)
        return records

    def _is_wanted(self, record: Record) -> bool:
        if record.position <= self._place.position:
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
