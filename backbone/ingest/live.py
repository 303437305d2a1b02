"""Micro-batches of live rows: what arrives together is committed together, in order, one commit at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from actors import Reject, Reply
from backbone.domain import Frame
from backbone.domain.canonical import places
from backbone.domain.dimension import Dimension
from backbone.ingest.messages import RecordResult
from backbone.ingest.salvage import Salvaged
from backbone.quality.screening import Rejected, impossible, screen
from backbone.store.records import Outcome, WriteResult

__all__ = ["Live", "LiveBatch", "LiveBatches"]


Outcomes = npt.NDArray[np.uint8]


class Live:
    """The rows of one caller: those that may be stored, those that may not, and who waits for them.

    Args:
        frame: the rows.
        reply: answers the caller.
        saw: told how that came out, "ok" or "refused:" and the code.
    """

    __slots__ = ("_reply", "_saw", "bad", "frame")

    def __init__(self, frame: Frame, reply: Reply[Any], saw: Callable[[str], None]) -> None:
        self.frame = frame
        self.bad: tuple[Rejected, ...] = ()
        self._reply = reply
        self._saw = saw

    def answer(self, result: RecordResult) -> None:
        """Tell the caller what became of the rows."""
        self._reply(result)
        self._saw("ok")

    def refuse(self, reject: Reject) -> None:
        """Tell the caller why they did not go in."""
        self._reply.fail(reject)
        self._saw(f"refused:{reject.code}")

    def result(self, salvaged: Salvaged | None, outcomes: Outcomes, superseded: int) -> RecordResult:
        """What became of these rows, of the commit that they were part of; `outcomes` leaves superseded ones out."""
        inserted, changed, refused = (
            int((outcomes == each).sum()) for each in (Outcome.INSERTED, Outcome.CHANGED, Outcome.REFUSED)
        )
        reasons = [each.reason for each in self.bad]
        if refused and salvaged is not None:
            reasons += [each.reason for each in salvaged.refused]
        return RecordResult(
            position=salvaged.result.position if salvaged is not None and inserted + changed else 0,
            inserted=inserted,
            changed=changed,
            unchanged=len(outcomes) - inserted - changed - refused,
            quarantined=len(self.bad) + refused,
            reasons=tuple(dict.fromkeys(reasons)),
            superseded=superseded,
        )


class LiveBatch:
    """Rows of one dimension that wait for company."""

    __slots__ = ("callers", "rows")

    def __init__(self) -> None:
        self.callers: list[Live] = []
        self.rows = 0

    @property
    def bad(self) -> list[Rejected]:
        """All rows that may not be stored."""
        return [each for caller in self.callers for each in caller.bad]

    def screened(self) -> Frame:
        """All rows that may be stored, of versions of one row the last; the others are the callers' `bad` from now on.

        All are looked at together, and one by one only where something is wrong: callers of single rows are many.
        """
        wrong = impossible([caller.frame for caller in self.callers])
        for caller, mask in zip(self.callers, wrong, strict=True):
            if mask.any():
                caller.frame, caller.bad = screen(caller.frame)
        return Frame.concat([caller.frame for caller in self.callers])

    def answer(self, salvaged: Salvaged | None) -> None:
        """Tell each caller what became of their rows."""
        frames = [caller.frame.to_arrow() for caller in self.callers]
        single = len(self.callers) == 1
        rows = [np.arange(frames[0].num_rows)] if single else places(self.callers[0].frame.dimension, frames)
        count = 1 + max((int(each.max()) for each in rows if each.size), default=-1)
        outcomes = _outcomes(None if salvaged is None else salvaged.result, count)
        last = np.full(count, -1)
        for number, own in enumerate(rows):
            last[own] = number
        for number, (caller, own) in enumerate(zip(self.callers, rows, strict=True)):
            mine = own[last[own] == number]
            caller.answer(caller.result(salvaged, outcomes[mine], len(own) - len(mine)))


def _outcomes(written: WriteResult | None, rows: int) -> Outcomes:
    """What became of each row of a commit."""
    if written is None:
        return np.full(rows, Outcome.UNCHANGED, np.uint8)
    if not written.outcomes and not written.inserted + written.changed:
        return np.full(rows, Outcome.UNCHANGED, np.uint8)
    if not written.outcomes:
        # the store's actor fell between commit and answer, and the journal knows sums only: never "nothing new"
        every = Outcome.INSERTED if written.inserted == written.rows else Outcome.CHANGED
        return np.full(rows, every, np.uint8)
    return np.frombuffer(written.outcomes, np.uint8)


class LiveBatches:
    """Collects per dimension; `commit` writes one batch.

    Rows of one key within one batch are one row, the last: whoever needs each version must wait for each answer.

    Args:
        commit: writes the rows of a batch; None where none of them may be stored.
        batch_rows: a batch of so many rows is written at once.
    """

    def __init__(self, commit: Callable[[LiveBatch], Awaitable[Salvaged | None]], batch_rows: int) -> None:
        self._commit = commit
        self._batch_rows = batch_rows
        self._waiting: dict[Dimension, LiveBatch] = {}
        self._writing: set[Dimension] = set()

    def add(self, caller: Live) -> bool:
        """Let rows wait; True where their batch is full and should be written now."""
        batch = self._waiting.setdefault(caller.frame.dimension, LiveBatch())
        batch.callers.append(caller)
        batch.rows += caller.frame.num_rows
        return batch.rows >= self._batch_rows

    @property
    def due(self) -> list[Dimension]:
        """Dimensions with rows that wait while none of theirs is being written."""
        return [dimension for dimension in self._waiting if dimension not in self._writing]

    async def flush(self, dimension: Dimension) -> list[Reject]:
        """Write what waits of one dimension, until nothing does; a no-op while another flush of it runs.

        Returns:
            The refusals; their callers were told, and what came in behind them was written all the same.
        """
        refused: list[Reject] = []
        if dimension in self._writing:
            return refused
        self._writing.add(dimension)
        try:
            while (batch := self._waiting.pop(dimension, None)) is not None:
                try:
                    batch.answer(await self._commit(batch))
                except Reject as reject:  # anything else is a bug: it crashes the actor, whose end tells those who wait
                    refused.append(reject)
                    for caller in batch.callers:
                        caller.refuse(reject)
        finally:
            self._writing.discard(dimension)
        return refused
