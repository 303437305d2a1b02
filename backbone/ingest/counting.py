"""Which of several equal events each row of a run is, whatever the order in which the run gives its moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.canonical import integers, whole
from backbone.domain.digests import digests
from backbone.domain.events import agreeing, ranks_within, unnumbered
from backbone.files import scratch

if TYPE_CHECKING:
    import numpy.typing as npt

    from backbone.domain import Frame

    Digests = npt.NDArray[np.uint64]
    Numbers = npt.NDArray[np.int64]
    Truths = npt.NDArray[np.bool_]

__all__ = ["Counting"]

_IN_MEMORY: Final = 500_000
"""Events of a run whose digests are kept in memory; those of others lie in a file without a name, 8 bytes each."""


class _Spans(NamedTuple):
    """The moments of some events: the first and the last of all, and for each symbol its number, first and last one."""

    first: int
    last: int
    of: dict[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class _Before:
    """Events that the run gave before: their moments, and their digests or where these lie."""

    spans: _Spans
    place: Digests | tuple[int, int]


@dataclass(slots=True)
class Counting:
    """Counts the events without a sequence of one run.

    All that the run gave is remembered, so that two equal events are two wherever its chunks end. What was given in
    order of time is not looked at again: only chunks that reach into the moments of the new one are.
    """

    _before: list[_Before] = field(default_factory=list)
    _held: int = 0
    _file: IO[bytes] | None = None

    def nth(self, frame: Frame) -> bytes:
        """Which of the equal events of its moment each row is within the run, as int64; empty: all have a sequence.

        Args:
            frame: the next rows of the run.
        """
        table = frame.to_arrow()
        missing = unnumbered(table)
        if missing is None:
            return b""
        events = table.filter(array_of(missing)).combine_chunks()
        marks = digests(events, [name for name in frame.dimension.columns if name != "sequence"])
        stamps, symbols = integers(whole(events.column("ts"))), agreeing(events, events.column_names[:1])
        spans = _spans(events, symbols, stamps)
        counts = ranks_within(marks.view(np.int64))
        for before in self._before:
            reached = _reached(before.spans, spans, symbols, stamps)
            if reached.any():
                counts[reached] += _occurrences(self._digests(before), marks[reached])
        self._remember(np.sort(marks), spans)
        nth = np.zeros(frame.num_rows, dtype=np.int64)
        nth[missing] = counts
        return nth.tobytes()

    def close(self) -> None:
        """Forget all of it."""
        self._before.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _remember(self, marks: Digests, spans: _Spans) -> None:
        if self._held + len(marks) <= _IN_MEMORY:
            self._held += len(marks)
            self._before.append(_Before(spans, marks))
            return
        if self._file is None:
            self._file = scratch()
        at = self._file.seek(0, 2)
        self._file.write(marks.tobytes())
        self._before.append(_Before(spans, (at, marks.nbytes)))

    def _digests(self, before: _Before) -> Digests:
        if not isinstance(before.place, tuple) or self._file is None:
            return np.asarray(before.place, dtype=np.uint64)
        at, size = before.place
        self._file.seek(at)
        return np.frombuffer(self._file.read(size), dtype=np.uint64)


def _spans(events: pa.Table, symbols: Numbers, stamps: Numbers) -> _Spans:
    """The moments of events whose symbols have the numbers from 0 on."""
    found, at = np.unique(symbols, return_index=True)
    first, last = np.full(len(found), np.iinfo(np.int64).max), np.full(len(found), np.iinfo(np.int64).min)
    np.minimum.at(first, symbols, stamps)
    np.maximum.at(last, symbols, stamps)
    names = events.column(0).take(array_of(at)).to_pylist()
    of = zip(found.tolist(), first.tolist(), last.tolist(), strict=True)
    return _Spans(int(first.min()), int(last.max()), dict(zip(names, of, strict=True)))


def _reached(before: _Spans, now: _Spans, symbols: Numbers, stamps: Numbers) -> Truths:
    """The events that may equal one that came before: those within the moments that their symbol had there."""
    if before.first > now.last or before.last < now.first:
        return np.zeros(len(stamps), dtype=np.bool_)
    first, last = np.ones(len(now.of), dtype=np.int64), np.zeros(len(now.of), dtype=np.int64)
    for symbol in before.of.keys() & now.of.keys():
        number = now.of[symbol][0]
        _, first[number], last[number] = before.of[symbol]
    reached: Truths = (stamps >= first[symbols]) & (stamps <= last[symbols])
    return reached


def _occurrences(known: Digests, marks: Digests) -> Numbers:
    """How often each number is among the known ones, which are ascending."""
    found: Numbers = np.searchsorted(known, marks, side="right") - np.searchsorted(known, marks)
    return found
