"""What a cache counts of the calls of this process, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass

from backbone.cache.policy import Policy
from backbone.cache.port import CacheMetrics

__all__ = ["Counters"]


@dataclass(slots=True)
class Counters:
    """See CacheMetrics, field by field."""

    hits: int = 0
    misses: int = 0
    sets: int = 0
    evictions: int = 0
    expirations: int = 0
    invalidations: int = 0
    stale_rejected: int = 0

    def told(self, policy: Policy, keys: int, backend: str) -> CacheMetrics:
        """The counters, beside what bounds the cache."""
        asked = self.hits + self.misses
        return CacheMetrics(
            hits=self.hits,
            misses=self.misses,
            sets=self.sets,
            evictions=self.evictions,
            expirations=self.expirations,
            invalidations=self.invalidations,
            stale_rejected=self.stale_rejected,
            keys=keys,
            capacity=policy.capacity,
            ttl_s=policy.ttl_s,
            namespace=policy.namespace,
            strategy=policy.strategy,
            backend=backend if policy.is_enabled else "off",
            hit_rate=self.hits / asked if asked else None,
        )
