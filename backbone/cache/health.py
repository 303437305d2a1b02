"""How a cache is doing, by its counters: a judgement, made of nothing but what it is given."""

from __future__ import annotations

import msgspec

from backbone.cache.port import CacheMetrics
from backbone.domain.status import Status

__all__ = ["CacheHealth", "judge"]

_POOR, _POOR_MISSES = 0.25, 5
_USELESS, _USELESS_MISSES = 0.10, 20


class CacheHealth(msgspec.Struct, frozen=True):
    """A status and all the reasons for it; ok has none."""

    status: Status
    reasons: tuple[str, ...] = ()


def judge(metrics: CacheMetrics | None, *, expected: bool) -> CacheHealth:
    """The worst of what its counters say.

    Failed: Redis is expected and was not chosen; fewer than 10 % hits, with 20 misses or more. Degraded: it can't be
    reached; windows are kept in this process only, or not at all; nobody asked; fewer than 25 % hits, with 5 misses or
    more; windows made room for others.

    Args:
        metrics: the counters; None: the cache could not be asked.
        expected: whether Redis is required.
    """
    if metrics is None:
        return CacheHealth(Status.DEGRADED, ("the cache can't be reached; every read goes to the store",))
    found = list(_about(metrics, expected=expected))
    return CacheHealth(Status.worst([Status.OK, *(status for status, _ in found)]), tuple(text for _, text in found))


def _about(metrics: CacheMetrics, *, expected: bool) -> list[tuple[Status, str]]:
    found: list[tuple[Status, str]] = []
    if metrics.backend != "redis":
        kind = "windows are kept in this process only" if metrics.backend == "memory" else "nothing is cached"
        why = "redis is required, but " if expected else ""
        found.append((Status.FAILED if expected else Status.DEGRADED, f"{why}{kind}"))
    if metrics.hit_rate is None:
        found.append((Status.DEGRADED, "no traffic: nobody has asked since the counters began"))
    else:
        found += _about_hits(metrics.hit_rate, metrics.hits, metrics.misses)
    if metrics.evictions:
        found.append((Status.DEGRADED, f"{metrics.evictions:,} windows made room for others; raise cache.capacity"))
    return found


def _about_hits(rate: float, hits: int, misses: int) -> list[tuple[Status, str]]:
    text = f"hit rate {rate:.0%}: {hits:,} hits, {misses:,} misses"
    if rate < _USELESS and misses >= _USELESS_MISSES:
        return [(Status.FAILED, text)]
    if rate < _POOR and misses >= _POOR_MISSES:
        return [(Status.DEGRADED, text)]
    return []
