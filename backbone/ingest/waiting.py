"""Live rows that wait for the writer of their dimension; its next commit takes all of them, within a bound."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from actors import Reject
from backbone.domain import Frame
from backbone.domain.dimension import Dimension
from backbone.ingest.live import Caller, Cut, Live, LiveBatch
from backbone.ingest.turns import Turns

__all__ = ["Bound", "Waiting"]


class Bound(NamedTuple):
    """So many rows and bytes at most."""

    rows: int
    size: int

    def holds(self, rows: int, size: int) -> bool:
        """Whether it is kept."""
        return rows <= self.rows and size <= self.size


class Waiting:
    """A queue per dimension, each with a writer that is at work while something waits.

    Nobody waits for company: what finds its writer idle is committed at once. What finds it busy goes with the next
    commit, together with all else that came meanwhile. Rows of one key within one commit are one row, the last:
    whoever needs each version must wait for each answer.

    Args:
        commit: writes a batch and tells its callers.
        batch: what one commit takes. A record that is larger is written in pieces; a single row is always taken.
        most: what may wait in all dimensions together. A record that is larger goes in where nothing else waits.
        turns: whose turn it is to write. What goes with a commit is decided when its turn has come.
    """

    def __init__(
        self,
        commit: Callable[[LiveBatch], Awaitable[None]],
        batch: Bound,
        most: Bound,
        turns: Turns,
    ) -> None:
        self._commit = commit
        self._turns = turns
        self._batch = batch
        self._most = most
        self._queues: defaultdict[Dimension, deque[Live]] = defaultdict(deque)
        self._writing: set[Dimension] = set()
        self.rows = 0
        """Rows that wait, without those that are being written."""
        self.size = 0
        """Bytes that wait, about."""

    def add(self, frame: Frame, caller: Caller) -> bool:
        """Let rows wait; True where their writer was idle: the caller of this has to run `write` then.

        Where there is no room, the caller is told at once, by the code "busy".
        """
        size = frame.nbytes
        if self.rows and not self._most.holds(self.rows + frame.num_rows, self.size + size):
            caller.refuse(self._full(frame))
            return False
        queue = self._queues[frame.dimension]
        pieces = self._pieces(frame, caller, size)
        caller.waits_for = len(pieces)
        queue.extend(pieces)
        self.rows += frame.num_rows
        self.size += size
        idle = frame.dimension not in self._writing
        self._writing.add(frame.dimension)
        return idle

    def _full(self, frame: Frame) -> Reject:
        return Reject(
            "busy",
            f"{self.rows:,} live rows of {self.size:,} bytes wait to be written, and {frame.num_rows:,} more would be "
            f"over {self._most.rows:,} rows or {self._most.size:,} bytes; none of them was taken: record them again "
            "when others are in, or raise ingest.record_waiting_rows and ingest.record_waiting_bytes",
        )

    def _pieces(self, frame: Frame, caller: Caller, size: int) -> list[Live]:
        rows = frame.num_rows
        if self._batch.holds(rows, size):
            return [Live(frame, caller, size)]
        most = max(1, min(self._batch.rows, rows * self._batch.size // max(1, size)))
        cut = Cut(frame)
        pieces = ((start, frame.slice(start, most)) for start in range(0, rows, most))
        return [Live(piece, caller, size * piece.num_rows // rows, cut, start) for start, piece in pieces]

    async def write(self, dimension: Dimension) -> None:
        """Write what waits of one dimension until nothing does; after `add` said so, and once only."""
        queue = self._queues[dimension]
        while queue:
            async with self._turns.live() as is_over:
                while (batch := self._next(queue)) is not None:
                    await self._commit(batch)
                    if is_over():
                        break
        self._writing.discard(dimension)

    def _next(self, queue: deque[Live]) -> LiveBatch | None:
        """What goes with the next commit; pieces of a caller who was refused meanwhile do not."""
        batch = LiveBatch()
        while queue:
            live = queue[0]
            if batch.callers and not self._batch.holds(batch.rows + live.frame.num_rows, batch.size + live.size):
                break
            queue.popleft()
            self.rows -= live.frame.num_rows
            self.size -= live.size
            if not live.caller.refused:
                batch.add(live)
        return batch if batch.callers else None
