"""Threads that work on columns: few rows do without one, and they end where nothing is to be done; on virtual time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from threading import Thread
from typing import Any

import anyio
import pytest

from actors.testing.clock import virtual_loop
from backbone.store.timescale import workers as module
from backbone.store.timescale.workers import Workers

MANY = 5000  # rows
SECONDS = 10.0


def virtually(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a loop whose time stands still while threads work."""

    @wraps(test)
    def run() -> None:
        with asyncio.Runner(loop_factory=virtual_loop) as runner:
            runner.run(test())

    return run


def ended(thread: Thread) -> bool:
    thread.join(SECONDS)
    return not thread.is_alive()


@virtually
async def test_few_rows_are_worked_on_at_once() -> None:
    assert await Workers().run(1, threading.current_thread) is threading.current_thread()


@virtually
async def test_a_thread_ends_after_a_while_without_work_and_another_one_takes_what_comes() -> None:
    workers = Workers()
    first = await workers.run(MANY, threading.current_thread)
    assert first is not threading.current_thread()
    await anyio.sleep(1)
    assert ended(first)
    assert await workers.run(MANY, threading.current_thread) is not first
    workers.end()


@virtually
async def test_it_ends_where_its_work_failed_too() -> None:
    threads: list[Thread] = []

    def fail() -> None:
        threads.append(threading.current_thread())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Workers().run(MANY, fail)
    await anyio.sleep(1)
    assert ended(threads[0])


@virtually
async def test_threads_stay_while_there_is_work_again_and_again() -> None:
    workers = Workers()
    seen = set()
    for _ in range(20):
        seen.add(await workers.run(MANY, threading.current_thread))
        await anyio.sleep(0.1)
    assert len(seen) <= 4
    assert all(thread.is_alive() for thread in seen)
    workers.end()


@virtually
async def test_all_of_them_end_at_once_where_they_are_told_to() -> None:
    workers = Workers()
    threads = [await workers.run(MANY, threading.current_thread) for _ in range(3)]
    workers.end()
    assert all(map(ended, threads))


@pytest.mark.parametrize(("rows", "given"), [(60_000, ["columns_0", "MainThread"]), (5000, [])])
def test_what_much_work_leaves_goes_back_before_threads_end_and_after(
    monkeypatch: pytest.MonkeyPatch, rows: int, given: list[str]
) -> None:
    where: list[str] = []
    for name in ("give_back", "give_back_own"):
        monkeypatch.setattr(module, name, lambda: where.append(threading.current_thread().name))

    @virtually
    async def work() -> None:
        thread = await Workers().run(rows, threading.current_thread)
        await anyio.sleep(0.7)
        assert ended(thread)
        await anyio.sleep(1)

    work()
    assert where == given
