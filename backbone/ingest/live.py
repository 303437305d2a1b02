"""Micro-batches of live rows: what arrives together is committed together, in order, one commit at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from actors import Reject, Reply
from backbone.domain import Frame
from backbone.domain.dimension import Dimension

__all__ = ["LiveBatch", "LiveBatches"]


class LiveBatch:
    """Rows of one dimension that wait for company, and who waits for them."""

    __slots__ = ("frames", "replies", "rows")

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.replies: list[Reply[Any]] = []
        self.rows = 0


class LiveBatches:
    """Collects per dimension; `commit` writes one batch and gives its position.

    Rows of one key within one batch are one row, the last: whoever needs each version must wait for each answer.

    Args:
        commit: writes a frame and returns the outbox position (0: all rows were known).
        batch_rows: a batch of so many rows is written at once.
    """

    def __init__(self, commit: Callable[[Frame], Awaitable[int]], batch_rows: int) -> None:
        self._commit = commit
        self._batch_rows = batch_rows
        self._waiting: dict[Dimension, LiveBatch] = {}
        self._writing: set[Dimension] = set()

    def add(self, frame: Frame, reply: Reply[Any]) -> bool:
        """Let rows wait; True where their batch is full and should be written now."""
        batch = self._waiting.setdefault(frame.dimension, LiveBatch())
        batch.frames.append(frame)
        batch.replies.append(reply)
        batch.rows += frame.num_rows
        return batch.rows >= self._batch_rows

    @property
    def due(self) -> list[Dimension]:
        """Dimensions with rows that wait while none of theirs is being written."""
        return [dimension for dimension in self._waiting if dimension not in self._writing]

    async def flush(self, dimension: Dimension) -> None:
        """Write what waits of one dimension, until nothing does; a no-op while another flush of it runs."""
        if dimension in self._writing:
            return
        self._writing.add(dimension)
        try:
            while (batch := self._waiting.pop(dimension, None)) is not None:
                await self._write(batch)
        finally:
            self._writing.discard(dimension)

    async def _write(self, batch: LiveBatch) -> None:
        try:
            position = await self._commit(Frame.concat(batch.frames))
        except Reject as refused:  # anything else is a bug: it crashes the actor, whose end tells those who wait
            for reply in batch.replies:
                reply.fail(refused)
            raise
        for reply in batch.replies:
            reply(position)
