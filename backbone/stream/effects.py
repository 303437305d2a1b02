"""Carries out an effect for each change, once: over crashes, redeliveries and streams that are made anew.

An effect is told the change's `event_id`, and is to be of use once by that: rows that are written under it as their
`ingest_id` are written once, whoever writes them again. Between an effect and the note of it, a crash repeats that one
effect, under the same `event_id`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from actors import Reject
from backbone.calls import Calls
from backbone.domain.dimension import Dimension
from backbone.store.errors import PositionLost
from backbone.store.messages import CommitOffsets, ReadOffsets, ReadSeen, RecordSeen
from backbone.stream.errors import StreamError
from backbone.stream.feed import Change, Feed
from backbone.stream.following import LONGEST_PAUSE, FollowingActor
from backbone.stream.port import Stream, Subscriber
from backbone.stream.readable import is_set_aside
from backbone.stream.records import Place

__all__ = ["EffectsActor"]

_BATCH = 200
_WAIT = 10.0
_OUTBOX = "outbox", 0  # what the stored offset counts: positions mean the same on every stream

Effect = Callable[[Change], Awaitable[None]]


class EffectsActor(FollowingActor):
    """Follows the stream from where its group noted last, and notes each change whose effect is done.

    Args:
        stream: what to follow.
        calls: the store, which keeps what was done and where to go on.
        group: names who does it; another group does it for itself.
        effect: what to do; what it raises crashes the actor, and it is done again.
        dimension: of which changes; None: all.
        start: where a group begins that has noted nothing yet.
        timeout: seconds for each request to the store.
    """

    def __init__(
        self,
        stream: Stream,
        calls: Calls,
        group: str,
        effect: Effect,
        dimension: Dimension | None = None,
        start: Literal["latest", "earliest"] = "earliest",
        timeout: float = 10.0,
    ) -> None:
        super().__init__(stream, calls, _BATCH, _WAIT, timeout)
        self._group = group
        self._effect = effect
        self._dimension = dimension
        self._start = start
        self._timeout = timeout
        self._noted = 0
        self._done = 0

    def inspect(self) -> dict[str, Any]:
        """Where it stands, and how many effects it has had."""
        return {"position": self._noted, "effects": self._done, **super().inspect()}

    async def opened(self, subscriber: Subscriber) -> Feed:
        """After what was noted last."""
        noted = (await self._ask(ReadOffsets(self._group))).get(_OUTBOX)
        feed = Feed(subscriber, self._calls, self._dimension, timeout=self._timeout)
        place = await feed.open(self._start if noted is None else Place(noted))
        self._noted = place.position if noted is None else noted
        return feed

    async def take(self, changes: Sequence[Change], feed: Feed) -> None:
        """One after the other: of those that a crash repeats, at most one had its effect and no note of it."""
        seen: set[str] = set()
        if changes:
            seen = await self._ask(ReadSeen(self._group, tuple(each.event_id for each in changes)))
        for each in changes:
            if each.event_id not in seen and not (self._stream.shared and is_set_aside(each, self._reading)):
                await self._effect(each)
                await self._ask(RecordSeen(self._group, (each.event_id,)))
                seen.add(each.event_id)
                self._done += 1
        position = feed.place.position if feed.place is not None else 0
        if position > self._noted:
            await self._store.keep()  # whoever goes on from there never sees them again
            await self._ask(CommitOffsets(self._group, {_OUTBOX: position}))
            self._noted = position

    async def _ask(self, request: Any) -> Any:
        return await self._calls.ask("store", request, self._timeout)

    def fell(self, error: StreamError | Reject) -> None:
        """Say what it waits for: it passes over no change that had no effect."""
        if isinstance(error, Reject) and error.code == PositionLost.code:
            following = "changes were pruned before they had their effect; it waits"
            action = f"bring the effects of {self._group} up to date from the store, then commit a later offset for it"
            self.context.report_health("failed", str(error), following, action)
        else:
            following = f"tries again at least every {LONGEST_PAUSE:g} s; nothing is lost"
            self.context.report_health("degraded", str(error), following, "see store and stream in backbone status")
