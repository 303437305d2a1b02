"""The actor that owns the cache. Reads go through it: a miss is loaded from the store once, however many ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio

from actors import Actor, Message, StopReason, handles
from backbone.cache.at_hand import AtHand
from backbone.cache.errors import CacheUnavailable
from backbone.cache.guarded import GuardedCache
from backbone.cache.key import CacheKey
from backbone.cache.lately import LastAsked
from backbone.cache.load import Asker, outcome_of
from backbone.cache.loads import Loads, Reads
from backbone.cache.messages import (
    Fetch,
    Fetched,
    ForgetWindows,
    Invalidate,
    ProbeCache,
    ReadCacheMetrics,
    WarmWindows,
)
from backbone.cache.port import Cache, CacheMetrics, Hit
from backbone.calls import Calls, refuse
from backbone.domain.advice import INSTEAD
from backbone.domain.observing import Observe
from backbone.domain.probe import ProbeAnswer
from backbone.store.records import Query

__all__ = ["CacheActor"]

_CLOSE_TIMEOUT = 5.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 0.5  # what others may serve, who find it back before we do and do not know what was missed


class Recover(Message, frozen=True):
    """Time to look whether the cache is back."""


class CacheActor(Actor):
    """Serves windows: from the cache, and what that lacks from the store; while the cache is down, all from the store.

    Args:
        make: makes the adapter; each incarnation opens a fresh one.
        calls: where the store is.
        embedded: why this cache is less than a real one, or None.
        read_timeout: seconds for a read of the store.
        inline: encode on the event loop only, for deterministic tests.
        at_hand: where it shows what it has at hand; None: nobody looks.
        reads: reads what it lacks, within so many seconds; None: the store's actor is asked.
        observe: told of each Fetch ("hit", "miss", "stale", or "refused:" and the code) and of each Invalidate and
            ForgetWindows ("ok", or "missed" while the cache is down).
    """

    def __init__(
        self,
        make: Callable[[], Cache],
        calls: Calls,
        embedded: str | None = None,
        read_timeout: float = 30.0,
        inline: bool = False,
        observe: Observe | None = None,
        at_hand: AtHand | None = None,
        reads: Reads | None = None,
    ) -> None:
        self._reads = reads
        self._inline = inline
        self._make = make
        self._calls = calls
        self._embedded = embedded
        self._read_timeout = read_timeout
        self._observe = observe
        self._shown = at_hand
        self._cache: GuardedCache
        self._loads: Loads
        self._lately = LastAsked()
        self._pause = 0.0

    async def on_start(self) -> None:
        """Open the cache; one that is down is waited for beside the work."""
        # what a fallen incarnation did not hear of is unknown: a cache that outlived it is not trusted
        self._cache = GuardedCache(self._make(), self._went_down, missed=self.context.ref.incarnation > 1)
        self._loads = Loads(self.context, self._cache, self._calls, self._read_timeout, self._inline, self._reads)
        if self._shown is not None:
            self._shown.show(self.context.ref, self._at_hand)
        await self._look()

    async def on_stop(self, reason: StopReason) -> None:
        """Close the cache, within a bound."""
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            await self._cache.adapter.close()

    @handles
    async def fetch(self, message: Fetch) -> Fetched | None:
        """A hit at once, stale while the store is down; a miss by one load for all who ask for it meanwhile."""
        query, since = message.query, self.context.clock.time()
        if query.as_of is not None:  # rows as they were known at some time are never cached
            self._loads.read(query, self._asker(since))
            return None
        key = _key_of(query)
        self._lately.asked(key, query)
        found = await self._cache.get(key, message.at_least)
        if isinstance(found, Hit):
            fetched = self._loads.fetched(found.entry)
            if fetched is not None:
                self._saw("Fetch", since, outcome_of(fetched))
                return fetched
            found = None
        await self._loads.join(key, query, message.at_least, self._asker(since), found)
        return None

    def _at_hand(self, query: Query, at_least: int) -> Fetched | None:
        """The same of a hit that waits for nothing, for who reads it without a message.

        While the store is down who asks waits a turn: it may be back, and the window not stale.
        """
        if query.as_of is not None or not self._calls.serves("store"):
            return None
        key, since = _key_of(query), self.context.clock.time()
        entry = self._cache.glance(key, at_least)
        fetched = None if entry is None else self._loads.fetched(entry)
        if fetched is not None:
            self._lately.asked(key, query)
            self._saw("Fetch", since, outcome_of(fetched))
        return fetched

    def _asker(self, since: float) -> Asker:
        return Asker(self.context.defer_reply(), partial(self._saw, "Fetch", since))

    @handles
    async def invalidate(self, message: Invalidate) -> None:
        """See Invalidate; while the cache is down, it is noted that it missed something."""
        began = self.context.clock.time()
        self._loads.close(message.positions)
        heard = await self._cache.invalidate(message.positions)
        self._saw("Invalidate", began, "ok" if heard else "missed")

    @handles
    async def forget(self, message: ForgetWindows) -> None:
        """See ForgetWindows."""
        began = self.context.clock.time()
        self._loads.close()
        heard = await self._cache.clear()
        self._saw("ForgetWindows", began, "ok" if heard else "missed")

    @handles
    async def warm(self, message: WarmWindows) -> None:
        """See WarmWindows; while the cache is down there is nothing to be warmed."""
        for key, query, position in self._lately.concerned(message.positions):
            if not self._cache.is_down:
                await self._loads.warm(key, query, position)

    def _saw(self, what: str, since: float, outcome: str) -> None:
        if self._observe is not None:
            self._observe(what, self.context.clock.time() - since, outcome)

    @handles
    async def probe(self, message: ProbeCache) -> ProbeAnswer:
        """See ProbeCache."""
        try:
            return await self._cache.adapter.probe()
        except CacheUnavailable as error:
            raise refuse(error) from error

    @handles
    async def metrics(self, message: ReadCacheMetrics) -> CacheMetrics:
        """See ReadCacheMetrics."""
        try:
            return await self._cache.adapter.metrics(reset=message.reset)
        except CacheUnavailable as error:
            raise refuse(error) from error

    @handles
    async def recover(self, message: Recover) -> None:
        """Use the cache again, if it is back; that is found out beside the mailbox, for nobody to wait for."""
        self.context.run_task(self._look(), name="look")

    async def _look(self) -> None:
        try:
            await self._cache.recover()
        except CacheUnavailable as error:
            self._went_down(error)
            return
        self._pause = 0.0
        self._report_ok()

    def _went_down(self, error: CacheUnavailable) -> None:
        """Say so, and look again soon, ever less often up to every two seconds."""
        self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
        self.context.send_after(self._pause, Recover(), key="recover")
        following = f"looks again at least every {_LONGEST_PAUSE:g} s; every read goes to the store meanwhile"
        self.context.report_health(
            "degraded", str(error) or "no answer", following, "start or mend the server; nothing else has to be done"
        )

    def _report_ok(self) -> None:
        if self._embedded is None:
            self.context.report_health("ok")
        else:
            self.context.report_health(
                "degraded",
                f"in-process cache: {self._embedded}",
                "everything works within this one process",
                INSTEAD["cache"],
            )


def _key_of(query: Query) -> CacheKey:
    return CacheKey.of(
        query.dimension,
        query.symbols,
        interval=query.interval,
        start=query.start,
        end=query.end,
        limit=query.limit,
        made=() if query.bucket is None else query.bucket.key,
    )
