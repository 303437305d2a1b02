"""A subscription, as the trading process holds it: an async iterator that pulls from a consumer actor."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from actors import (
    ActorDead,
    AlreadyPresent,
    AlreadyStarted,
    AskRejected,
    AskTimeout,
    ChildNotFound,
    ChildSpec,
    Restart,
    SupervisorRef,
)
from backbone.domain.dimension import Dimension
from backbone.messages import NextUpdates, Update
from backbone.peers import Peers
from backbone.refusals import restore
from backbone.stream.actor import ConsumerActor
from backbone.stream.port import Log, Start

__all__ = ["Subscription"]

_WAIT = 1.0  # seconds that one question may wait for rows; then the next one is asked
_PATIENCE = 30  # questions without any answer, over restarts, until the subscriber is told


class Subscription:
    """Iterate over it for `Update`s; `position` is where to go on from after a restart of the process."""

    def __init__(
        self,
        consumers: SupervisorRef,
        name: str,
        log: Log,
        peers: Peers,
        dimension: Dimension,
        symbols: tuple[str, ...],
        start: Start,
    ) -> None:
        self._consumers = consumers
        self._name = name
        self._log = log
        self._peers = peers
        self._dimension = dimension
        self._symbols = symbols
        self._start: Start = start
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
        """Give the cursor back."""
        try:
            await self._consumers.terminate_child(self._name)
        except (ActorDead, ChildNotFound):
            return

    def __aiter__(self) -> AsyncIterator[Update]:
        return self

    async def __anext__(self) -> Update:
        while not self._ready:
            self._ready.extend(await self._next(timeout=_WAIT, limit=256))
        update = self._ready.popleft()
        self.position = update.position
        return update

    async def _start_consumer(self) -> None:
        start = self._start if self._read is None else self._read
        spec = ChildSpec(
            self._name,
            ConsumerActor,
            args=(self._log, self._peers, self._dimension, self._symbols, start),
            restart=Restart.TEMPORARY,
            metadata={"dimension": self._dimension.value, "symbols": list(self._symbols)},
        )
        try:
            await self._consumers.start_child(spec)
        except (AlreadyStarted, AlreadyPresent):
            return

    async def _next(self, timeout: float, limit: int) -> tuple[Update, ...]:
        """Ask; a consumer that died is started anew where this subscription stands, so nothing is lost or doubled."""
        failure: Exception | None = None
        for attempt in range(_PATIENCE):
            try:
                consumer = self._peers.system.find(f"{self._consumers.path}/{self._name}")
                answer = await consumer.ask(NextUpdates(self._read, limit, timeout), timeout + 5.0)
            except AskRejected as error:
                if error.code != "unavailable":
                    raise restore(error) from None
                failure = error
            except (ActorDead, AskTimeout, ChildNotFound) as error:
                failure = error
                await self._revive(attempt)
            else:
                self._read = answer.position
                return answer.items
        raise failure or ActorDead(f"consumer {self._name} gives no answer")

    async def _revive(self, attempt: int) -> None:
        """The stream part of the tree may be restarting: wait for it, then take a cursor again."""
        import anyio

        await anyio.sleep(min(0.01 * 2**attempt, 0.5))
        try:
            await self._start_consumer()
        except ActorDead:
            return
