"""The cache in this process: least recently used goes first, expiry is looked at only where an entry is touched."""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backbone.cache.counters import Counters
from backbone.cache.key import CacheKey
from backbone.cache.memory.leases import Leases
from backbone.cache.policy import Policy
from backbone.cache.port import CacheEntry, CacheMetrics, Hit, Lookup, Miss
from backbone.domain.dimension import Dimension
from backbone.domain.probe import ProbeAnswer

__all__ = ["MemoryCache"]


@dataclass(slots=True)
class _Slot:
    entry: CacheEntry
    expires_at: float | None


class MemoryCache:
    """A bounded dictionary with positions, of frames as they are: nobody can change one.

    Args:
        policy: time to live, capacity, lease and name.
        clock: monotonic seconds; replaced in tests.
        seed: seed of the jitter, None for an arbitrary one.
    """

    near = True

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
        self._leases = Leases(self._policy.lease_s, clock)
        self._by_symbol: dict[tuple[Dimension, str], int] = {}
        self._by_dimension: dict[Dimension, int] = {}
        self._counters = Counters()
        self._is_open = False

    async def open(self) -> None:
        """Make ready."""
        self._is_open = True

    async def close(self) -> None:
        """Drop everything."""
        self._is_open = False
        await self.clear()

    async def probe(self) -> ProbeAnswer:
        """Say what is held."""
        return ProbeAnswer(
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

    def glance(self, key: CacheKey, at_least: int = 0) -> CacheEntry | None:
        """The entry if it is alive and new enough."""
        slot = self._alive(key)
        if slot is None or slot.entry.position < max(at_least, self._required(key)):
            return None
        self._counters.hits += 1
        self._slots.move_to_end(key)
        return slot.entry

    async def get(self, key: CacheKey, *, at_least: int = 0) -> Lookup:
        """The entry if it is alive and new enough, else the lease, else how long another one has it."""
        entry = self.glance(key, at_least)
        if entry is not None:
            return Hit(entry)
        required = self._required(key)
        self._counters.stale_rejected += key in self._slots
        self._counters.misses += 1
        return self._leases.held(key, required) or Miss(self._leases.grant(key, required))

    async def peek(self, key: CacheKey) -> CacheEntry | None:
        """The entry if it is alive, however old its position."""
        slot = self._alive(key)
        return None if slot is None else slot.entry

    async def put(self, key: CacheKey, entry: CacheEntry, lease: str) -> bool:
        """Store, unless the lease was lost or something newer is known."""
        is_holder = self._leases.end(key, lease)
        if not self._policy.is_enabled:
            return False
        held = self._alive(key)
        newest = max(self._required(key), held.entry.position if held is not None else 0)
        if not is_holder or entry.position < newest:
            self._counters.stale_rejected += 1
            return False
        lifetime = self._policy.lifetime(self._randomness)
        self._slots[key] = _Slot(entry, None if lifetime is None else self._clock() + lifetime)
        self._slots.move_to_end(key)
        self._counters.sets += 1
        self._make_room()
        return True

    async def release(self, key: CacheKey, lease: str) -> None:
        """Let others load."""
        self._leases.end(key, lease)

    async def invalidate(self, dimension: Dimension, positions: Mapping[str, int]) -> None:
        """Remember the positions; entries are looked at when they are asked for."""
        for symbol, position in positions.items():
            if position > self._by_symbol.get((dimension, symbol), 0):
                self._by_symbol[dimension, symbol] = position
                self._by_dimension[dimension] = max(position, self._by_dimension.get(dimension, 0))
                self._counters.invalidations += 1

    async def metrics(self, *, reset: bool = False) -> CacheMetrics:
        """The counters and the policy."""
        told = self._counters.told(self._policy, len(self._slots), "memory")
        if reset:
            self._counters = Counters()
        return told

    async def clear(self) -> None:
        """Begin anew, without anything of before."""
        self._slots.clear()
        self._leases.clear()
        self._by_symbol.clear()
        self._by_dimension.clear()

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
