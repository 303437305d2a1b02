"""What came last in all partitions, for all cursors that stand near the end: bounded in bytes, the oldest go first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from aiokafka import TopicPartition

from backbone.stream.kafka.fetching import Fetched
from backbone.stream.memory.window import Window
from backbone.stream.records import Record

__all__ = ["Recent"]


class Recent:
    """A stretch of each partition.

    Args:
        capacity_bytes: of all of them together; the newest record stays in any case.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._windows: dict[TopicPartition, Window[Fetched]] = {}
        self._by_key: dict[TopicPartition, dict[str, Window[Fetched]]] = {}
        self._begins: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._order: deque[TopicPartition] = deque()
        self.bytes = 0

    def begin(self, at: TopicPartition) -> int:
        """From this offset on, up to `end`, all of the partition is here."""
        return self._begins[at]

    def end(self, at: TopicPartition) -> int:
        """The offset that comes next."""
        return self._ends[at]

    def start(self, at: TopicPartition, offset: int) -> None:
        """Take in a partition from this offset on; what was here of it is forgotten."""
        while at in self._windows and len(self._windows[at]):
            self._forget(at)
        if at in self._order:
            self._order = deque(each for each in self._order if each != at)
        self._windows[at], self._by_key[at] = Window(), {}
        self._begins[at] = self._ends[at] = offset

    def add(self, fetched: Fetched) -> None:
        """Take in what comes next in its partition."""
        at = fetched.at
        self._windows[at].append(fetched)
        if isinstance(fetched.content, Record):
            self._by_key[at].setdefault(fetched.content.key, Window()).append(fetched)
        self._order.append(at)
        self._ends[at] = fetched.until
        self.bytes += fetched.size
        while self.bytes > self._capacity and len(self._order) > 1:
            self._forget(self._order.popleft())

    def pass_to(self, at: TopicPartition, offset: int) -> None:
        """Up to this offset a partition holds nothing more for anybody."""
        self._ends[at] = max(self._ends[at], offset)

    def _forget(self, at: TopicPartition) -> None:
        oldest = self._windows[at].drop_first()
        if isinstance(oldest.content, Record):
            of_key = self._by_key[at][oldest.content.key]
            of_key.drop_first()
            if not len(of_key):
                del self._by_key[at][oldest.content.key]
        self._begins[at] = oldest.until
        self.bytes -= oldest.size

    def since(self, at: TopicPartition, offset: int) -> Iterator[Fetched]:
        """What is here of a partition from an offset on."""
        return _since(self._windows[at], offset)

    def of(self, at: TopicPartition, offset: int, keys: Iterable[str | None]) -> Iterator[Fetched]:
        """The records of some keys; None among them: all that is here."""
        named = [each for each in keys if each is not None]
        windows = [window for each in named if (window := self._by_key[at].get(each)) is not None]
        if not named:
            return self.since(at, offset)
        if len(windows) == 1:
            return _since(windows[0], offset)
        return iter(sorted(chain.from_iterable(_since(each, offset) for each in windows), key=_offset))


def _since(window: Window[Fetched], offset: int) -> Iterator[Fetched]:
    low, high = window.start, window.end
    while low < high:
        middle = (low + high) // 2
        if window[middle].offset < offset:
            low = middle + 1
        else:
            high = middle
    return window.since(low)


def _offset(fetched: Fetched) -> int:
    return fetched.offset
