"""A cache in this process keeps the rows as they are: a hit decodes nothing, and no promise is less for it."""

from __future__ import annotations

import anyio

from backbone.cache.memory import MemoryCache
from backbone.cache.messages import ForgetWindows
from tests.backbone.cache.kit import caching
from tests.backbone.facade.kit import bars


def near() -> MemoryCache:
    return MemoryCache(clock=anyio.current_time, seed=1)


async def test_a_hit_is_the_frame_that_was_loaded() -> None:
    async with caching(make=near) as room:
        answer = await room.ask()
        loaded = bars(5)
        (await room.desk.next()).answer_by(loaded, 5)
        assert (await answer.get()).frame is loaded
        hit = await (await room.ask(5)).get()
        assert (hit.hit, hit.position) == (True, 5)
        assert hit.frame is loaded


async def test_a_hit_is_no_older_than_what_was_asked_for_and_than_what_has_changed() -> None:
    async with caching(make=near) as room:
        await room.loaded(5)
        newer = await room.ask(6)
        (await room.desk.next()).answer(6)
        assert [(each.position, each.frame.num_rows, each.hit) for each in [await newer.get()]] == [(6, 6, False)]
        await room.invalidate(7)
        again = await room.ask()
        (await room.desk.next()).answer(7)
        assert not (await again.get()).hit
        assert (await (await room.ask(7)).get()).frame.num_rows == 7


async def test_a_hit_is_stale_while_the_store_is_down_and_no_longer_than_that() -> None:
    async with caching(make=near) as room:
        await room.loaded(5)
        for level, stale in (("failed", True), ("ok", False), ("failed", True)):
            await room.store_is(level)
            fetched = await (await room.ask()).get()
            assert (fetched.hit, fetched.frame.stale) == (True, stale)


async def test_what_is_done_to_an_answer_changes_no_other_one() -> None:
    async with caching(make=near) as room:
        await room.loaded(5)
        first = (await (await room.ask()).get()).frame
        table = first.to_pandas()
        table.loc[:, "close"] = -1.0
        assert not first.column("close").flags.writeable
        assert not first.column("ts").flags.writeable
        assert (await (await room.ask()).get()).frame == bars(5)


async def test_a_frame_that_was_read_before_a_change_is_given_to_who_asked_before_it_and_not_kept() -> None:
    async with caching(make=near) as room:
        before = await room.ask()
        read = await room.desk.next()
        await room.invalidate(6)
        after = await room.ask(6)
        read.answer(5)
        assert (await before.get()).frame.num_rows == 5
        later = await room.ask()
        (await room.desk.next()).answer(6)
        assert [(await each.get()).frame.num_rows for each in (after, later)] == [6, 6]
        hit = await (await room.ask()).get()
        assert (hit.hit, hit.frame.num_rows) == (True, 6)


async def test_a_frame_of_a_database_that_was_set_back_meanwhile_is_not_kept_though_its_position_is_greater() -> None:
    async with caching(make=near) as room:
        await room.loaded(8)
        await room.invalidate(9)
        before = await room.ask()
        read = await room.desk.next()
        await room.ref.ask(ForgetWindows(), 1.0)
        after = await room.ask()
        read.answer(9)
        assert (await before.get()).frame.num_rows == 9
        (await room.desk.next()).answer(3)
        assert (await after.get()).frame.num_rows == 3
        hit = await (await room.ask()).get()
        assert (hit.hit, hit.position, hit.frame.num_rows) == (True, 3, 3)
