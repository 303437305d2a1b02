"""A cursor over the in-process log."""

from __future__ import annotations

from collections.abc import Callable, Collection

import anyio

from backbone.domain.dimension import Dimension
from backbone.stream.errors import PositionGone, StreamClosed, StreamSetBack
from backbone.stream.memory.log import MemoryLog
from backbone.stream.records import Place, Record

__all__ = ["UNKNOWN", "MemoryCursor"]

UNKNOWN = Place(0, "base")
"""The latest place of a log that nobody has told yet where it begins: just before its first record."""


class MemoryCursor:
    """An independent cursor: it looks into the log's window and moves nothing but itself.

    Where it has all that came it rests, and is not looked at until something comes for it: however much comes for
    others meanwhile, it has all of its own.
    """

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
        self._dimensions = tuple(Dimension) if dimension is None else (dimension,)
        self._keys: Collection[str | None] = symbols or (None,)
        self._is_closed = self._rests = False
        self._generation = log.generation
        self._passed: tuple[int, int] | None = None
        self.wake = anyio.Event()
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
        self._get_up()
        self._passed = None
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
                self.wake = anyio.Event()
                if records := self._take(max_records):
                    return records
                self._rest()
                await self.wake.wait()
        if self._rests:
            self._pass_to(self._window.end, self._log.newest_position)
        return []

    def came(self, at: Dimension, offset: int) -> None:  # noqa: ARG002  a position is that of all dimensions
        """Something came for it, or it has to look at what became of the log; of all before that it has its own.

        Its place stays for now: whoever was told of it asks by it.
        """
        self._get_up()
        self.wake.set()
        if self._log.base is not None:
            is_here = offset < self._window.end
            self._passed = offset, self._window[offset].position - 1 if is_here else self._log.newest_position

    def _rest(self) -> None:
        if not self._rests:
            for dimension in self._dimensions:
                self._log.interest.rest(self, dimension, self._keys)
            self._rests = True

    def _get_up(self) -> None:
        if self._rests:
            for dimension in self._dimensions:
                self._log.interest.leave(self, dimension, self._keys)
            self._rests = False

    def _pass_to(self, index: int, position: int) -> None:
        """Note that it has all of its own that lies before an index, up to a position."""
        if self._log.base is not None:
            self._index = max(self._index, index)
            self._place = Place(max(position, self._place.position))

    async def lag(self) -> int:
        """Matching records that the log holds and this cursor has not read."""
        return sum(1 for record in self._window.since(self._index) if self._is_wanted(record))

    async def close(self) -> None:
        """Refuse further polls."""
        self._is_closed = True
        self._get_up()
        self.wake.set()

    def _take(self, max_records: int) -> list[Record]:
        if self._is_closed:
            raise StreamClosed("this cursor is closed; ask the subscriber for a new one")
        self._require_open()
        if self._generation != self._log.generation:
            raise StreamSetBack(f"the database was set back; position {self._place.position} is of what it was before")
        if self._rests:
            return []
        if self._passed is not None:
            self._pass_to(*self._passed)
            self._passed = None
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
