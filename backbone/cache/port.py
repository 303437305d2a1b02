"""The port of the cache: what every adapter (memory, Redis) offers.

An entry carries the outbox position of its data. Each (dimension, symbol) remembers the newest position that was
invalidated; an entry is served only while its position is at least that of all its symbols, so a loader that read
before a commit can't put old rows over newer ones, whatever the order of the calls. Positions never expire.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from backbone.cache.key import CacheKey
from backbone.domain.dimension import Dimension

__all__ = ["Cache", "CacheEntry", "CacheInfo", "CacheMetrics"]


class CacheEntry(msgspec.Struct, frozen=True):
    """A cached window.

    Attributes:
        payload: the rows in the columnar codec.
        position: outbox position that the rows include.
        stored_at: seconds on the cache's monotonic clock.
    """

    payload: bytes
    position: int
    stored_at: float


class CacheMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the start or the last reset, and what bounds the cache.

    Attributes:
        hits: gets that were answered.
        misses: gets that were not, for whatever reason.
        sets: entries stored.
        evictions: entries dropped for lack of room.
        expirations: entries dropped because their time had passed.
        invalidations: positions that moved forward.
        stale_rejected: gets refused because the entry was older than asked for, puts refused because newer was known.
        keys: entries held.
        capacity: entries that may be held, None is no bound.
        ttl_s: time to live in seconds, None is for ever.
        namespace: prefix of all keys.
        strategy: name of the policy; "disabled" caches nothing.
        backend: "memory" or "redis"; "off" where nothing is cached.
        hit_rate: hits / (hits + misses); None without traffic.
    """

    hits: int
    misses: int
    sets: int
    evictions: int
    expirations: int
    invalidations: int
    stale_rejected: int
    keys: int
    capacity: int | None
    ttl_s: float | None
    namespace: str
    strategy: str
    backend: str
    hit_rate: float | None


class CacheInfo(msgspec.Struct, frozen=True):
    """Answer of a probe that really asked the cache.

    Attributes:
        backend: "memory" or "redis"; "off" where nothing is cached.
        healthy: whether an entry can be stored and got now.
        degraded_reason: why it works less well than it should, None if it does not.
        details: facts for the operator, as text.
    """

    backend: str
    healthy: bool
    degraded_reason: str | None = None
    details: dict[str, str] = {}


class Cache(Protocol):
    """A cache of windows, newer always wins."""

    async def open(self) -> None:
        """Connect; a second call does nothing."""
        ...

    async def close(self) -> None:
        """Give back what the cache holds; a second call does nothing."""
        ...

    async def probe(self) -> CacheInfo:
        """Ask the cache whether it works."""
        ...

    async def get(self, key: CacheKey, *, at_least: int = 0) -> CacheEntry | None:
        """The entry, or None if there is none that is current.

        Args:
            key: the window.
            at_least: outbox position that the entry has to include.
        """
        ...

    async def peek(self, key: CacheKey) -> CacheEntry | None:
        """The entry even if it was invalidated, uncounted: what is left to serve, as stale, when the store is down."""
        ...

    async def put(self, key: CacheKey, payload: bytes, position: int) -> bool:
        """Store rows that include the outbox up to `position`.

        Returns:
            False when a newer entry or a newer invalidation is known, or when nothing is cached at all.
        """
        ...

    async def invalidate(self, dimension: Dimension, symbol: str, position: int) -> None:
        """Refuse from now on every entry with this symbol that does not include `position`; constant time."""
        ...

    async def metrics(self, *, reset: bool = False) -> CacheMetrics:
        """The counters; with `reset` they start again from 0 afterwards."""
        ...

    async def clear(self) -> None:
        """Drop all entries; the positions stay, as does what they protect from."""
        ...
