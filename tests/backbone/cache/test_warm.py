"""After a run the windows that were asked for lately are read again, before anybody asks."""

from __future__ import annotations

from backbone import Backbone
from backbone.cache.messages import WarmWindows
from backbone.testing import embedded
from tests.backbone.cache.kit import Caching, caching, query_of, settled
from tests.backbone.facade.kit import BARS, plan


async def warm(room: Caching, position: int, symbol: str = "EURUSD") -> None:
    await room.ref.tell(WarmWindows({BARS: {symbol: position}}))
    await settled()


async def test_a_window_whose_rows_a_run_has_changed_is_a_hit_for_the_next_who_asks() -> None:
    async with caching() as room:
        await room.loaded(5)
        await warm(room, 6)
        (await room.desk.next()).answer(6)
        await room.invalidate(6)
        fetched = await (await room.ask(6)).get()
        assert (fetched.hit, fetched.position, fetched.frame.num_rows) == (True, 6, 6)


async def test_who_asks_while_it_is_warmed_takes_part_in_that_read() -> None:
    async with caching() as room:
        await room.loaded(5)
        await warm(room, 6)
        answer = await room.ask(6)
        (await room.desk.next()).answer(6)
        assert (await answer.get()).position == 6
        assert len(room.desk.reads) == 2


async def test_windows_of_other_symbols_and_those_that_nobody_asked_for_are_left_alone() -> None:
    async with caching() as room:
        await room.loaded(5)
        await warm(room, 6, "GBPUSD")
        assert len(room.desk.reads) == 1


async def test_what_is_read_already_or_still_current_is_not_read_again() -> None:
    async with caching() as room:
        await room.loaded(5)
        await warm(room, 5)
        assert len(room.desk.reads) == 1
        reading = await room.ask(6)
        await warm(room, 6)
        assert len(room.desk.reads) == 2
        (await room.desk.next()).answer(6)
        assert (await reading.get()).position == 6


async def test_it_is_the_last_few_that_are_warmed() -> None:
    async with caching() as room:
        for number in range(20):
            answer = await room.ask(query=query_of(f"S{number}"))
            (await room.desk.next()).answer(1)
            await answer.get()
        await room.ref.tell(WarmWindows({BARS: {f"S{number}": 2 for number in range(20)}}))
        await settled()
        assert [read.query.symbols[0] for read in room.desk.reads[20:]] == [f"S{n}" for n in range(19, 3, -1)]


async def test_while_the_cache_is_down_nothing_is_warmed() -> None:
    async with caching() as room:
        await room.loaded(5)
        room.cache.down = "gone"
        await room.invalidate(6)
        await warm(room, 6)
        assert len(room.desk.reads) == 1


async def test_after_a_run_a_whole_backbone_answers_from_the_cache() -> None:
    async with embedded() as backbone:
        await fetch(backbone)
        await backbone.ingest(plan())
        await settled()
        await backbone.cache_metrics(reset=True)
        assert await fetch(backbone) == 500
        assert (await backbone.cache_metrics()).hits == 1


async def fetch(backbone: Backbone) -> int:
    frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", limit=500)
    return frame.num_rows
