"""The actor that owns the cache. Reads go through it: a miss is loaded from the store once, however many ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from actors import Actor, Reject, Reply, StopReason, handles
from backbone.cache.key import CacheKey
from backbone.cache.messages import Fetch, Fetched, ForgetWindows, Invalidate, ProbeCache, ReadCacheMetrics
from backbone.cache.port import Cache, CacheEntry, CacheInfo
from backbone.calls import PASSING, Calls
from backbone.domain import Frame, decode, encode
from backbone.domain.advice import INSTEAD
from backbone.domain.threads import in_thread
from backbone.store.messages import ReadRows
from backbone.store.records import Query

__all__ = ["CacheActor"]

_CLOSE_TIMEOUT = 5.0
_MOST_ROWS = 150_000  # larger windows (about 8 MiB) are served, not kept
_ROWS_INLINE = 20_000  # what can be encoded within a millisecond
_IN_FLIGHT = 16


class CacheActor(Actor):
    """Serves windows.

    Args:
        make: makes the adapter; each incarnation opens a fresh one.
        calls: where the store is.
        embedded: why this cache is less than a real one, or None.
        read_timeout: seconds for a read of the store.
        inline: encode on the event loop only, for deterministic tests.
    """

    def __init__(
        self,
        make: Callable[[], Cache],
        calls: Calls,
        embedded: str | None = None,
        read_timeout: float = 30.0,
        inline: bool = False,
    ) -> None:
        self._inline = inline
        self._make = make
        self._calls = calls
        self._embedded = embedded
        self._read_timeout = read_timeout
        self._cache: Cache
        self._slots = anyio.Semaphore(_IN_FLIGHT, fast_acquire=True)
        self._loading: dict[CacheKey, list[tuple[int, Reply[Any]]]] = {}
        self._forgotten = 0

    async def on_start(self) -> None:
        """Open the cache."""
        self._cache = self._make()
        await self._cache.open()
        if self._embedded is not None:
            self.context.report_health(
                "degraded",
                f"in-process cache: {self._embedded}",
                "everything works within this one process",
                INSTEAD["cache"],
            )

    async def on_stop(self, reason: StopReason) -> None:
        """Close the cache, within a bound."""
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            await self._cache.close()

    @handles
    async def fetch(self, message: Fetch) -> Fetched | None:
        """A hit at once, stale while the store is down; a miss by one load for all who ask for it meanwhile."""
        query = message.query
        if query.as_of is not None:
            self.context.run_task(self._bypass(query), name="read", reply=self.context.defer_reply())
            return None
        key = CacheKey.of(
            query.dimension,
            query.symbols,
            interval=query.interval,
            start=query.start,
            end=query.end,
            limit=query.limit,
        )
        entry = await self._cache.get(key, at_least=message.at_least)
        if entry is not None:
            frame = decode(entry.payload)
            return Fetched(frame if self._calls.serves("store") else frame.as_stale(), entry.position, hit=True)
        waiting = self._loading.get(key)
        if waiting is not None:
            waiting.append((message.at_least, self.context.defer_reply()))
            return None
        await self._slots.acquire()
        self._loading[key] = [(message.at_least, self.context.defer_reply())]
        self.context.run_task(self._load(key, query), name="load")
        return None

    async def _bypass(self, query: Query) -> Fetched:
        result = await self._calls.ask("store", ReadRows(query), self._read_timeout)
        return Fetched(result.frame, result.position, hit=False)

    async def _load(self, key: CacheKey, query: Query) -> None:
        """Read, keep, answer. Who joined with a newer position than the read began with gets a read of its own."""
        try:
            while self._loading[key]:
                began = max(at_least for at_least, _ in self._loading[key])
                forgotten = self._forgotten
                try:
                    result = await self._calls.ask("store", ReadRows(query), self._read_timeout)
                except Reject as reject:
                    await self._without_store(key, reject)
                    return
                position = max(result.position, began)
                if forgotten == self._forgotten:  # else it may hold rows that were dropped meanwhile
                    kept = position if result.complete is None else min(position, result.complete)
                    await self._keep(key, result.frame, kept)
                waiting = self._loading[key]
                self._loading[key] = [(at_least, reply) for at_least, reply in waiting if at_least > position]
                for at_least, reply in waiting:
                    if at_least <= position:
                        reply(Fetched(result.frame, position, hit=False))
        finally:
            self._loading.pop(key, None)
            self._slots.release()

    async def _keep(self, key: CacheKey, frame: Frame, position: int) -> None:
        """Cache a window, unless it would push out many others; a large one is encoded in a thread."""
        if frame.num_rows > _MOST_ROWS:
            return
        if frame.num_rows > _ROWS_INLINE and not self._inline:
            payload = await in_thread(lambda: encode(frame))
        else:
            payload = encode(frame)
        await self._cache.put(key, payload, position)

    async def _without_store(self, key: CacheKey, reject: Reject) -> None:
        """The store is down: serve what is left, marked stale; refuse where nothing is left."""
        left: CacheEntry | None = await self._cache.peek(key) if reject.code in PASSING else None
        for _, reply in self._loading.pop(key, ()):
            if left is None:
                reply.fail(reject)
            else:
                reply(Fetched(decode(left.payload).as_stale(), left.position, hit=True))
        self._loading[key] = []

    @handles
    async def invalidate(self, message: Invalidate) -> None:
        """See Invalidate."""
        for dimension, positions in message.positions.items():
            for symbol, position in positions.items():
                await self._cache.invalidate(dimension, symbol, position)

    @handles
    async def forget(self, message: ForgetWindows) -> None:
        """See ForgetWindows; positions stay, for a drop moves none."""
        self._forgotten += 1
        await self._cache.clear()

    @handles
    async def probe(self, message: ProbeCache) -> CacheInfo:
        """See ProbeCache."""
        return await self._cache.probe()

    @handles
    async def metrics(self, message: ReadCacheMetrics) -> Any:
        """See ReadCacheMetrics."""
        return await self._cache.metrics(reset=message.reset)
