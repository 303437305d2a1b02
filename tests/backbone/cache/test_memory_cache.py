"""Time and order in the memory cache, on a clock of our own."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.cache.key import CacheKey
from backbone.cache.memory import MemoryCache
from backbone.cache.memory.leases import Leases
from backbone.cache.policy import Policy
from backbone.cache.port import CacheEntry, Hit, Miss
from backbone.domain.dimension import Dimension
from tests.campaigns import so_many

BARS = Dimension.INTRADAY_BARS
KEYS = [CacheKey(BARS, ("A",)), CacheKey(BARS, ("A", "B")), CacheKey(BARS, ("B",), "1h"), CacheKey(BARS)]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def opened(policy: Policy, clock: Clock) -> MemoryCache:
    cache = MemoryCache(policy, clock=clock, seed=7)
    await cache.open()
    return cache


async def load(cache: MemoryCache, key: CacheKey, position: int, behind: int = 0) -> bool:
    """Load a window as an actor does; whatever is there is not new enough."""
    found = await cache.get(key, at_least=2**60)
    assert isinstance(found, Miss)
    return await cache.put(key, CacheEntry(b"rows", max(0, position - behind)), found.lease)


async def is_served(cache: MemoryCache, key: CacheKey) -> bool:
    found = await cache.get(key)
    if isinstance(found, Miss):
        await cache.release(key, found.lease)
    return isinstance(found, Hit)


async def test_an_entry_expires_at_its_time_to_live_and_not_before() -> None:
    clock = Clock()
    cache = await opened(Policy.of(ttl=10.0, ttl_jitter=0.0), clock)
    await load(cache, KEYS[0], 1)
    clock.now += 9.999
    assert await is_served(cache, KEYS[0])
    clock.now += 0.001
    assert not await is_served(cache, KEYS[0])
    metrics = await cache.metrics()
    assert (metrics.expirations, metrics.keys) == (1, 0)


async def test_jitter_spreads_expiry_below_the_time_to_live() -> None:
    clock = Clock()
    cache = await opened(Policy.of(ttl=100.0, ttl_jitter=0.5), clock)
    keys = [CacheKey(BARS, (str(n),)) for n in range(200)]
    for key in keys:
        await load(cache, key, 1)
    clock.now += 49.9
    assert all([await cache.peek(key) for key in keys])
    clock.now += 25.0
    alive = sum([await cache.peek(key) is not None for key in keys])
    assert 60 < alive < 140
    clock.now += 25.1
    assert not any([await cache.peek(key) for key in keys])


async def test_no_time_to_live_keeps_an_entry_for_ever() -> None:
    clock = Clock()
    cache = await opened(Policy.of(ttl="none"), clock)
    await load(cache, KEYS[0], 1)
    clock.now += 1e9
    assert await is_served(cache, KEYS[0])


async def test_invalidated_positions_do_not_expire() -> None:
    clock = Clock()
    cache = await opened(Policy.of(ttl=1.0), clock)
    await cache.invalidate(BARS, {"A": 6})
    clock.now += 1e9
    assert not await load(cache, KEYS[0], 5)


async def test_an_expired_newer_entry_does_not_keep_an_older_one_out() -> None:
    clock = Clock()
    cache = await opened(Policy.of(ttl=1.0, ttl_jitter=0.0), clock)
    await load(cache, KEYS[0], 6)
    clock.now += 2.0
    assert await load(cache, KEYS[0], 5)


async def test_leases_that_were_never_given_back_are_forgotten() -> None:
    clock = Clock()
    leases = Leases(10.0, clock)
    for number in range(1000):
        leases.grant(CacheKey(BARS, (str(number),)), 0)
        clock.now += 1.0
    assert len(leases) == 9


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.sampled_from(["A", "B", "C"])),
        st.tuples(st.just("load"), st.sampled_from(KEYS), st.integers(0, 4)),
        st.tuples(st.just("get"), st.sampled_from(KEYS)),
        st.tuples(st.just("tick"), st.floats(0, 5)),
    ),
    max_size=60,
)


@pytest.mark.campaign
@settings(max_examples=so_many(150, part=50), deadline=None, derandomize=True)
@given(STEPS, st.integers(1, 3))
def test_no_get_ever_serves_rows_older_than_an_invalidation_of_its_symbols(
    steps: list[tuple[object, ...]], capacity: int
) -> None:
    async def play() -> None:
        clock = Clock()
        cache = await opened(Policy.of(ttl=6.0, capacity=capacity), clock)
        position, committed = 0, {"A": 0, "B": 0, "C": 0}
        for step in steps:
            match step:
                case ("commit", str(symbol)):
                    position += 1
                    committed[symbol] = position
                    await cache.invalidate(BARS, {symbol: position})
                case ("load", CacheKey() as key, int(behind)):
                    await load(cache, key, position, behind)
                case ("get", CacheKey() as key):
                    found = await cache.get(key)
                    if isinstance(found, Hit):
                        assert found.entry.position >= max(committed[s] for s in key.symbols or committed)
                    elif isinstance(found, Miss):
                        await cache.release(key, found.lease)
                case ("tick", float(seconds)):
                    clock.now += seconds
            assert (await cache.metrics()).keys <= capacity

    asyncio.run(play())
