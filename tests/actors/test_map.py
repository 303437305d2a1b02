"""`system.map`: a function for each item, a few at a time, supervised, in a bounded buffer."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from actors import ActorError, SpecError, TaskCancelled
from actors.testing import TestSystem
from tests.actors.kit import Boom, settle


class Calls:
    """A function of one item that counts how many of its calls run at the same time."""

    def __init__(self, bad: frozenset[int] = frozenset()) -> None:
        self.bad = bad
        self.running = self.most = 0
        self.begun: list[int] = []
        self.ended: list[int] = []

    async def __call__(self, item: int) -> int:
        self.begun.append(item)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await anyio.sleep((item * 7) % 5)
            if item in self.bad:
                raise Boom(f"item {item}")
            self.ended.append(item)
            return item * item
        finally:
            self.running -= 1


async def read(results: AsyncIterator[int], found: list[int]) -> None:
    """Keep what comes, also where it ends by an error."""
    async for each in results:
        found.append(each)  # noqa: PERF401 - what came before an error counts


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_results_come_in_the_order_of_the_items_and_only_so_many_run(system: TestSystem, limit: int) -> None:
    calls = Calls()
    assert [each async for each in system.map(calls, range(20), limit=limit)] == [n * n for n in range(20)]
    assert calls.most <= limit
    assert calls.most >= min(limit, 10)


async def test_unordered_results_come_as_they_are_there(system: TestSystem) -> None:
    calls = Calls()
    found = [each async for each in system.map(calls, range(20), limit=5, ordered=False)]
    assert found == [n * n for n in calls.ended]
    assert found != sorted(found)
    assert sorted(found) == [n * n for n in range(20)]


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_failure_leaves_the_others_alone_and_is_raised_at_the_end(system: TestSystem, ordered: bool) -> None:
    found: list[int] = []
    with pytest.raises(ExceptionGroup, match="map: 2 of 10 items failed") as caught:
        await read(system.map(Calls(frozenset({0, 7})), range(10), ordered=ordered), found)
    assert sorted(found) == [n * n for n in range(10) if n not in {0, 7}]
    assert sorted(str(error) for error in caught.value.exceptions) == ["item 0", "item 7"]
    assert "map: item 7: 7" in [note for error in caught.value.exceptions for note in error.__notes__]


@pytest.mark.parametrize("ordered", [True, False])
async def test_where_nothing_succeeds_all_is_tried_and_so_many_errors_are_told(
    system: TestSystem, ordered: bool
) -> None:
    calls = Calls(frozenset(range(300)))
    with pytest.raises(ExceptionGroup, match="map: 300 of 300 items failed") as caught:
        await read(system.map(calls, range(300), ordered=ordered), [])
    assert len(calls.begun) == 300
    assert len(caught.value.exceptions) == 100


@pytest.mark.parametrize("ordered", [True, False])
async def test_where_asked_a_failure_cancels_the_others_and_is_raised_at_once(
    system: TestSystem, ordered: bool
) -> None:
    calls = Calls(frozenset({5}))  # fails at once
    with pytest.raises(Boom, match="item 5"):
        await read(system.map(calls, range(1000), ordered=ordered, stop_on_error=True), [])
    assert calls.running == 0
    assert len(calls.begun) < 20


async def test_a_slow_reader_holds_the_work_back(system: TestSystem) -> None:
    calls = Calls()
    reading = system.map(calls, range(1000), limit=4)
    assert await anext(reading) == 0
    await anyio.sleep(1000)
    assert len(calls.begun) <= 1 + 8
    await reading.aclose()
    assert calls.running == 0


async def test_many_items_that_never_wait_do_not_starve_the_loop(system: TestSystem) -> None:
    async def at_once(item: int) -> int:
        return item

    total = 0
    async for each in system.map(at_once, range(10_000), limit=10):
        total += each
    assert total == sum(range(10_000))


async def test_items_may_come_from_an_async_iterator(system: TestSystem) -> None:
    asked = 0

    async def items() -> AsyncIterator[int]:
        nonlocal asked
        for number in range(10):
            asked += 1
            await anyio.sleep(1)
            yield number

    assert [each async for each in system.map(Calls(), items(), limit=3)] == [n * n for n in range(10)]
    assert asked == 10


async def test_an_error_of_the_items_comes_after_the_results_before_it(system: TestSystem) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise Boom("the file ends early")

    found: list[int] = []
    with pytest.raises(Boom, match="the file ends early"):
        await read(system.map(Calls(), items()), found)
    assert found == [0, 1, 4]


async def test_no_items_give_no_results(system: TestSystem) -> None:
    assert [each async for each in system.map(Calls(), [])] == []


@pytest.mark.parametrize("way", ["break", "close", "with", "cancel"])
async def test_a_reader_that_leaves_early_ends_the_work(system: TestSystem, way: str) -> None:
    calls = Calls()

    async def leave() -> None:
        reading = system.map(calls, range(1000))
        if way == "with":
            async with reading:
                await anext(reading)
            assert calls.running == 0
            return
        async for _ in reading:
            if way == "cancel":
                await anyio.sleep_forever()
            break
        if way == "close":
            await reading.aclose()
            assert calls.running == 0

    with anyio.move_on_after(10):
        await leave()
    gc.collect()
    await settle()
    assert calls.running == 0
    assert len(calls.begun) < 20
    assert (await system.find("/test/tasks").count_children()).active == 0  # type: ignore[attr-defined]


async def test_it_stands_in_the_roster_by_name_with_its_workers(system: TestSystem) -> None:
    reading = system.map(Calls(), range(100), limit=3, name="backfill")
    await anext(reading)
    paths = {entry.path: entry.kind for entry in system.roster().entries}
    assert paths["/test/tasks/backfill"] == "task"
    assert sum(path.startswith("/test/tasks/backfill:worker-") for path in paths) == 3
    await reading.aclose()


async def test_work_that_is_stopped_from_elsewhere_does_not_look_finished(system: TestSystem) -> None:
    reading = system.map(Calls(), range(100), name="backfill")
    await anext(reading)
    await system.find("/test/tasks/backfill").stop()
    with pytest.raises(TaskCancelled):
        await read(reading, [])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"limit": 0}, "map: limit: got 0; allowed: calls at the same time, >= 1"),
        ({"limit": True}, "map: limit: got True"),
        ({"items": 5}, "map: items: got int; allowed: an iterable or an async iterable"),
        ({"function": 5}, "map: function: got 5; allowed: an `async def` of one item"),
    ],
)
async def test_a_wrong_argument_is_refused_where_it_is_given(
    system: TestSystem, options: dict[str, object], text: str
) -> None:
    with pytest.raises(SpecError, match=text):
        system.map(**{"function": Calls(), "items": [], **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("ordered", [True, False])
async def test_work_that_is_stopped_at_its_last_items_does_not_look_finished(system: TestSystem, ordered: bool) -> None:
    async def slow(item: int) -> int:
        await anyio.sleep(60)
        return item

    reading = system.map(slow, [1, 2, 3], ordered=ordered, name="last")
    async with anyio.create_task_group() as group:
        group.start_soon(_stopped_later, system)
        with pytest.raises(TaskCancelled):
            await anext(reading)


async def _stopped_later(system: TestSystem) -> None:
    await anyio.sleep(1)
    await system.find("/test/tasks/last").stop()


@pytest.mark.parametrize("error", [BaseException("odd"), asyncio.CancelledError(), StopAsyncIteration()])
@pytest.mark.parametrize("stop", [True, False])
async def test_an_item_that_fails_by_an_odd_class_is_a_failure_of_that_item(
    system: TestSystem, error: BaseException, stop: bool
) -> None:
    async def odd(item: int) -> int:
        await anyio.sleep(item)
        if item == 1:
            raise error
        return item

    found: list[int] = []
    with pytest.raises((ExceptionGroup, RuntimeError)):
        await read(system.map(odd, range(3), stop_on_error=stop), found)
    assert found == ([0] if stop else [0, 2])


async def test_failures_are_told_also_where_the_items_break(system: TestSystem) -> None:
    def items() -> Iterator[int]:
        yield from (1, 0)
        raise OSError("the disk is gone")

    async def inverse(item: int) -> int:
        return 1 // item

    with pytest.raises(OSError, match="the disk is gone") as caught:
        await read(system.map(inverse, items(), limit=1), [])
    assert isinstance(caught.value.__cause__, ExceptionGroup)


async def test_items_that_fail_without_waiting_do_not_hold_up_the_loop(system: TestSystem) -> None:
    async def bad(item: int) -> int:
        raise ValueError(item)

    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(others)
        with pytest.raises(ExceptionGroup):
            await read(system.map(bad, range(10_000)), [])
        group.cancel_scope.cancel()
    assert turns >= 30


async def test_a_second_reader_is_refused_and_the_first_goes_on(system: TestSystem) -> None:
    reading = system.map(Calls(), range(10))
    found: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(read, reading, found)
        await settle()
        with pytest.raises(ActorError, match="another task reads these results"):
            await anext(reading)
    assert found == [n * n for n in range(10)]


async def test_no_more_workers_start_than_there_are_items(system: TestSystem) -> None:
    reading = system.map(Calls(), range(3), limit=100_000, name="few")
    await anext(reading)
    workers = [entry for entry in system.roster().entries if ":worker-" in entry.path]
    assert len(workers) <= 4
    await reading.aclose()
