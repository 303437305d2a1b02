"""The cache in this process: least recently used goes first, expiry is looked at only where an entry is touched."""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from backbone.cache.key import CacheKey
from backbone.cache.policy import Policy
from backbone.cache.port import CacheEntry, CacheInfo, CacheMetrics
from backbone.domain.dimension import Dimension

__all__ = ["MemoryCache"]


@dataclass(slots=True)
class _Slot:
    entry: CacheEntry
    expires_at: float | None


@dataclass(slots=True)
class _Counters:
    hits: int = 0
    misses: int = 0
    sets: int = 0
    evictions: int = 0
    expirations: int = 0
    invalidations: int = 0
    stale_rejected: int = 0


class MemoryCache:
    """A bounded dictionary with positions.

    Args:
        policy: time to live, capacity and name.
        clock: monotonic seconds; replaced in tests.
        seed: seed of the jitter, None for an arbitrary one.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        seed: int | None = None,
    ) -> None:
        self._policy = policy or Policy()
        self._clock = clock
        self._randomness = random.Random(seed)  # noqa: S311  jitter, not secrecy
        self._slots: OrderedDict[CacheKey, _Slot] = OrderedDict()
        self._by_symbol: dict[tuple[Dimension, str], int] = {}
        self._by_dimension: dict[Dimension, int] = {}
        self._counters = _Counters()
        self._is_open = False

    async def open(self) -> None:
        """Make ready."""
        self._is_open = True

    async def close(self) -> None:
        """Drop everything."""
        self._is_open = False
        self._slots.clear()

    async def probe(self) -> CacheInfo:
        """Say what is held."""
        return CacheInfo(
            backend="memory" if self._policy.is_enabled else "off",
            healthy=self._is_open,
            degraded_reason=None if self._is_open else "the cache is closed",
            details={
                "lifetime": "this process",
                "strategy": self._policy.strategy,
                "keys": str(len(self._slots)),
                "symbols": str(len(self._by_symbol)),
            },
        )

    async def get(self, key: CacheKey, *, at_least: int = 0) -> CacheEntry | None:
        """The entry if it is alive and new enough."""
        slot = self._alive(key)
        if slot is not None and slot.entry.position < max(at_least, self._required(key)):
            self._counters.stale_rejected += 1
            slot = None
        if slot is None:
            self._counters.misses += 1
            return None
        self._counters.hits += 1
        self._slots.move_to_end(key)
        return slot.entry

    async def peek(self, key: CacheKey) -> CacheEntry | None:
        """The entry if it is alive, however old its position."""
        slot = self._alive(key)
        return None if slot is None else slot.entry

    async def put(self, key: CacheKey, payload: bytes, position: int) -> bool:
        """Store, unless something newer is known."""
        if not self._policy.is_enabled:
            return False
        held = self._alive(key)
        newest = max(self._required(key), held.entry.position if held is not None else 0)
        if position < newest:
            self._counters.stale_rejected += 1
            return False
        now = self._clock()
        lifetime = self._policy.lifetime(self._randomness)
        entry = CacheEntry(payload=payload, position=position, stored_at=now)
        self._slots[key] = _Slot(entry, None if lifetime is None else now + lifetime)
        self._slots.move_to_end(key)
        self._counters.sets += 1
        self._make_room()
        return True

    async def invalidate(self, dimension: Dimension, symbol: str, position: int) -> None:
        """Remember the position; entries are looked at when they are asked for."""
        if position > self._by_symbol.get((dimension, symbol), 0):
            self._by_symbol[dimension, symbol] = position
            self._by_dimension[dimension] = max(position, self._by_dimension.get(dimension, 0))
            self._counters.invalidations += 1

    async def metrics(self, *, reset: bool = False) -> CacheMetrics:
        """The counters and the policy."""
        counted = self._counters
        asked = counted.hits + counted.misses
        if reset:
            self._counters = _Counters()
        return CacheMetrics(
            hits=counted.hits,
            misses=counted.misses,
            sets=counted.sets,
            evictions=counted.evictions,
            expirations=counted.expirations,
            invalidations=counted.invalidations,
            stale_rejected=counted.stale_rejected,
            keys=len(self._slots),
            capacity=self._policy.capacity,
            ttl_s=self._policy.ttl_s,
            namespace=self._policy.namespace,
            strategy=self._policy.strategy,
            backend="memory" if self._policy.is_enabled else "off",
            hit_rate=counted.hits / asked if asked else None,
        )

    async def clear(self) -> None:
        """Drop all entries."""
        self._slots.clear()

    def _required(self, key: CacheKey) -> int:
        """Position below which an entry of this key is old; a key of all symbols needs that of the whole dimension."""
        if not key.symbols:
            return self._by_dimension.get(key.dimension, 0)
        return max(self._by_symbol.get((key.dimension, symbol), 0) for symbol in key.symbols)

    def _alive(self, key: CacheKey) -> _Slot | None:
        slot = self._slots.get(key)
        if slot is not None and slot.expires_at is not None and slot.expires_at <= self._clock():
            del self._slots[key]
            self._counters.expirations += 1
            return None
        return slot

    def _make_room(self) -> None:
        capacity = self._policy.capacity
        while capacity is not None and len(self._slots) > capacity:
            self._slots.popitem(last=False)
            self._counters.evictions += 1
