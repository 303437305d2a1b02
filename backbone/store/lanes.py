"""Which requests wait for which: slow reads hold up neither commits nor the relay, and none of them the probes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from enum import Enum

import anyio

from actors import Reject
from backbone.domain.dimension import Dimension
from backbone.store import messages
from backbone.store.messages import ReadOutbox, StoreQuestion

__all__ = ["Lane", "Lanes", "lane_of"]

_WAITING = 1024  # requests of one lane at work or waiting; further ones are refused


class Lane(Enum):
    """Requests that wait for each other; the value is how many of them are at work at once.

    Together they are as many as the connections that a pool has by default; a lease, snapshots and statements of SQL
    have theirs beside the pool.
    """

    READS = ("reads", 4)
    WRITES = ("writes", 4)
    FIRST = ("what goes first", 2)
    LEASES = ("leases", 1)
    SNAPSHOTS = ("snapshots", 8)
    STATEMENTS = ("statements of SQL", 4)


_WRITES = (
    messages.ClaimEpoch,
    messages.WriteChunk,
    messages.QuarantineRows,
    messages.RecordJournal,
    messages.RecordRun,
    messages.MigrateStore,
    messages.DropRows,
    messages.PruneStore,
    messages.RecordSeen,
    messages.CommitOffsets,
    messages.KeepDeadLetters,
    messages.DeleteDeadLetters,
    messages.VoidLedger,
    messages.ClearQuarantine,
    messages.DeleteQuarantine,
    messages.NoteExport,
)
_FIRST = (
    messages.RelayCursor,
    messages.AdvanceRelay,
    messages.ProbeStore,
    messages.OutboxState,
    messages.ReadReached,
    messages.ReadDrops,
    messages.StreamParts,
    messages.NoteParts,
    messages.StopStatement,
)
_LEASES = (messages.Lease, messages.LeaveLease)
_SNAPSHOTS = (
    messages.OpenSnapshot,
    messages.FindParts,
    messages.ReadPart,
    messages.SumPart,
    messages.CloseSnapshot,
)


def lane_of(request: StoreQuestion) -> Lane:
    """Where a request waits: what the relay asks, on which all subscribers wait, and probes go first.

    What keeps a lease waits for none of them: it would be lost. Neither does who reads a snapshot, nor anybody for him.
    """
    if isinstance(request, _LEASES):
        return Lane.LEASES
    if isinstance(request, _SNAPSHOTS):
        return Lane.SNAPSHOTS
    if isinstance(request, messages.RunStatement):
        return Lane.STATEMENTS
    if isinstance(request, _FIRST) or (isinstance(request, ReadOutbox) and request.first):
        return Lane.FIRST
    return Lane.WRITES if isinstance(request, _WRITES) else Lane.READS


class Lanes:
    """Turns, in the order in which they were asked for, lane by lane.

    Claims of one source and dimension are served one after the other: one that comes from somebody who is dead by now
    must not end behind that of who took over, and fence them out.
    """

    def __init__(self) -> None:
        self._slots = {lane: anyio.Semaphore(lane.value[1], fast_acquire=True) for lane in Lane}
        self._present: defaultdict[Lane, int] = defaultdict(int)
        self._claims: defaultdict[tuple[str, Dimension], anyio.Lock] = defaultdict(anyio.Lock)

    def join(self, request: StoreQuestion) -> None:
        """Count a request among those of its lane; `turn` lets it leave.

        Raises:
            Reject: "busy": too many of them are at work or wait already.
        """
        lane = lane_of(request)
        if self._present[lane] >= _WAITING:
            raise Reject("busy", f"{_WAITING} requests ({lane.value[0]}) are at work or wait; try again in a moment")
        self._present[lane] += 1

    @asynccontextmanager
    async def turn(self, request: StoreQuestion) -> AsyncIterator[None]:
        """Wait until it is this request's turn, and hold that."""
        lane = lane_of(request)
        try:
            async with self._in_order(request), self._slots[lane]:
                yield
        finally:
            self._present[lane] -= 1

    def _in_order(self, request: StoreQuestion) -> AbstractAsyncContextManager[None]:
        if isinstance(request, messages.ClaimEpoch):
            return self._claims[request.source, request.dimension]
        return nullcontext()
