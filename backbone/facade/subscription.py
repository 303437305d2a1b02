"""A subscription, as the trading process holds it: an async iterator that pulls from a consumer actor."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import anyio

from actors import (
    ActorDead,
    AlreadyPresent,
    AlreadyStarted,
    AskRejected,
    AskTimeout,
    ChildNotFound,
    ChildSpec,
    Restart,
    StartError,
    SupervisorRef,
)
from backbone.calls import PASSING, Calls, restore
from backbone.domain.dimension import Dimension
from backbone.store.errors import StoreUnavailable
from backbone.stream.consumer import ConsumerActor
from backbone.stream.messages import NextUpdates, Update
from backbone.stream.port import Log, Start

__all__ = ["Subscription"]

_WAIT = 1.0  # seconds that one question may wait for rows; then the next one is asked
_LONGEST_PAUSE = 1.0
_PATIENCE = 60.0  # seconds without anybody to ask, over restarts, until the subscriber is told


class Subscription:
    """Iterate over it for `Update`s; `position` is where to go on from after a restart of the process."""

    def __init__(
        self,
        consumers: Callable[[], SupervisorRef],
        name: str,
        log: Log,
        calls: Calls,
        dimension: Dimension,
        symbols: tuple[str, ...],
        start: Start,
        require_open: Callable[[], None],
    ) -> None:
        self._consumers = consumers
        self._name = name
        self._log = log
        self._calls = calls
        self._dimension = dimension
        self._symbols = symbols
        self._start: Start = start
        self._require_open = require_open
        self._left = False
        self._read: int | None = start if isinstance(start, int) else None
        self._ready: deque[Update] = deque()
        self.position = start if isinstance(start, int) else 0

    async def open(self) -> None:
        """Take a cursor: from now on no matching change is missed."""
        await self._start_consumer()
        if self._read is None:
            answer = await self._next(timeout=0.0, limit=256)
            self._ready.extend(answer)

    async def close(self) -> None:
        """Give the cursor back; who still iterates comes to the end."""
        self._left = True
        try:
            await self._consumers().terminate_child(self._name)
        except (ActorDead, ChildNotFound):
            return

    def __aiter__(self) -> AsyncIterator[Update]:
        return self

    async def __anext__(self) -> Update:
        while not self._ready and not self._left:
            self._ready.extend(await self._next(timeout=_WAIT, limit=256))
        if self._left:
            raise StopAsyncIteration
        update = self._ready.popleft()
        self.position = update.position
        return update

    async def _start_consumer(self) -> None:
        start = self._start if self._read is None else self._read
        spec = ChildSpec(
            self._name,
            ConsumerActor,
            args=(self._log, self._calls, self._dimension, self._symbols, start),
            restart=Restart.TEMPORARY,
            metadata={"dimension": self._dimension.value, "symbols": list(self._symbols)},
        )
        try:
            await self._consumers().start_child(spec)
        except (AlreadyStarted, AlreadyPresent):
            return

    async def _next(self, timeout: float, limit: int) -> tuple[Update, ...]:
        """Ask until there is an answer, for as long as the backbone is open.

        A consumer that died is started anew where this subscription stands, so nothing is lost or doubled. A store that
        is down is waited for: a subscriber wants what comes, whenever it comes.
        """
        attempt, alone_since = 0, None
        while not self._left:
            self._require_open()
            try:
                consumer = self._calls.system.find(f"{self._consumers().path}/{self._name}")
                answer = await consumer.ask(NextUpdates(self._read, limit, timeout), timeout + 5.0)
            except AskRejected as error:
                if error.code not in PASSING:
                    raise restore(error) from None
                alone_since = None
                await self._pause(attempt)
            except (ActorDead, AskTimeout, ChildNotFound) as error:
                now = self._calls.system.clock.time()
                alone_since = now if alone_since is None else alone_since
                if now - alone_since > _PATIENCE:
                    text = f"{error}; nobody has answered this subscription for {_PATIENCE:g} s; subscribe again"
                    raise StoreUnavailable(text) from error
                await self._pause(attempt)
                await self._revive()
            else:
                self._read = answer.position
                return answer.items
            attempt += 1
        return ()

    async def _pause(self, attempt: int) -> None:
        await anyio.sleep(min(0.01 * 2 ** min(attempt, 10), _LONGEST_PAUSE))

    async def _revive(self) -> None:
        """The stream part of the tree may be restarting: then the next try comes soon."""
        self._require_open()
        if self._left:
            return
        with suppress(ActorDead, ChildNotFound, StartError):
            await self._start_consumer()
