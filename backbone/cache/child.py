"""The cache's place in the tree, and which adapter stands behind its port, by the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from actors import ChildSpec, Reject
from backbone.cache.actor import CacheActor
from backbone.cache.at_hand import AtHand
from backbone.cache.errors import CacheUnavailable
from backbone.cache.loads import Reads
from backbone.cache.policy import Policy
from backbone.cache.port import Cache
from backbone.calls import Calls
from backbone.settings import Settings, SettingsError
from backbone.settings.explain import origin_of
from backbone.settings.starting import refuse_what_cannot_start
from backbone.store.messages import ProbeStore

__all__ = ["child", "factory", "only_probed", "stand_in"]

_DATABASE_TIMEOUT = 2.0


def child(
    settings: Settings,
    calls: Calls,
    make: Callable[[Calls], Cache],
    at_hand: AtHand,
    reads: Reads | None = None,
) -> ChildSpec:
    """The actor that owns the cache; each of its lives opens a fresh adapter, and shows what that has at hand.

    `reads` reads what it lacks; None: the store's actor is asked.
    """
    return ChildSpec(
        "cache",
        CacheActor,
        args=(partial(make, calls), calls, stand_in(settings)),
        kwargs={"inline": settings.store.inline, "observe": calls.observe, "at_hand": at_hand, "reads": reads},
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
    )


def stand_in(settings: Settings) -> str | None:
    """Why it is less than a server; None where it is one."""
    return "gone with this process, shared with nobody" if settings.cache.backend == "memory" else None


def factory(settings: Settings, *, clock: Callable[[], float] | None = None) -> Callable[[Calls], Cache]:
    """Makes the cache's adapter; heavy clients are imported only where they are chosen.

    Args:
        settings: which, and where; "off" is a memory cache that keeps nothing.
        clock: monotonic seconds; None: the machine's.

    Raises:
        SettingsError: the address of a server that was chosen is missing, or no address of one.
    """
    policy = _policy(settings)
    if settings.cache.backend == "redis" and policy.is_enabled:
        make = _redis(settings, policy)
        return lambda calls: make(partial(_database, calls))
    from backbone.cache.memory import MemoryCache

    return lambda _: MemoryCache(policy) if clock is None else MemoryCache(policy, clock=clock, seed=0)


def only_probed(settings: Settings) -> Cache | None:
    """An adapter to be probed and nothing else, without a store that says whose rows it caches.

    None: the cache lives in the process of a backbone, where only that one can ask it.

    Raises:
        SettingsError: as `factory`.
    """
    from backbone.cache.memory import MemoryCache

    policy = _policy(settings)
    if settings.cache.backend == "redis" and policy.is_enabled:
        return _redis(settings, policy)(_nobodys)
    return None if policy.is_enabled else MemoryCache(policy)


async def _nobodys() -> str:
    return "none"


def _policy(settings: Settings) -> Policy:
    cache = settings.cache
    return Policy.of(
        "disabled" if cache.backend == "off" else cache.strategy,
        ttl=cache.ttl if _given(settings, "cache.ttl") else "default",
        capacity=cache.capacity if _given(settings, "cache.capacity") else "default",
        ttl_jitter=cache.ttl_jitter,
        namespace=cache.namespace,
    )


def _redis(settings: Settings, policy: Policy) -> Callable[[Callable[[], Awaitable[str]]], Cache]:
    refuse_what_cannot_start(settings, "cache.")
    try:
        from backbone.cache.redis import RedisCache
        from backbone.cache.redis.address import Address
        from backbone.cache.redis.connections import Bounds, Connections
    except ModuleNotFoundError as error:
        raise SettingsError("cache.backend=redis needs redis-py: pip install 'redis>=8.1' hiredis") from error

    cache = settings.cache
    address, bounds, near_bytes = Address.of(cache), Bounds.of(cache), cache.near_mb * 2**20

    def make(database: Callable[[], Awaitable[str]]) -> Cache:
        connections = Connections(address, bounds)
        return RedisCache(connections, database, policy, near_bytes=near_bytes, near_for=cache.near_for)

    return make


async def _database(calls: Calls) -> str:
    """Whose rows are cached: which life of which database, as the store says.

    Raises:
        CacheUnavailable: it says nothing now, and windows of one database may not meet those of another.
    """
    try:
        info = await calls.ask("store", ProbeStore(), _DATABASE_TIMEOUT)
    except Reject as reject:
        raise CacheUnavailable(f"the store has not said yet which database it is: {reject.text}") from reject
    if not info.generation:
        raise CacheUnavailable("the store has not said yet which database it is: its tables are not made")
    return info.generation


def _given(settings: Settings, path: str) -> bool:
    """Whether somebody set this value: only then it replaces the strategy's own figure."""
    return origin_of(settings, path) != "default"
