"""Turns of writers, by themselves, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskGroup

from backbone.ingest.turns import Turns
from tests.backbone.ingest.kit import settled


class Writers:
    """Those who want to write; each writes for as long as the test says."""

    def __init__(self, group: TaskGroup, turns: Turns) -> None:
        self._group = group
        self._turns = turns
        self.order: list[str] = []
        self.at_work: set[str] = set()

    async def come(self, name: str, seconds: float = 1.0) -> anyio.CancelScope:
        """One comes, a live one or by its name a file, and waits where others were first; what cancels it."""
        scope = anyio.CancelScope()
        self._group.start_soon(self._write, name, seconds, scope)
        await settled()
        return scope

    async def _write(self, name: str, seconds: float, scope: anyio.CancelScope) -> None:
        turn: AbstractAsyncContextManager[object] = self._turns.file() if "file" in name else self._turns.live()
        with scope:
            async with turn:
                self.order.append(name)
                self.at_work.add(name)
                try:
                    await anyio.sleep(seconds)
                finally:
                    self.at_work.discard(name)


@asynccontextmanager
async def writing(*, one_at_a_time: bool = True) -> AsyncIterator[Writers]:
    async with anyio.create_task_group() as group:
        yield Writers(group, Turns(one_at_a_time=one_at_a_time))


async def test_live_rows_that_came_after_the_next_piece_go_before_it() -> None:
    async with writing() as writers:
        await writers.come("a file", 0.05)
        await writers.come("a second file", 0.01)
        await writers.come("live", 0.01)
        await writers.come("more live", 0.01)
    assert writers.order == ["a file", "live", "more live", "a second file"]


async def test_one_writes_at_a_time() -> None:
    async with writing() as writers:
        for name in ("a file", "live", "a second file", "more live"):
            await writers.come(name, 0.05)
            assert len(writers.at_work) == 1


async def test_where_the_store_writes_several_at_once_nobody_waits() -> None:
    async with writing(one_at_a_time=False) as writers:
        for name in ("a file", "live", "a second file", "more live"):
            await writers.come(name)
        assert len(writers.at_work) == 4


async def test_a_file_that_waits_long_has_the_turn_once_between_live_rows_that_never_cease() -> None:
    async with writing() as writers:
        await writers.come("live", 0.06)
        await writers.come("a file", 0.03)
        await writers.come("a second file", 0.03)
        for number in range(4):
            await writers.come(f"live {number}", 0.06)
    assert writers.order == ["live", "live 0", "a file", "live 1", "a second file", "live 2", "live 3"]


async def test_live_rows_hold_the_turn_until_a_file_has_waited_long_or_live_rows_of_others_wait() -> None:
    turns = Turns(one_at_a_time=True)
    async with anyio.create_task_group() as group:
        writers = Writers(group, turns)
        async with turns.live() as is_over:
            assert not is_over()
            await writers.come("a file", 0.01)
            assert not is_over()
            await anyio.sleep(0.1)
            assert is_over()
        await settled()
        async with turns.live() as is_over:
            await writers.come("live", 0.01)
            assert is_over()


async def test_live_rows_wait_a_second_for_a_file_and_then_ask_the_store_themselves() -> None:
    """It tells them that it is down, or writes them when it can."""
    async with writing() as writers:
        hanging = await writers.come("a file", 3600.0)
        await writers.come("live", 0.1)
        await anyio.sleep(0.9)
        assert writers.order == ["a file"]
        await anyio.sleep(0.15)
        assert writers.at_work == {"a file", "live"}
        await writers.come("a second file")
        await anyio.sleep(10.0)
        assert writers.at_work == {"a file"}  # whoever went without a turn has none to give to others
        hanging.cancel()
        await settled()
        assert writers.at_work == {"a second file"}


@pytest.mark.parametrize("name", ["live", "a file"])
async def test_who_gives_up_waiting_holds_up_nobody(name: str) -> None:
    async with writing() as writers:
        await writers.come("a first file", 0.05)
        waiting = await writers.come(name)
        waiting.cancel()
        await settled()
        await writers.come("live after it", 0.01)
        await anyio.sleep(0.1)
        await writers.come("the last file", 0.01)
    assert writers.order == ["a first file", "live after it", "the last file"]


@pytest.mark.parametrize("name", ["live", "a file"])
async def test_who_is_killed_in_the_moment_in_which_the_turn_is_his_passes_it_on(name: str) -> None:
    turns = Turns(one_at_a_time=True)
    done: list[str] = []

    async def write(turn: Callable[[], AbstractAsyncContextManager[object]], who: str) -> None:
        async with turn():
            done.append(who)

    async with turns.file():
        killed = asyncio.create_task(write(turns.file if "file" in name else turns.live, "killed"))
        await settled()
        following = asyncio.create_task(write(turns.file, "following"))
        await settled()
    killed.cancel()  # called, and not gone on yet
    await asyncio.wait((killed, following))
    assert (killed.cancelled(), done) == (True, ["following"])
