"""What the cache lacks, read from the store: each window by one read at a time, and a bounded number at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import anyio

from actors import Context, Reject
from backbone.cache.guarded import GuardedCache
from backbone.cache.key import CacheKey
from backbone.cache.load import Asker, Load
from backbone.cache.messages import Fetched
from backbone.cache.port import CacheEntry, Hit, Lookup, Miss, Wait
from backbone.calls import PASSING, Calls
from backbone.domain import Frame, decode, encode
from backbone.domain.codec import CodecError, checksum_of
from backbone.domain.dimension import Dimension
from backbone.domain.threads import in_thread
from backbone.store.messages import ReadRows
from backbone.store.records import Query, ReadResult

__all__ = ["Loads", "Reads"]

_MOST_ROWS = 150_000  # larger windows (about 8 MiB) are served, not kept
_ROWS_INLINE = 20_000  # what can be encoded within a millisecond
_IN_FLIGHT = 16  # reads of the store at once, also of what is never cached, and of all while the cache is down
_WAITING = 1024  # reads under way or waiting for their turn; further ones are refused
_ASK_AGAIN = 0.05  # seconds between looks at a window that another process loads
_PATIENCE = 2.0  # seconds for which such a window is waited for; then it is read here as well, and not kept


Reads = Callable[[Query, float], Awaitable[ReadResult]]
"""Reads a window within so many seconds; raises Reject."""


class Loads:
    """The reads under way, by key.

    Args:
        context: of the actor beside whose mailbox they run.
        cache: where their results are kept.
        calls: where the store is.
        timeout: seconds for a read of the store.
        inline: encode on the event loop only.
        reads: reads windows; None: the store's actor is asked.
    """

    def __init__(
        self,
        context: Context,
        cache: GuardedCache,
        calls: Calls,
        timeout: float,
        inline: bool,
        reads: Reads | None = None,
    ) -> None:
        self._reads = self._read_store if reads is None else reads
        self._context = context
        self._cache = cache
        self._calls = calls
        self._timeout = timeout
        self._inline = inline
        self._slots = anyio.Semaphore(_IN_FLIGHT, fast_acquire=True)
        self._under_way: dict[CacheKey, Load] = {}
        self._uncached = 0

    def read(self, query: Query, asker: Asker) -> None:
        """Read a window that is never cached."""
        if not self._refuses(asker):
            self._uncached += 1
            self._context.run_task(self._read_uncached(query, asker), name="read")

    async def join(self, key: CacheKey, query: Query, at_least: int, asker: Asker, found: Lookup | None) -> None:
        """Wait for a window together with others.

        Args:
            key: the window.
            query: how the store is asked for it.
            at_least: outbox position that it has to include.
            asker: is answered.
            found: what the cache said just now; None: it is down, or what it has is damaged.
        """
        load = self._under_way.get(key)
        if load is None and not self._refuses(asker):
            load = self._under_way[key] = Load(lease=found.lease if isinstance(found, Miss | Wait) else None)
            load.join(at_least, asker)
            self._context.run_task(self._load(key, query, load, found), name="load")
            return
        if load is not None:
            if isinstance(found, Miss | Wait) and found.lease != load.lease:
                load.close()  # it has lost its lease, for rows have changed since it began: perhaps only others know
            load.join(at_least, asker)
        if isinstance(found, Miss):  # the next read takes one when it begins
            await self._cache.release(key, found.lease)

    async def warm(self, key: CacheKey, query: Query, at_least: int) -> None:
        """Read a window that nobody waits for, unless it is being read, or others wait for their turn."""
        if key in self._under_way or len(self._under_way) + self._uncached >= _IN_FLIGHT:
            return
        found = await self._cache.get(key, at_least)
        load = self._under_way[key] = Load(at_least)
        self._context.run_task(self._load(key, query, load, found), name="warm")

    def close(self, changed: Mapping[Dimension, Mapping[str, int]] | None = None) -> None:
        """Let nobody join a read of rows that have changed since it began; None: of any rows."""
        for key, load in self._under_way.items():
            if changed is None or key.concerns(changed):
                load.close()

    def fetched(self, entry: CacheEntry) -> Fetched | None:
        """What the cache had, marked stale where the store can't confirm it; None where it is damaged."""
        frame = entry.payload if isinstance(entry.payload, Frame) else self._decoded(entry.payload, entry.checksum)
        if frame is None:
            return None
        return Fetched(frame if self._calls.serves("store") else frame.as_stale(), entry.position, hit=True)

    def _decoded(self, payload: bytes, checksum: int | None) -> Frame | None:
        try:
            return decode(payload, checksum)
        except CodecError as error:
            self._context.log.warning("cached window is damaged and was passed by", why=str(error))
            return None

    def _refuses(self, asker: Asker) -> bool:
        full = len(self._under_way) + self._uncached >= _WAITING
        if full:
            text = f"{_WAITING} reads are under way or wait for their turn; try again in a moment"
            asker.refuse(Reject("busy", text))
        return full

    async def _read_uncached(self, query: Query, asker: Asker) -> None:
        try:
            result = await self._read(query)
        except Reject as reject:
            asker.refuse(reject)
        else:
            asker.answer(Fetched(result.frame, result.position, hit=False))
        finally:
            self._uncached -= 1

    async def _load(self, key: CacheKey, query: Query, load: Load, found: Lookup | None) -> None:
        """One read after the other, until nobody needs a newer one."""
        try:
            load.begin()
            await self._carry_out(key, query, load, found)
            while load.next is not None:
                load = self._under_way[key] = load.next
                load.begin()
                await self._carry_out(key, query, load, await self._cache.get(key, load.at_least))
        finally:
            del self._under_way[key]

    async def _carry_out(self, key: CacheKey, query: Query, load: Load, found: Lookup | None) -> None:
        """Read, keep, answer; or only answer, where another process was quicker.

        Answering is the last step, without an await behind it: who joined later than that would be forgotten.
        """
        found = await self._waited(key, load, found)
        load.lease = found.lease if isinstance(found, Miss) else None
        if isinstance(found, Hit) and (fetched := self.fetched(found.entry)) is not None:
            load.answer(fetched)
            return
        try:
            result = await self._read(query)
        except Reject as reject:
            if load.lease is not None:
                await self._cache.release(key, load.lease)
            await self._without_store(key, load, reject)
            return
        position = max(result.position, load.at_least)  # it began after what was asked for was committed
        if load.lease is not None:
            kept = position if result.complete is None else min(position, result.complete)
            await self._keep(key, result.frame, kept, load.lease)
        load.answer(Fetched(result.frame, position, hit=False))

    async def _waited(self, key: CacheKey, load: Load, found: Lookup | None) -> Lookup | None:
        """Wait while another process loads, within a bound: it may have died, or read what is too old for us."""
        until = self._context.clock.time() + _PATIENCE
        while isinstance(found, Wait) and self._context.clock.time() < until:
            load.lease = found.lease
            await anyio.sleep(min(found.seconds, _ASK_AGAIN))
            found = await self._cache.get(key, load.at_least)
        return found

    async def _read(self, query: Query) -> ReadResult:
        async with self._slots:
            return await self._reads(query, self._timeout)

    async def _read_store(self, query: Query, timeout: float) -> ReadResult:
        return await self._calls.ask("store", ReadRows(query), timeout)

    async def _keep(self, key: CacheKey, frame: Frame, position: int, lease: str) -> None:
        """Cache a window, unless it would take the room of many others; a large one is encoded in a thread."""
        if frame.num_rows > _MOST_ROWS:
            await self._cache.release(key, lease)
            return
        if self._cache.adapter.near:
            await self._cache.put(key, CacheEntry(frame, position), lease)
            return
        if frame.num_rows > _ROWS_INLINE and not self._inline:
            payload = await in_thread(lambda: encode(frame))
        else:
            payload = encode(frame)
        await self._cache.put(key, CacheEntry(payload, position, checksum_of(payload)), lease)

    async def _without_store(self, key: CacheKey, load: Load, reject: Reject) -> None:
        """The store is down: serve what is left, marked stale; refuse where nothing is left."""
        entry = await self._cache.peek(key) if reject.code in PASSING else None
        left = None if entry is None else self.fetched(entry)
        for asker in load.give_up():
            if left is None:
                asker.refuse(reject)
            else:
                asker.answer(Fetched(left.frame.as_stale(), left.position, hit=True))
