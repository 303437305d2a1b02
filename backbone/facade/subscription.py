"""A subscription, as the trading process holds it: an async iterator that pulls from the consumer actor."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import anyio
import anyio.lowlevel

from actors import ActorDead, ActorError, AskRejected, AskTimeout, ChildNotFound, MailboxFull
from backbone.calls import PASSING, Calls, restore
from backbone.domain.dimension import Dimension
from backbone.store.errors import StoreUnavailable
from backbone.stream.messages import LeaveStream, NextUpdates, StopWaiting, Update, Updates
from backbone.stream.port import Start
from backbone.stream.records import Place
from backbone.stream.resume import Resume

__all__ = ["Subscription"]

_WAIT = 30.0  # seconds that one question may wait for rows: ten thousand that wait are to cost next to nothing
_LATE = 1.0  # seconds beyond its time that a batch is waited for
_LIMIT = 256
_IN_ONE_GO = 0.002  # seconds that who iterates may work on what is ready, until others get their turn
_SLACK = 10.0  # seconds beyond that, within which the consumer answers or refuses
_LONGEST_PAUSE = 1.0
_PATIENCE = 60.0  # seconds without anybody to ask, over restarts, until the subscriber is told


class Subscription:
    """Iterate over it for `Update`s; `update.resume` is where to go on from after a restart of the process.

    Args:
        calls: where the consumer is.
        consumer: its path.
        name: of this subscription, unique among those of the consumer.
        dimension: what to read.
        symbols: whose rows; empty: all.
        start: where to begin.
        require_open: raises where the backbone was left.
        heard: told of each update as it comes, its symbol and its position.

    Attributes:
        position: of the last update that was handed out.
    """

    def __init__(
        self,
        calls: Calls,
        consumer: str,
        name: str,
        dimension: Dimension,
        symbols: tuple[str, ...],
        start: Start | Resume | Place,
        require_open: Callable[[], None],
        heard: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        self._heard = heard
        self._calls = calls
        self._consumer = consumer
        self._name = name
        self._dimension = dimension
        self._symbols = symbols
        self._require_open = require_open
        self._left = False
        self._after: Place | Resume | Start = start
        self._ready: deque[Update] = deque()
        self._turn = 0.0  # when others had theirs last
        self.position = start.position if isinstance(start, Resume | Place) else start if isinstance(start, int) else 0

    async def open(self) -> None:
        """Take a cursor: from now on no matching change is missed."""
        if self._after in {"latest", "earliest"}:
            self._ready.extend(await self._next(timeout=0.0))

    async def close(self) -> None:
        """Give the cursor back; who still iterates comes to the end."""
        self._left = True
        try:
            await self._calls.ref(self._consumer).tell(LeaveStream(self._name))
        except (ActorDead, ChildNotFound, MailboxFull):
            return

    def __aiter__(self) -> AsyncIterator[Update]:
        return self

    async def __anext__(self) -> Update:
        while not self._ready and not self._left:
            self._ready.extend(await self._next(timeout=_WAIT))
            self._turn = self._calls.system.clock.time()
        await self._give_way()
        if self._left:
            raise StopAsyncIteration
        update = self._ready.popleft()
        self.position = update.position
        return update

    async def _give_way(self) -> None:
        """Who has a batch before it and never waits in its loop would hold up all others until it is through."""
        if self._calls.system.clock.time() - self._turn > _IN_ONE_GO:
            await anyio.lowlevel.checkpoint()
            self._turn = self._calls.system.clock.time()

    async def batch(self, timeout: float) -> tuple[Update, ...]:
        """All that is ready, else what comes within about `timeout` seconds; empty where nothing does."""
        if not self._ready and not self._left:
            with anyio.move_on_after(timeout + _LATE):
                self._ready.extend(await self._next(timeout))
        taken = tuple(self._ready)
        self._ready.clear()
        return taken

    @property
    def after(self) -> Place | Resume | Start:
        """Where one goes on from, behind all that was handed out or is ready."""
        return self._after

    async def _next(self, timeout: float) -> tuple[Update, ...]:
        """Ask until there is an answer, for as long as the backbone is open.

        A consumer that was restarted learns from the question where this subscription stands, so nothing is lost or
        doubled. Store and stream that are down are waited for: a subscriber wants what comes, whenever it comes.
        """
        attempt, alone_since = 0, None
        while not self._left:
            self._require_open()
            try:
                answer = await self._asked(timeout)
            except AskRejected as error:
                if error.code not in PASSING:
                    raise restore(error) from None
                alone_since = None
            except (ActorDead, AskTimeout, ChildNotFound, MailboxFull) as error:
                now = self._calls.system.clock.time()
                alone_since = now if alone_since is None else alone_since
                if now - alone_since > _PATIENCE:
                    text = f"{error}; nobody has answered this subscription for {_PATIENCE:g} s; subscribe again"
                    raise StoreUnavailable(text) from error
            else:
                self._after = answer.place
                for update in answer.items:  # now, not when it is handed out: a database set back by then counts anew
                    self._heard(update.symbol, update.position)
                return answer.items
            await anyio.sleep(min(0.01 * 2 ** min(attempt, 10), _LONGEST_PAUSE))
            attempt += 1
        return ()

    async def _asked(self, timeout: float) -> Updates:
        """What the consumer answers. Where the caller waits no longer, it is told so: it would read on for nobody."""
        question = NextUpdates(self._name, self._dimension, self._symbols, self._after, _LIMIT, timeout)
        consumer, over = self._calls.ref(self._consumer), False
        try:
            answer = await consumer.ask(question, timeout + _SLACK)
            over = True
        except ActorError:  # one that was not answered in time goes on: its next try finds what is done by then
            over = True
            raise
        finally:
            if not over:
                with suppress(ActorDead, MailboxFull):
                    consumer.tell_nowait(StopWaiting(self._name))
        return answer
