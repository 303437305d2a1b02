"""The port of the cache: what every adapter (memory, Redis) offers.

Three things keep old rows out, whatever the order of the calls and however many processes share the cache:

- An entry carries the outbox position of its data. Each (dimension, symbol) remembers the newest position that was
  invalidated; an entry is served only while its position is at least that of all its symbols.
- Only who holds the lease of a key may put it. A lease is granted before the rows are read, and ends at a deadline. It
  is lost where the cache was emptied (a restart, FLUSHALL, `clear`): then the positions are gone as well, and so what
  was read before is refused. And it is lost to the first who asks after an invalidation of the key: they may not be
  given rows that were read before it, and so wait for nobody who reads them.
- A generation: `clear` begins a new one, and nothing of an older one is seen again. It is part of the name of every
  key (see `backbone.cache.key.space`), as are the database and the version of the codec.

For example: A asks for a window, gets `Miss("1")` and reads the store at position 5. B, in another process, asks for
the same and gets `Wait`. A commit at 6 is invalidated. B asks again and gets `Miss("2")`; A's put is refused.

Every call ends within about a second, by an answer or by CacheUnavailable: an adapter has time-outs of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from backbone.cache.key import CacheKey
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.probe import ProbeAnswer

__all__ = ["Cache", "CacheEntry", "CacheMetrics", "Hit", "Lookup", "Miss", "Wait"]


class CacheEntry(msgspec.Struct, frozen=True):
    """A cached window.

    Attributes:
        payload: the rows in the columnar codec; of a cache that is `near`, the frame itself.
        position: outbox position that the rows include.
        checksum: of the payload, as it was written; None: it came without one.
    """

    payload: bytes | Frame
    position: int
    checksum: int | None = None


class Hit(msgspec.Struct, frozen=True):
    """The window is there and current."""

    entry: CacheEntry


class Miss(msgspec.Struct, frozen=True):
    """It is not, and who asked may load it: with this lease, until its deadline, and nobody else meanwhile."""

    lease: str


class Wait(msgspec.Struct, frozen=True):
    """It is not, and somebody loads it, with this lease: ask again shortly, or read the store.

    Attributes:
        lease: theirs; it tells somebody who asks twice whether they wait for the same load, and may be their own.
        seconds: until it ends at the latest.
    """

    lease: str
    seconds: float


Lookup = Hit | Miss | Wait
"""What `get` found."""


class CacheMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the start or the last reset, and what bounds the cache.

    Attributes:
        hits: gets that were answered.
        misses: gets that were not, for whatever reason; who waits and asks again counts again.
        sets: entries stored.
        evictions: entries dropped for lack of room.
        expirations: entries dropped because their time had passed.
        invalidations: positions that moved forward.
        stale_rejected: gets refused because the entry was older than asked for, puts refused because newer was known
            or the lease was lost.
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


class Cache(Protocol):
    """A cache of windows, newer always wins. Every method but `close` may raise CacheUnavailable.

    Attributes:
        near: whether entries stay in this process as they are, so that frames need no encoding to be kept there.
    """

    near: bool

    async def open(self) -> None:
        """Connect; again where it failed before; where it is open it does nothing."""
        ...

    async def close(self) -> None:
        """Give back what the cache holds; a second call does nothing."""
        ...

    async def probe(self) -> ProbeAnswer:
        """Ask the cache whether it works."""
        ...

    def glance(self, key: CacheKey, at_least: int = 0) -> CacheEntry | None:
        """The entry, if `get` would give it without waiting for anybody; None says nothing of whether there is one.

        It counts as a hit of `get`; that it is not at hand counts as nothing.
        """
        ...

    async def get(self, key: CacheKey, *, at_least: int = 0) -> Lookup:
        """The entry, if there is one that is current; else the lease to load it, if nobody else loads what is current.

        Args:
            key: the window.
            at_least: outbox position that the entry has to include.
        """
        ...

    async def peek(self, key: CacheKey) -> CacheEntry | None:
        """The entry even if it was invalidated, uncounted: what is left to serve, as stale, when the store is down."""
        ...

    async def put(self, key: CacheKey, entry: CacheEntry, lease: str) -> bool:
        """Store an entry, and give the lease back in any case.

        Args:
            key: the window.
            entry: rows that were read after the lease was granted.
            lease: of this key, from `get`.

        Returns:
            False when the lease was lost, a newer entry or a newer invalidation is known, or nothing is cached at all.
        """
        ...

    async def release(self, key: CacheKey, lease: str) -> None:
        """Give a lease back without an entry, so that others need not wait for its deadline; a lost one is no error."""
        ...

    async def invalidate(self, dimension: Dimension, positions: Mapping[str, int]) -> None:
        """Refuse from now on every entry that does not include these positions of its symbols; one round trip."""
        ...

    async def metrics(self, *, reset: bool = False) -> CacheMetrics:
        """The counters; with `reset` they start again from 0 afterwards."""
        ...

    async def clear(self) -> None:
        """Begin a new generation: entries, leases and positions of before are not seen again; constant time."""
        ...
