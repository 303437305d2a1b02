"""What every cache has to do, whoever keeps it."""

from __future__ import annotations

from collections.abc import Callable

from backbone.cache.key import CacheKey
from backbone.cache.policy import Policy
from backbone.cache.port import Cache, CacheEntry, Hit, Lookup, Miss, Wait
from backbone.domain.dimension import Dimension
from tests.contracts.conftest import MadeCache

BARS, QUOTES = Dimension.INTRADAY_BARS, Dimension.QUOTES
EURUSD = CacheKey(BARS, ("EURUSD",), "1h", limit=500)
PAIR = CacheKey(BARS, ("EURUSD", "GBPUSD"), "1h", limit=500)
ALL = CacheKey(BARS)

MakeCache = Callable[[Policy], MadeCache]


async def lease_of(cache: Cache, key: CacheKey, at_least: int = 0) -> str:
    """The right to load a window that is not there."""
    found = await cache.get(key, at_least=at_least)
    assert isinstance(found, Miss), found
    return found.lease


async def load(cache: Cache, key: CacheKey, payload: bytes, position: int, at_least: int = 2**60) -> bool:
    """Load a window as an actor does; whatever is there is not new enough."""
    return await cache.put(key, CacheEntry(payload, position), await lease_of(cache, key, at_least))


async def entry_of(cache: Cache, key: CacheKey, at_least: int = 0) -> CacheEntry | None:
    """What is served of a window; who loads it is not kept waiting."""
    found = await cache.get(key, at_least=at_least)
    if isinstance(found, Miss):
        await cache.release(key, found.lease)
    return found.entry if isinstance(found, Hit) else None


def is_wait(found: Lookup, lease: str | None = None) -> bool:
    return isinstance(found, Wait) and found.seconds > 0 and lease in (None, found.lease)


async def test_what_was_put_is_got_with_its_position(cache: Cache) -> None:
    assert await load(cache, EURUSD, b"rows", 5)
    assert await cache.get(EURUSD) == Hit(CacheEntry(b"rows", 5))


async def test_what_is_at_hand_is_what_get_gives_and_counts_as_a_hit(cache: Cache) -> None:
    assert cache.glance(EURUSD) is None
    await load(cache, EURUSD, b"rows", 5)
    given, before = await entry_of(cache, EURUSD), await cache.metrics()
    at_hand = [cache.glance(EURUSD), cache.glance(EURUSD, 5)]
    assert all(each in (None, given) for each in at_hand)
    assert cache.glance(EURUSD, 6) is None
    after = await cache.metrics()
    assert (after.hits - before.hits, after.misses) == (len(at_hand) - at_hand.count(None), before.misses)
    await cache.invalidate(BARS, {"EURUSD": 6})
    assert cache.glance(EURUSD) is None


async def test_an_unknown_key_is_a_miss(cache: Cache) -> None:
    assert isinstance(await cache.get(EURUSD), Miss)


async def test_keys_that_differ_in_anything_do_not_meet(cache: Cache) -> None:
    keys = [
        EURUSD,
        PAIR,
        ALL,
        CacheKey(QUOTES),
        CacheKey(BARS, ("EURUSD",), "1m", limit=500),
        CacheKey(BARS, ("EURUSD",), "1h", limit=501),
        CacheKey(BARS, ("EURUSD",), "1h", start_us=1),
        CacheKey(BARS, ("EURUSD",), "1h", end_us=1),
    ]
    for n, key in enumerate(keys):
        assert await load(cache, key, str(n).encode(), 1)
    entries = [await entry_of(cache, key) for key in keys]
    assert [entry and entry.payload for entry in entries] == [str(n).encode() for n in range(len(keys))]


async def test_one_asker_loads_and_the_others_wait(cache: Cache) -> None:
    lease = await lease_of(cache, EURUSD)
    assert is_wait(await cache.get(EURUSD), lease)
    assert is_wait(await cache.get(EURUSD, at_least=9), lease)
    assert isinstance(await cache.get(PAIR), Miss)
    assert await cache.put(EURUSD, CacheEntry(b"rows", 5), lease)
    assert await cache.get(EURUSD) == Hit(CacheEntry(b"rows", 5))


async def test_a_lease_that_is_given_back_is_granted_to_the_next_who_asks(cache: Cache) -> None:
    lease = await lease_of(cache, EURUSD)
    await cache.release(EURUSD, lease)
    assert not await cache.put(EURUSD, CacheEntry(b"rows", 5), lease)
    assert await lease_of(cache, EURUSD) != lease


async def test_a_put_gives_its_lease_back_even_where_it_is_refused(cache: Cache) -> None:
    lease = await lease_of(cache, EURUSD)
    await cache.invalidate(BARS, {"EURUSD": 6})
    assert not await cache.put(EURUSD, CacheEntry(b"old", 5), lease)
    assert await lease_of(cache, EURUSD) != lease


async def test_nobody_puts_without_the_lease_of_that_key(cache: Cache) -> None:
    lease = await lease_of(cache, EURUSD)
    other = await lease_of(cache, PAIR)
    assert not await cache.put(EURUSD, CacheEntry(b"rows", 5), other)
    assert not await cache.put(EURUSD, CacheEntry(b"rows", 5), "never granted")
    await cache.release(EURUSD, "never granted")
    assert is_wait(await cache.get(EURUSD))
    assert await cache.put(EURUSD, CacheEntry(b"rows", 5), lease)
    assert not await cache.put(EURUSD, CacheEntry(b"rows again", 6), lease)


async def test_a_loader_that_takes_too_long_loses_the_lease_to_the_next(make_cache: MakeCache) -> None:
    cache, elapse = make_cache(Policy(lease_s=0.2))
    await cache.open()
    slow = await lease_of(cache, EURUSD)
    assert is_wait(await cache.get(EURUSD))
    await elapse(0.25)
    quick = await lease_of(cache, EURUSD)
    assert not await cache.put(EURUSD, CacheEntry(b"slow", 9), slow)
    await cache.release(EURUSD, slow)
    assert is_wait(await cache.get(EURUSD))
    assert await cache.put(EURUSD, CacheEntry(b"quick", 5), quick)
    late = await lease_of(cache, PAIR)
    await elapse(0.25)
    assert not await cache.put(PAIR, CacheEntry(b"late, though nobody else came", 9), late)
    await cache.close()


async def test_an_entry_older_than_asked_for_is_a_miss_yet_stays_for_others(cache: Cache) -> None:
    await load(cache, EURUSD, b"rows", 5)
    assert await entry_of(cache, EURUSD, at_least=6) is None
    assert await entry_of(cache, EURUSD, at_least=5) is not None


async def test_who_can_do_with_the_entry_does_not_wait_for_who_loads_a_newer_one(cache: Cache) -> None:
    await load(cache, EURUSD, b"rows", 5)
    lease = await lease_of(cache, EURUSD, at_least=6)
    assert await cache.get(EURUSD) == Hit(CacheEntry(b"rows", 5))
    assert await cache.put(EURUSD, CacheEntry(b"newer", 6), lease)


async def test_an_entry_is_a_miss_once_its_symbol_was_invalidated_past_it(cache: Cache) -> None:
    await load(cache, EURUSD, b"rows", 5)
    await cache.invalidate(BARS, {"EURUSD": 5})
    assert await entry_of(cache, EURUSD) is not None
    await cache.invalidate(BARS, {"EURUSD": 6})
    assert await entry_of(cache, EURUSD) is None


async def test_many_symbols_are_invalidated_at_once_each_to_its_own_position(cache: Cache) -> None:
    keys = {name: CacheKey(BARS, (name,)) for name in ("A", "B", "C")}
    for key in keys.values():
        await load(cache, key, b"rows", 5)
    await cache.invalidate(BARS, {"A": 6, "B": 5})
    assert [name for name, key in keys.items() if await entry_of(cache, key) is None] == ["A"]
    await cache.invalidate(BARS, {})


async def test_invalidating_another_symbol_or_dimension_changes_nothing(cache: Cache) -> None:
    await load(cache, EURUSD, b"rows", 5)
    await cache.invalidate(BARS, {"GBPUSD": 9})
    await cache.invalidate(QUOTES, {"EURUSD": 9})
    assert await entry_of(cache, EURUSD) is not None


async def test_one_invalidated_symbol_makes_a_window_of_many_old(cache: Cache) -> None:
    await load(cache, PAIR, b"rows", 5)
    await cache.invalidate(BARS, {"GBPUSD": 6})
    assert await entry_of(cache, PAIR) is None


async def test_any_invalidated_symbol_makes_a_window_of_all_symbols_old(cache: Cache) -> None:
    await load(cache, ALL, b"rows", 5)
    await cache.invalidate(QUOTES, {"EURUSD": 9})
    assert await entry_of(cache, ALL) is not None
    await cache.invalidate(BARS, {"NEVERSEEN": 6})
    assert await entry_of(cache, ALL) is None


async def test_a_loader_that_read_before_a_commit_can_not_put_old_rows_back(cache: Cache) -> None:
    lease = await lease_of(cache, EURUSD)
    await cache.invalidate(BARS, {"EURUSD": 6})
    assert not await cache.put(EURUSD, CacheEntry(b"old", 5), lease)
    assert await entry_of(cache, EURUSD) is None
    assert await load(cache, EURUSD, b"new", 6)


async def test_an_older_entry_does_not_replace_a_newer_one(cache: Cache) -> None:
    await load(cache, EURUSD, b"newer", 6)
    assert not await load(cache, EURUSD, b"older", 5)
    assert await cache.get(EURUSD) == Hit(CacheEntry(b"newer", 6))
    assert await load(cache, EURUSD, b"newest", 7)


async def test_who_asks_after_a_change_waits_for_nobody_who_began_to_load_before_it(cache: Cache) -> None:
    before = await lease_of(cache, PAIR)
    await cache.invalidate(BARS, {"USDJPY": 6})
    assert is_wait(await cache.get(PAIR))
    await cache.invalidate(BARS, {"GBPUSD": 6})
    after = await lease_of(cache, PAIR)
    assert is_wait(await cache.get(PAIR))
    assert not await cache.put(PAIR, CacheEntry(b"perhaps old", 6), before)
    await cache.release(PAIR, before)
    assert is_wait(await cache.get(PAIR))
    assert await cache.put(PAIR, CacheEntry(b"new", 6), after)


async def test_a_load_during_which_rows_changed_is_kept_where_it_has_them_and_nobody_asked_since(cache: Cache) -> None:
    lease = await lease_of(cache, EURUSD)
    await cache.invalidate(BARS, {"EURUSD": 6})
    assert await cache.put(EURUSD, CacheEntry(b"rows", 6), lease)


async def test_an_invalidation_that_arrives_late_does_not_move_a_position_back(cache: Cache) -> None:
    await cache.invalidate(BARS, {"EURUSD": 6})
    await cache.invalidate(BARS, {"EURUSD": 2})
    assert not await load(cache, EURUSD, b"old", 5)


async def test_peek_gives_what_was_invalidated_and_counts_nothing(cache: Cache) -> None:
    await load(cache, EURUSD, b"rows", 5)
    before = await cache.metrics()
    await cache.invalidate(BARS, {"EURUSD": 6})
    assert await cache.peek(EURUSD) == CacheEntry(b"rows", 5)
    assert await cache.peek(PAIR) is None
    after = await cache.metrics()
    assert (after.hits, after.misses) == (before.hits, before.misses)


async def test_a_new_generation_sees_nothing_of_the_one_before(cache: Cache) -> None:
    await load(cache, EURUSD, b"rows", 5)
    await cache.clear()
    assert await cache.peek(EURUSD) is None
    assert await entry_of(cache, EURUSD) is None
    assert await load(cache, EURUSD, b"rows of a new kind", 1)
    assert await cache.get(EURUSD) == Hit(CacheEntry(b"rows of a new kind", 1))


async def test_what_was_read_before_a_new_generation_is_refused_by_it(cache: Cache) -> None:
    lease = await lease_of(cache, EURUSD)
    await cache.clear()
    new = await lease_of(cache, EURUSD)
    assert new != lease
    assert not await cache.put(EURUSD, CacheEntry(b"read before", 9), lease)
    await cache.release(EURUSD, lease)
    assert is_wait(await cache.get(EURUSD))
    assert await cache.put(EURUSD, CacheEntry(b"read after", 5), new)
    other = await lease_of(cache, PAIR)
    await cache.clear()
    assert not await cache.put(PAIR, CacheEntry(b"read before", 9), other)
    assert await entry_of(cache, PAIR) is None


async def test_a_new_generation_is_not_bound_by_positions_of_the_one_before(cache: Cache) -> None:
    """A database that was restored counts from an earlier position again."""
    await cache.invalidate(BARS, {"EURUSD": 1000})
    await cache.clear()
    assert await load(cache, EURUSD, b"rows", 5)
    assert await entry_of(cache, EURUSD) is not None


async def test_a_disabled_cache_holds_nothing_and_says_so(make_cache: MakeCache) -> None:
    cache = make_cache(Policy.of("disabled")).cache
    await cache.open()
    assert not await load(cache, EURUSD, b"rows", 5)
    assert await entry_of(cache, EURUSD) is None
    metrics = await cache.metrics()
    assert (metrics.strategy, metrics.keys, metrics.sets, metrics.misses) == ("disabled", 0, 0, 2)
    await cache.close()


async def test_the_least_recently_used_entry_makes_room(make_cache: MakeCache) -> None:
    cache = make_cache(Policy.of(capacity=2)).cache
    await cache.open()
    first, second, third = (CacheKey(BARS, (name,)) for name in "ABC")
    await load(cache, first, b"", 1)
    await load(cache, second, b"", 1)
    await cache.get(first)
    await load(cache, third, b"", 1)
    assert await entry_of(cache, second) is None
    assert await entry_of(cache, first) is not None
    assert (await cache.metrics()).evictions == 1
    await cache.close()


async def test_metrics_count_what_happened(cache: Cache) -> None:
    assert (await cache.metrics()).hit_rate is None
    lease = await lease_of(cache, EURUSD)
    await cache.put(EURUSD, CacheEntry(b"rows", 5), lease)
    for _ in range(3):
        await cache.get(EURUSD)
    await cache.invalidate(BARS, {"EURUSD": 6})
    await cache.put(EURUSD, CacheEntry(b"rows", 9), lease)
    metrics = await cache.metrics(reset=True)
    assert (metrics.hits, metrics.misses, metrics.sets) == (3, 1, 1)
    assert (metrics.invalidations, metrics.stale_rejected, metrics.keys) == (1, 1, 1)
    assert metrics.hit_rate == 0.75
    assert (metrics.capacity, metrics.ttl_s, metrics.namespace) == (1024, 900.0, "backbone:cache")
    after = await cache.metrics()
    assert (after.hits, after.misses, after.sets, after.hit_rate) == (0, 0, 0, None)


async def test_probe_says_that_an_open_cache_works_and_a_closed_one_does_not(cache: Cache) -> None:
    assert (await cache.probe()).healthy
    await cache.open()
    assert (await cache.probe()).healthy
    await cache.close()
    assert not (await cache.probe()).healthy
    await cache.close()
