"""The newest row of each symbol, as it came by on the stream: kept by an actor, read without a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from actors import Actor, Reject, StopReason
from backbone.calls import Calls
from backbone.domain import decode
from backbone.domain.dimension import Dimension
from backbone.store.errors import PositionLost
from backbone.stream.errors import StreamError, StreamSetBack
from backbone.stream.feed import Change, Feed, within
from backbone.stream.port import Place, Record, Start, Stream, Subscriber
from backbone.stream.trim import newest_rows

__all__ = ["LastActor", "Newest"]

_BATCH = 500
_WAIT = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds
_OPEN_TIMEOUT = _CLOSE_TIMEOUT = 5.0
_KEPT_WHOLE = 4096  # bytes: smaller payloads are not worth cutting


class Newest:
    """What the actor writes and others read. It outlives the actor's incarnations; a symbol costs one small payload.

    Attributes:
        place: up to where changes are in it; None: none came by yet.
    """

    def __init__(self) -> None:
        self.place: Place | None = None
        self._payloads: dict[tuple[Dimension, str], tuple[bytes, int | None]] = {}
        self._rows: dict[tuple[Dimension, str], Mapping[str, Any]] = {}

    def put(self, changes: Sequence[Change]) -> None:
        """Note changes, in order; of each symbol the last one stays."""
        for key, (payload, checksum) in {_key(each): (each.payload, each.checksum) for each in changes}.items():
            small = len(payload) <= _KEPT_WHOLE
            self._payloads[key] = (payload, checksum) if small else newest_rows(payload, checksum)
            self._rows.pop(key, None)

    def forget(self) -> None:
        """Nothing that came by holds any more."""
        self.place = None
        self._payloads.clear()
        self._rows.clear()

    def row(self, dimension: Dimension, symbol: str) -> Mapping[str, Any] | None:
        """The newest row of the newest change; None: none came by.

        Raises:
            CodecError: the change can't be read.
        """
        key = (dimension, symbol)
        row = self._rows.get(key)
        if row is None and (kept := self._payloads.get(key)) is not None:
            row = self._rows[key] = decode(*kept).newest(1).to_arrow().to_pylist()[0]
        return row


def _key(change: Change) -> tuple[Dimension, str]:
    return change.dimension, change.key if isinstance(change, Record) else change.symbol


class LastActor(Actor):
    """Follows the whole stream from when the process began, and keeps the newest change of each symbol.

    Where the database was set back, it forgets them and begins with what the stream has since; where changes were
    published and pruned before they came by here, it goes on with the oldest that the stream still has.

    Args:
        stream: what to follow.
        calls: the store, whose outbox has what the stream has forgotten.
        newest: where to keep it.
    """

    def __init__(self, stream: Stream, calls: Calls, newest: Newest) -> None:
        self._stream = stream
        self._calls = calls
        self._newest = newest
        self._subscriber: Subscriber | None = None
        self._lost_place = False

    async def on_start(self) -> None:
        """Begin beside the mailbox: a stream that is down holds nobody up."""
        self.context.run_task(self._follow(), name="follow")

    async def on_stop(self, reason: StopReason) -> None:
        """Let go of the stream, within a bound."""
        await self._close()

    def inspect(self) -> dict[str, Any]:
        """Where it stands."""
        return {"position": self._newest.place.position if self._newest.place else 0}

    async def _follow(self) -> None:
        pause = 0.0
        while True:
            try:
                feed = await self._open()
                while True:
                    self._newest.put(await feed.next(_BATCH, _WAIT))
                    self._newest.place = feed.place
                    if pause:
                        pause = 0.0
                        self.context.report_health("ok")
            except (StreamError, Reject) as error:
                await self._close()
                if isinstance(error, Reject) and error.code == PositionLost.code:
                    self._lose_place(error)
                pause = min(2 * pause or _FIRST_PAUSE, _LONGEST_PAUSE)
                self._report_behind(error)
                await anyio.sleep(pause)

    async def _open(self) -> Feed:
        subscriber = self._subscriber = self._stream.subscriber()
        await within(_OPEN_TIMEOUT, subscriber.open(), "open")
        feed = Feed(subscriber, self._calls)
        self._newest.place = await feed.open(self._newest.place or await self._beginning(subscriber))
        self._lost_place = False
        return feed

    async def _beginning(self, subscriber: Subscriber) -> Start | Place:
        """Where to begin without a place; after one that was lost, before all that the stream still has."""
        if not self._lost_place:
            return "latest"
        cursor = await within(_OPEN_TIMEOUT, subscriber.cursor(after="earliest"), "make a cursor")
        await cursor.close()
        return cursor.place

    def _lose_place(self, error: Reject) -> None:
        self._newest.place, self._lost_place = None, True
        if isinstance(error.__cause__, StreamSetBack):
            self._newest.forget()

    async def _close(self) -> None:
        if self._subscriber is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                await self._subscriber.close()

    def _report_behind(self, error: Exception) -> None:
        following = f"tries again at least every {_LONGEST_PAUSE:g} s; `last` gives what came by before"
        self.context.report_health("degraded", str(error), following, "see the relay's line in backbone status")
