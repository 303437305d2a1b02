"""What the adapter for Redis adds to the contract: windows near, generations, databases, and its place in the tree."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from backbone.cache.errors import CacheUnavailable
from backbone.cache.port import CacheEntry, Hit, Miss, Wait
from backbone.cache.redis import RedisCache
from backbone.domain import Dimension, encode
from backbone.domain.codec import checksum_of
from backbone.domain.frame import Frame
from tests.backbone.cache.kit import KEY
from tests.backbone.cache.redis_double import RedisDouble, cache_on
from tests.backbone.facade.kit import BARS, bars


class Room:
    """A server, two processes that use it, and the time that both believe."""

    def __init__(self) -> None:
        self.now = 100.0
        self.double = RedisDouble(lambda: self.now)
        self.database = "a database"
        self.cache, self.other = self.process(), self.process()

    def process(self, near_bytes: int = 2**20) -> RedisCache:
        async def database() -> str:
            if not self.database:
                raise CacheUnavailable("the store says nothing")
            return self.database

        return cache_on(self.double, lambda: self.now, database=database, near_bytes=near_bytes)

    async def load(self, position: int, cache: RedisCache | None = None, count: int = 0) -> bool:
        to = cache or self.cache
        found = await to.get(KEY, at_least=2**60)
        assert isinstance(found, Miss)
        rows = encode(bars(count or position))
        return await to.put(KEY, CacheEntry(rows, position, checksum_of(rows)), found.lease)

    def asked(self) -> list[str]:
        """What the server was asked since this was called last."""
        asked, self.double.asked = self.double.asked, []
        return asked


@pytest.fixture
async def room() -> Room:
    room = Room()
    await room.cache.open()
    await room.other.open()
    return room


async def position_of(cache: RedisCache) -> int | None:
    found = await cache.get(KEY)
    if isinstance(found, Miss):
        await cache.release(KEY, found.lease)
    return found.entry.position if isinstance(found, Hit) else None


async def test_a_window_that_was_got_once_is_served_from_here_for_a_while_and_then_confirmed(room: Room) -> None:
    await room.load(5)
    first = await room.cache.get(KEY)
    assert isinstance(first, Hit)
    assert isinstance(first.entry.payload, Frame)
    room.asked()
    for _ in range(9):
        assert await room.cache.get(KEY) is first
    assert room.asked() == []
    room.now += 0.25
    assert await room.cache.get(KEY) is first
    assert room.asked() == ["get"]
    assert await room.cache.get(KEY) is first
    assert room.asked() == []
    assert (await room.cache.metrics()).hits == 12


async def test_a_window_near_is_too_old_for_who_asks_for_more(room: Room) -> None:
    await room.load(5)
    await room.cache.get(KEY)
    assert isinstance(await room.cache.get(KEY, at_least=6), Miss)
    assert await position_of(room.cache) == 5


async def test_what_this_process_invalidates_is_gone_from_here_at_once(room: Room) -> None:
    await room.load(5)
    await room.cache.get(KEY)
    await room.cache.invalidate(BARS, {"GBPUSD": 6})
    await room.cache.invalidate(Dimension.QUOTES, {"EURUSD": 6})
    assert await position_of(room.cache) == 5
    await room.cache.invalidate(BARS, {"EURUSD": 6})
    assert await position_of(room.cache) is None


async def test_what_another_process_invalidates_or_drops_is_gone_from_here_within_the_bound(room: Room) -> None:
    for gone in (room.other.invalidate(BARS, {"EURUSD": 6}), room.other.clear()):
        await room.load(5 if await position_of(room.cache) is None else 7)
        assert await position_of(room.cache) is not None
        await gone
        room.now += 0.25
        assert await position_of(room.cache) is None
        await room.cache.clear()


async def test_what_was_asked_before_a_change_of_this_process_and_comes_after_it_is_not_kept(room: Room) -> None:
    meanwhile: list[Awaitable[None]] = []

    async def pause() -> None:
        if meanwhile:
            await meanwhile.pop(0)

    slow = cache_on(room.double, lambda: room.now, pause=pause)
    await slow.open()
    await room.load(5)
    meanwhile += [slow.invalidate(BARS, {}), slow.invalidate(BARS, {"EURUSD": 6})]  # before and after it is answered
    late = await slow.get(KEY)
    assert isinstance(late, Hit)  # it was asked before
    assert await position_of(slow) is None


async def test_where_the_server_is_gone_nothing_is_served_from_here_beyond_the_bound(room: Room) -> None:
    await room.load(5)
    await room.cache.get(KEY)
    room.double.down = "gone"
    room.now += 0.25
    with pytest.raises(CacheUnavailable, match="gone"):
        await room.cache.get(KEY)


async def test_windows_near_are_bounded_in_bytes(room: Room) -> None:
    size = len(encode(bars(100)))
    small = room.process(near_bytes=8 * size)
    await small.open()
    await room.load(1, small, count=100)
    await small.get(KEY)
    room.asked()
    await small.get(KEY)
    assert room.asked() == []
    await small.clear()
    await room.load(1, small, count=120)
    await small.get(KEY)
    room.asked()
    await small.get(KEY)
    assert room.asked() == ["get"]


async def test_a_damaged_window_is_handed_on_as_it_is_and_not_kept(room: Room) -> None:
    found = await room.cache.get(KEY)
    assert isinstance(found, Miss)
    await room.cache.put(KEY, CacheEntry(b"damaged", 5, 7), found.lease)
    room.asked()
    for _ in range(2):
        assert await room.cache.get(KEY) == Hit(CacheEntry(b"damaged", 5, 7))
    assert room.asked() == ["get", "get"]


@pytest.mark.parametrize("how", ["flush", "restart"])
async def test_a_server_that_may_have_forgotten_something_is_not_trusted(room: Room, how: str) -> None:
    await room.load(5)
    lease = await room.other.get(KEY, at_least=6)
    assert isinstance(lease, Miss)
    older = room.double.saved()
    await room.cache.invalidate(BARS, {"EURUSD": 6})
    room.double.flush() if how == "flush" else room.double.restart(older)
    rows = encode(bars(5))
    assert not await room.other.put(KEY, CacheEntry(rows, 5, checksum_of(rows)), lease.lease)
    for cache in (room.other, room.cache):
        assert await position_of(cache) is None
    assert await room.load(2)
    room.now += 0.25
    assert await position_of(room.other) == 2


async def test_another_database_behind_the_same_settings_meets_nothing_of_the_one_before(room: Room) -> None:
    await room.load(5)
    room.database = "restored"
    await room.cache.clear()
    assert await room.load(2)
    assert await position_of(room.cache) == 2
    assert await position_of(room.other) is None  # it has not noticed yet, and what it knew is forgotten
    await room.other.clear()
    assert await room.load(3, room.other)
    room.now += 0.25
    assert await position_of(room.cache) == 3


async def test_whose_rows_they_are_has_to_be_known(room: Room) -> None:
    room.database = ""
    late = room.process()
    with pytest.raises(CacheUnavailable, match="the store says nothing"):
        await late.open()
    with pytest.raises(CacheUnavailable, match="the store says nothing"):
        await room.cache.clear()
    assert (await late.probe()).degraded_reason == "the store says nothing"
    with pytest.raises(CacheUnavailable, match="the store says nothing"):
        await late.get(KEY)
    room.database = "a database"
    await late.open()
    assert isinstance(await late.get(KEY), Miss)
    assert isinstance(await room.other.get(KEY), Wait)


async def test_a_cache_that_is_closed_says_so(room: Room) -> None:
    await room.cache.close()
    for call in (room.cache.get(KEY), room.cache.peek(KEY), room.cache.metrics(), room.cache.clear()):
        with pytest.raises(CacheUnavailable, match="the cache is closed"):
            await call


async def test_the_probe_tells_where_and_as_what_it_works(room: Room) -> None:
    await room.load(5)
    await room.cache.get(KEY)
    answer = await room.cache.probe()
    assert (answer.backend, answer.healthy, answer.degraded_reason) == ("redis", True, None)
    assert answer.details["address"] == "memory"
    assert answer.details["near"].startswith("1 windows, ")
