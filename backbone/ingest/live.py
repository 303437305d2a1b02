"""Live rows on their way: whose they are, which of them go into one commit, and what each caller is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

import anyio.lowlevel
import msgspec
import numpy as np
import numpy.typing as npt

from actors import Reject, Reply
from backbone.domain import Frame
from backbone.domain.canonical import places
from backbone.domain.events import alike, occurrences, ranks_within, unnumbered
from backbone.ingest.messages import RecordResult
from backbone.ingest.salvage import Salvaged
from backbone.quality.screening import STRICT, Rejected, Screening, impossible, screen
from backbone.store.records import Outcome, WriteResult

__all__ = ["Caller", "Cut", "Live", "LiveBatch"]


Outcomes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

_SUPERSEDED: Final = 255  # beside the outcomes of the store
_TOLD_AT_ONCE: Final = 256  # callers, before others have their turn in the loop


class Caller:
    """Who waits for the rows of one `record`: told once, of all pieces together.

    Args:
        reply: answers the caller.
        saw: told how that came out, "ok" or "refused:" and the code.
    """

    __slots__ = ("_reply", "_result", "_saw", "refused", "waits_for")

    def __init__(self, reply: Reply[Any], saw: Callable[[str], None]) -> None:
        self.waits_for = 1
        """Pieces without an outcome."""
        self.refused = False
        self._result: RecordResult | None = None
        self._reply = reply
        self._saw = saw

    def answer(self, result: RecordResult) -> None:
        """Tell the caller what became of a piece, with that of the others, once it is the last."""
        self._result = result if self._result is None else _sum(self._result, result)
        self.waits_for -= 1
        if not self.waits_for and not self.refused:
            self._reply(self._result)
            self._saw("ok")

    def refuse(self, reject: Reject) -> None:
        """Tell the caller why a piece did not go in; pieces that follow are not written any more."""
        if self.refused:
            return
        self.refused = True
        if self._result is not None:
            text = f"{reject.text}; other rows of this call are in, and the same call again does no harm"
            reject = Reject(reject.code, text)
        self._reply.fail(reject)
        self._saw(f"refused:{reject.code}")


def _sum(one: RecordResult, other: RecordResult) -> RecordResult:
    return msgspec.structs.replace(
        one,
        position=max(one.position, other.position),
        inserted=one.inserted + other.inserted,
        changed=one.changed + other.changed,
        unchanged=one.unchanged + other.unchanged,
        quarantined=one.quarantined + other.quarantined,
        reasons=tuple(dict.fromkeys((*one.reasons, *other.reasons))),
        superseded=one.superseded + other.superseded,
    )


class Cut:
    """A record that goes in by pieces: which of several equal events a row is, is counted over all of it."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    @cached_property
    def nth(self) -> Counts | None:
        """For each row, None where each event has its sequence; counted when the first piece is written."""
        table = self._frame.to_arrow()
        return None if unnumbered(table) is None else occurrences(self._frame.dimension, table)


class Live:
    """Rows of one caller that go in together: those that may be stored, and those that may not.

    Args:
        frame: the rows.
        caller: whose they are.
        size: bytes, about.
        cut: what they are a piece of; None: they are all that the caller gave.
        start: their first row in that.
    """

    __slots__ = ("_cut", "_good", "_start", "bad", "caller", "frame", "size")

    def __init__(self, frame: Frame, caller: Caller, size: int, cut: Cut | None = None, start: int = 0) -> None:
        self.frame = frame
        self.bad: tuple[Rejected, ...] = ()
        self.caller = caller
        self.size = size
        self._cut = cut
        self._start = start
        self._good: Truths | None = None

    def screen(self, wrong: Truths, rules: Screening) -> None:
        """Keep aside what may not be stored."""
        self.frame, self.bad = screen(self.frame, rules)
        self._good = ~wrong

    @property
    def nth(self) -> Counts | None:
        """Which of the equal events of its caller each row is; None: to be counted among these rows."""
        counted = None if self._cut is None else self._cut.nth
        if counted is None:
            return None
        if self._good is None:
            return counted[self._start : self._start + self.frame.num_rows]
        return counted[self._start : self._start + len(self._good)][self._good]

    def result(self, salvaged: Salvaged | None, outcomes: bytes) -> RecordResult:
        """What became of these rows, of the commit that they were part of; one outcome for each of them."""
        inserted, changed = outcomes.count(Outcome.INSERTED), outcomes.count(Outcome.CHANGED)
        refused, superseded = outcomes.count(Outcome.REFUSED), outcomes.count(_SUPERSEDED)
        reasons = [each.reason for each in self.bad]
        if refused and salvaged is not None:
            reasons += [each.reason for each in salvaged.refused]
        return RecordResult(
            position=salvaged.result.position if salvaged is not None and inserted + changed else 0,
            inserted=inserted,
            changed=changed,
            unchanged=len(outcomes) - inserted - changed - refused - superseded,
            quarantined=len(self.bad) + refused,
            reasons=tuple(dict.fromkeys(reasons)),
            superseded=superseded,
        )


class LiveBatch:
    """Rows of one dimension that go into one commit, in the order in which they came."""

    __slots__ = ("_together", "callers", "rows", "size")

    def __init__(self, callers: Sequence[Live] = ()) -> None:
        self._together: Frame | None = None
        self.callers = list(callers)
        self.rows = sum(live.frame.num_rows for live in callers)
        self.size = sum(live.size for live in callers)

    def add(self, live: Live) -> None:
        """Take rows in."""
        self._together = None
        self.callers.append(live)
        self.rows += live.frame.num_rows
        self.size += live.size

    @property
    def bad(self) -> list[Rejected]:
        """All rows that may not be stored."""
        return [each for live in self.callers for each in live.bad]

    def screen(self, rules: Screening = STRICT) -> None:
        """Take out what may not be stored; it is the callers' `bad` from now on.

        All are looked at together, and one by one only where something is wrong: callers of single rows are many.
        """
        wrong = impossible(self._stacked(), rules)
        if not wrong.any():
            return
        self._together = None
        ends = np.cumsum([live.frame.num_rows for live in self.callers])
        for live, mask in zip(self.callers, np.split(wrong, ends[:-1]), strict=True):
            if mask.any():
                live.screen(mask, rules)

    def frame(self) -> Frame:
        """All rows to store; of versions of one row the last."""
        return self._stacked().ordered() if len(self.callers) > 1 else self.callers[0].frame

    def nth(self) -> bytes:
        """Which of the equal events of its caller each row of `frame` is, see `Chunk.nth`: each call is a run."""
        stacked = self._stacked()
        table, dimension = stacked.to_arrow(), stacked.dimension
        counted = [live.nth for live in self.callers]
        if unnumbered(table) is None or (len(counted) == 1 and counted[0] is None):
            return b""
        lengths = [live.frame.num_rows for live in self.callers]
        owner = np.repeat(np.arange(len(lengths)), lengths)
        ranks = ranks_within(alike(dimension, table) * len(lengths) + owner)
        for own, end in zip(counted, np.cumsum(lengths).tolist(), strict=True):
            if own is not None:
                ranks[end - len(own) : end] = own
        rows = places(dimension, table)
        nth = np.zeros(int(rows.max()) + 1, dtype=np.int64)
        nth[rows] = ranks
        return nth.tobytes()

    def halves(self) -> tuple[LiveBatch, LiveBatch]:
        """The callers who came first, and those who came after them; of two callers or more."""
        middle = len(self.callers) // 2
        return LiveBatch(self.callers[:middle]), LiveBatch(self.callers[middle:])

    def outcomes(self, salvaged: Salvaged | None) -> bytes:
        """What became of each row, of those of the first caller first; None: nothing of them was to be stored."""
        lengths = [live.frame.num_rows for live in self.callers]
        if salvaged is None or len(lengths) == 1:
            return _of_commit(salvaged, sum(lengths)).tobytes()
        frame = self._stacked()
        rows = places(frame.dimension, frame.to_arrow())
        outcomes = _of_commit(salvaged, int(rows.max(initial=-1)) + 1)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        last = np.zeros(len(outcomes), np.int64)
        np.maximum.at(last, rows, owner)
        return np.where(last[rows] == owner, outcomes[rows], np.uint8(_SUPERSEDED)).tobytes()

    async def answer(self, salvaged: Salvaged | None, outcomes: bytes) -> None:
        """Tell each caller what became of their rows, of which `outcomes` has one for each."""
        at = 0
        for number, live in enumerate(self.callers, 1):
            end = at + live.frame.num_rows
            live.caller.answer(live.result(salvaged, outcomes[at:end]))
            at = end
            if not number % _TOLD_AT_ONCE:
                await anyio.lowlevel.checkpoint()

    def refuse(self, reject: Reject) -> None:
        """Tell each caller why nothing went in."""
        for live in self.callers:
            live.caller.refuse(reject)

    def _stacked(self) -> Frame:
        if self._together is None:
            self._together = Frame.stacked([live.frame for live in self.callers])
        return self._together


def _of_commit(salvaged: Salvaged | None, rows: int) -> Outcomes:
    """What became of each row of a commit."""
    written: WriteResult | None = None if salvaged is None else salvaged.result
    if written is None or (not written.outcomes and not written.inserted + written.changed):
        return np.full(rows, Outcome.UNCHANGED, np.uint8)
    if not written.outcomes:
        # the store's actor fell between commit and answer, and the journal knows sums only: never "nothing new"
        every = Outcome.INSERTED if written.inserted == written.rows else Outcome.CHANGED
        return np.full(rows, every, np.uint8)
    return np.frombuffer(written.outcomes, np.uint8)
