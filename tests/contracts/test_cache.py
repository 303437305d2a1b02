"""What every cache has to do, whoever keeps it."""

from __future__ import annotations

from collections.abc import Callable

from backbone.cache.key import CacheKey
from backbone.cache.policy import Policy
from backbone.cache.port import Cache
from backbone.domain.dimension import Dimension

BARS, QUOTES = Dimension.INTRADAY_BARS, Dimension.QUOTES
EURUSD = CacheKey(BARS, ("EURUSD",), "1h", limit=500)
PAIR = CacheKey(BARS, ("EURUSD", "GBPUSD"), "1h", limit=500)
ALL = CacheKey(BARS)

MakeCache = Callable[[Policy], Cache]


async def test_what_was_put_is_got_with_its_position(cache: Cache) -> None:
    assert await cache.put(EURUSD, b"rows", 5)
    entry = await cache.get(EURUSD)
    assert entry is not None
    assert (entry.payload, entry.position) == (b"rows", 5)


async def test_an_unknown_key_is_a_miss(cache: Cache) -> None:
    assert await cache.get(EURUSD) is None


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
        await cache.put(key, str(n).encode(), 1)
    entries = [await cache.get(key) for key in keys]
    assert [entry and entry.payload for entry in entries] == [str(n).encode() for n in range(len(keys))]


async def test_an_entry_older_than_asked_for_is_a_miss_yet_stays_for_others(cache: Cache) -> None:
    await cache.put(EURUSD, b"rows", 5)
    assert await cache.get(EURUSD, at_least=6) is None
    assert await cache.get(EURUSD, at_least=5) is not None


async def test_an_entry_is_a_miss_once_its_symbol_was_invalidated_past_it(cache: Cache) -> None:
    await cache.put(EURUSD, b"rows", 5)
    await cache.invalidate(BARS, "EURUSD", 5)
    assert await cache.get(EURUSD) is not None
    await cache.invalidate(BARS, "EURUSD", 6)
    assert await cache.get(EURUSD) is None


async def test_invalidating_another_symbol_or_dimension_changes_nothing(cache: Cache) -> None:
    await cache.put(EURUSD, b"rows", 5)
    await cache.invalidate(BARS, "GBPUSD", 9)
    await cache.invalidate(QUOTES, "EURUSD", 9)
    assert await cache.get(EURUSD) is not None


async def test_one_invalidated_symbol_makes_a_window_of_many_old(cache: Cache) -> None:
    await cache.put(PAIR, b"rows", 5)
    await cache.invalidate(BARS, "GBPUSD", 6)
    assert await cache.get(PAIR) is None


async def test_any_invalidated_symbol_makes_a_window_of_all_symbols_old(cache: Cache) -> None:
    await cache.put(ALL, b"rows", 5)
    await cache.invalidate(QUOTES, "EURUSD", 9)
    assert await cache.get(ALL) is not None
    await cache.invalidate(BARS, "NEVERSEEN", 6)
    assert await cache.get(ALL) is None


async def test_a_loader_that_read_before_a_commit_can_not_put_old_rows_back(cache: Cache) -> None:
    await cache.invalidate(BARS, "EURUSD", 6)
    assert not await cache.put(EURUSD, b"old", 5)
    assert await cache.get(EURUSD) is None
    assert await cache.put(EURUSD, b"new", 6)


async def test_of_two_loaders_the_newer_wins_in_either_order(cache: Cache) -> None:
    await cache.put(EURUSD, b"newer", 6)
    assert not await cache.put(EURUSD, b"older", 5)
    entry = await cache.get(EURUSD)
    assert entry is not None
    assert entry.payload == b"newer"
    assert await cache.put(EURUSD, b"newest", 7)


async def test_an_invalidation_that_arrives_late_does_not_move_a_position_back(cache: Cache) -> None:
    await cache.invalidate(BARS, "EURUSD", 6)
    await cache.invalidate(BARS, "EURUSD", 2)
    assert not await cache.put(EURUSD, b"old", 5)


async def test_peek_gives_what_was_invalidated_and_counts_nothing(cache: Cache) -> None:
    await cache.put(EURUSD, b"rows", 5)
    await cache.invalidate(BARS, "EURUSD", 6)
    entry = await cache.peek(EURUSD)
    assert entry is not None
    assert entry.payload == b"rows"
    assert await cache.peek(PAIR) is None
    metrics = await cache.metrics()
    assert (metrics.hits, metrics.misses) == (0, 0)


async def test_clear_drops_the_entries_but_not_what_protects_from_old_rows(cache: Cache) -> None:
    await cache.put(EURUSD, b"rows", 5)
    await cache.invalidate(BARS, "EURUSD", 6)
    await cache.clear()
    assert await cache.peek(EURUSD) is None
    assert not await cache.put(EURUSD, b"old", 5)


async def test_a_disabled_cache_holds_nothing_and_says_so(make_cache: MakeCache) -> None:
    cache = make_cache(Policy.of("disabled"))
    await cache.open()
    assert not await cache.put(EURUSD, b"rows", 5)
    assert await cache.get(EURUSD) is None
    metrics = await cache.metrics()
    assert (metrics.strategy, metrics.keys, metrics.sets, metrics.misses) == ("disabled", 0, 0, 1)
    await cache.close()


async def test_the_least_recently_used_entry_makes_room(make_cache: MakeCache) -> None:
    cache = make_cache(Policy.of(capacity=2))
    await cache.open()
    first, second, third = (CacheKey(BARS, (name,)) for name in "ABC")
    await cache.put(first, b"", 1)
    await cache.put(second, b"", 1)
    await cache.get(first)
    await cache.put(third, b"", 1)
    assert await cache.get(second) is None
    assert await cache.get(first) is not None
    assert (await cache.metrics()).evictions == 1
    await cache.close()


async def test_metrics_count_what_happened(cache: Cache) -> None:
    assert (await cache.metrics()).hit_rate is None
    await cache.put(EURUSD, b"rows", 5)
    for _ in range(3):
        await cache.get(EURUSD)
    await cache.invalidate(BARS, "EURUSD", 6)
    await cache.get(EURUSD)
    metrics = await cache.metrics(reset=True)
    assert (metrics.hits, metrics.misses, metrics.sets) == (3, 1, 1)
    assert (metrics.invalidations, metrics.stale_rejected, metrics.keys) == (1, 1, 1)
    assert metrics.hit_rate == 0.75
    assert (metrics.capacity, metrics.ttl_s, metrics.namespace) == (1024, 900.0, "backbone:cache")
    after = await cache.metrics()
    assert (after.hits, after.misses, after.sets, after.hit_rate) == (0, 0, 0, None)


async def test_probe_says_that_an_open_cache_works_and_a_closed_one_does_not(cache: Cache) -> None:
    assert (await cache.probe()).healthy
    await cache.close()
    assert not (await cache.probe()).healthy
