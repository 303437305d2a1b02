"""The store is shared: beside live rows a chunk of a file goes in by short transactions, alone in a single one.

What commits while a long transaction is under way waits for its end: on a server to be published, for readers pass over
nothing that may still come before it; in an embedded store to be written at all. A chunk of 100,000 rows takes some
tenths of a second, and a live row must not. Where nobody records, one transaction for all of them is the fastest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from backbone.domain import Frame
from backbone.domain.events import agreeing
from backbone.domain.identifiers import stretch
from backbone.ingest.salvage import Salvaged, Write, joined, numbered, some_of, write_what_goes_in
from backbone.store.records import Chunk, WriteResult

__all__ = ["Sharing", "write_beside_live"]

_LIVE_FOR: Final = 5.0  # seconds after a live row in which others are expected
_AIM: Final = 0.03  # seconds that a transaction of a file may hold up live rows
_FIRST_ROWS: Final = 8_192  # of a transaction, before any was timed
_FEWEST_ROWS: Final = 6_000  # with fewer a transaction costs more than its rows, and is not much shorter
_REMEMBERED: Final = 64  # chunks that were cut and not written to their end
_SAME_MOMENT: Final = 256  # rows that are looked through for where a moment ends


class Sharing:
    """Knows whether live rows come, and how many rows of a file a short transaction takes.

    It outlives a crash of who writes: what was begun as a whole, or in pieces, is gone on with in the same ones, so
    that the store knows them again and the counts of a run are those of its first try.
    """

    def __init__(self) -> None:
        self._live_at = float("-inf")
        self._rows = _FIRST_ROWS
        self._ends: dict[tuple[str, str], list[int]] = {}

    def live(self, now: float) -> None:
        """Live rows came.

        Args:
            now: monotonic seconds, here and below.
        """
        self._live_at = now

    def rows(self, now: float) -> int | None:
        """Rows that the next transaction takes; None: as many as there are, for nobody else waits."""
        return self._rows if now - self._live_at < _LIVE_FOR else None

    def took(self, rows: int, result: WriteResult) -> None:
        """Learn from a transaction: few rows tell nothing, nor do such as were known to be stored.

        A long one that was fast tells nothing either: it had the machine for itself.
        """
        if rows >= _FEWEST_ROWS and result.duration_s > 0 and not result.known:
            most = 2 * self._rows if rows <= self._rows + _SAME_MOMENT else self._rows
            self._rows = int(max(_FEWEST_ROWS, min(rows * _AIM / result.duration_s, most)))

    def ends(self, chunk: Chunk) -> list[int]:
        """Where the pieces end that this run has begun to give of a chunk; to be appended to."""
        key = (chunk.run_id, chunk.ingest_id)
        if key not in self._ends and len(self._ends) >= _REMEMBERED:
            del self._ends[next(iter(self._ends))]
        return self._ends.setdefault(key, [])

    def done(self, chunk: Chunk) -> None:
        """All pieces of a chunk are written."""
        self._ends.pop((chunk.run_id, chunk.ingest_id), None)


async def write_beside_live(write: Write, chunk: Chunk, sharing: Sharing, clock: Callable[[], float]) -> Salvaged:
    """Write a chunk, or all of it but the rows that are refused: as a whole, or in pieces where live rows come.

    A piece is known by the rows that it has, so another cut is never taken for it; the rows of a file that is ingested
    again in other pieces are compared with those that are stored.

    Raises:
        Reject: the store is unavailable, or it refuses too much for its rows to be the reason.
    """
    rows, ends = chunk.frame.num_rows, sharing.ends(chunk)
    salvaged: list[Salvaged] = []
    start = 0
    while start < rows or not salvaged:
        end = next((end for end in ends if end > start), None)
        if end is None:
            most = sharing.rows(clock())
            end = rows if most is None else _end(chunk.frame, start + most)
            ends.append(end)
        if not start and end < rows:
            chunk = msgspec.structs.replace(chunk, nth=numbered(chunk))
        salvaged.append(await write_what_goes_in(write, _piece(chunk, start, end)))
        sharing.took(end - start, salvaged[-1].result)
        start = end
    sharing.done(chunk)
    if len(salvaged) == 1:
        return salvaged[0]
    refused = [row for each in salvaged for row in each.refused]
    return Salvaged(joined(chunk, [each.result for each in salvaged]), refused)


def _end(frame: Frame, end: int) -> int:
    """Where a piece ends that should end at a row: equal moments of a symbol stay together, unless they are many."""
    if end >= frame.num_rows:
        return frame.num_rows
    names = [name for name in frame.dimension.key if name in {frame.dimension.partition_column, "interval", "ts"}]
    near = agreeing(frame.to_arrow().select(names).slice(end - 1, _SAME_MOMENT).combine_chunks(), names)
    others = np.flatnonzero(near != near[0])
    return end - 1 + int(others[0]) if len(others) else end


def _piece(chunk: Chunk, start: int, end: int) -> Chunk:
    """Some rows of a chunk as one of their own; all of them are the chunk."""
    if end - start == chunk.frame.num_rows:
        return chunk
    return some_of(chunk, start, end, stretch(chunk.ingest_id, start, end))
