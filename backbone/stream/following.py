"""An actor that follows the stream by itself, over everything that may happen to stream and store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import anyio

from actors import Actor, Reject, StopReason
from backbone.calls import Calls
from backbone.stream.errors import StreamError
from backbone.stream.feed import Change, Feed, let_go, within
from backbone.stream.port import Stream, Subscriber
from backbone.stream.storing import Storing

__all__ = ["LONGEST_PAUSE", "FollowingActor"]

LONGEST_PAUSE = 2.0
"""Seconds until it tries again at the latest."""

_FIRST_PAUSE = 0.1
_OPEN_TIMEOUT = 5.0


class FollowingActor(Actor):
    """Opens a feed, takes what comes, and begins anew after each failure; who derives from it says what is done.

    Args:
        stream: what to follow.
        calls: where the store is.
        limit: changes that are taken at once at most.
        wait: seconds to wait for some at most.
        timeout: seconds for each request to the store, which keeps what nobody could read.
    """

    def __init__(self, stream: Stream, calls: Calls, limit: int, wait: float, timeout: float) -> None:
        self._stream = stream
        self._calls = calls
        self._limit = limit
        self._wait = wait
        self._subscriber: Subscriber | None = None
        self._store = Storing(calls, timeout, lambda work: self.context.run_task(work, name="dead letters"))

    async def on_start(self) -> None:
        """Begin beside the mailbox: a stream that is down holds nobody up."""
        self.context.run_task(self._follow(), name="follow")

    async def on_stop(self, reason: StopReason) -> None:
        """Let go of the stream, within a bound; what nobody could read is kept."""
        await self._store.leave()
        await self._close()

    @abstractmethod
    async def opened(self, subscriber: Subscriber) -> Feed:
        """A feed, open where it is to begin.

        Raises:
            StreamError, Reject: stream or store do not answer.
        """
        ...

    @abstractmethod
    async def take(self, changes: Sequence[Change], feed: Feed) -> None:
        """Do with changes what is to be done.

        Raises:
            StreamError, Reject: stream or store do not answer.
        """
        ...

    @abstractmethod
    def fell(self, error: StreamError | Reject) -> None:
        """Say that it can't go on now, and why."""
        ...

    async def _follow(self) -> None:
        pause = 0.0
        while True:
            try:
                subscriber = self._subscriber = self._stream.subscriber()
                await within(_OPEN_TIMEOUT, subscriber.open(), "open")
                self._store.watch(subscriber)
                feed = await self.opened(subscriber)
                while True:
                    await self.take(await feed.next(self._limit, self._wait), feed)
                    self._store.soon()
                    if pause:
                        pause = 0.0
                        self.context.report_health("ok")
            except (StreamError, Reject) as error:
                await self._close()
                self.fell(error)
                pause = min(2 * pause or _FIRST_PAUSE, LONGEST_PAUSE)
                await anyio.sleep(pause)

    async def _close(self) -> None:
        if self._subscriber is not None:
            await let_go(self._subscriber)

    @property
    def _reading(self) -> Subscriber:
        assert self._subscriber is not None  # noqa: S101  it is asked for while something is taken
        return self._subscriber

    def inspect(self) -> dict[str, Any]:
        """What nobody could read."""
        return self._store.inspect()
