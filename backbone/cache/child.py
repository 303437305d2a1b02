"""The cache's place in the tree, and which adapter stands behind its port, by the settings."""

from __future__ import annotations

from collections.abc import Callable

from actors import ChildSpec
from backbone.cache.actor import CacheActor
from backbone.cache.port import Cache
from backbone.calls import Calls
from backbone.settings import Settings
from backbone.settings.backends import not_built
from backbone.settings.explain import origin_of
from backbone.store.errors import NotBuilt

__all__ = ["child", "factory", "stand_in"]


def child(settings: Settings, calls: Calls, make: Callable[[], Cache]) -> ChildSpec:
    """The actor that owns the cache; each of its lives opens a fresh adapter."""
    return ChildSpec(
        "cache",
        CacheActor,
        args=(make, calls, stand_in(settings)),
        kwargs={"inline": settings.store.inline, "observe": calls.observe},
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
    )


def stand_in(settings: Settings) -> str | None:
    """Why it is less than a server; None where it is one."""
    return "gone with this process, shared with nobody" if settings.cache.backend == "memory" else None


def factory(settings: Settings, *, clock: Callable[[], float] | None = None) -> Callable[[], Cache]:
    """Makes the cache's adapter; "off" is a memory cache that keeps nothing."""
    from backbone.cache.memory import MemoryCache
    from backbone.cache.policy import Policy as CachePolicy

    cache = settings.cache
    if cache.backend == "redis":
        raise NotBuilt(not_built("cache", cache.backend))
    policy = CachePolicy.of(
        "disabled" if cache.backend == "off" else cache.strategy,
        ttl=cache.ttl if _given(settings, "cache.ttl") else "default",
        capacity=cache.capacity if _given(settings, "cache.capacity") else "default",
        ttl_jitter=cache.ttl_jitter,
        namespace=cache.namespace,
    )
    return lambda: MemoryCache(policy) if clock is None else MemoryCache(policy, clock=clock, seed=0)


def _given(settings: Settings, path: str) -> bool:
    """Whether somebody set this value: only then it replaces the strategy's own figure."""
    return origin_of(settings, path) != "default"
