"""Threads that work on columns: few rows do without one, and after much work they end."""

from __future__ import annotations

import asyncio
import threading
from threading import Thread

import pytest

from backbone.store.timescale.workers import Workers

MUCH = 5_000_000  # rows
SECONDS = 10.0


def ended(thread: Thread) -> bool:
    thread.join(SECONDS)
    return not thread.is_alive()


async def test_few_rows_are_worked_on_at_once() -> None:
    assert await Workers().run(1, threading.current_thread) is threading.current_thread()


async def test_a_thread_ends_after_much_work_and_another_one_takes_what_comes() -> None:
    workers = Workers()
    first = await workers.run(MUCH, threading.current_thread)
    assert first is not threading.current_thread()
    assert ended(first)
    assert await workers.run(MUCH, threading.current_thread) is not first


async def test_it_ends_where_its_work_failed_too() -> None:
    threads: list[Thread] = []

    def fail() -> None:
        threads.append(threading.current_thread())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Workers().run(MUCH, fail)
    assert ended(threads[0])


async def test_none_ends_while_another_one_is_at_work() -> None:
    workers, goes_on = Workers(), threading.Event()

    def wait() -> Thread:
        goes_on.wait(SECONDS)
        return threading.current_thread()

    slow = asyncio.create_task(workers.run(MUCH, wait))
    quick = await workers.run(MUCH, threading.current_thread)
    after = await workers.run(MUCH, threading.current_thread)
    goes_on.set()
    late = await slow
    assert after.name != late.name  # each executor counts its threads from 0
    assert ended(late)
    assert ended(quick)
