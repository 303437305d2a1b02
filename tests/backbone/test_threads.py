import asyncio
import threading

import anyio
import pytest

from backbone.domain.threads import in_thread


class Job:
    """Works until it is told to end; its end says how."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.told = threading.Event()
        self.interrupts = 0
        self.back = False
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> str:
        self._loop.call_soon_threadsafe(self.began.set)
        self.told.wait()
        self.back = True
        return "done"

    def interrupt(self) -> None:
        self.interrupts += 1
        self.told.set()


async def test_it_hands_back_what_the_function_returns_or_raises() -> None:
    assert await in_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


@pytest.mark.parametrize("scoped", [True, False], ids=["by a scope", "natively"])
async def test_a_cancelled_caller_interrupts_the_function_and_waits_for_it(scoped: bool) -> None:
    job = Job()

    async def call() -> None:
        await in_thread(job, interrupt=job.interrupt)

    if scoped:
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await job.began.wait()
            group.cancel_scope.cancel()
    else:
        task = asyncio.ensure_future(call())
        await job.began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (job.interrupts, job.back) == (1, True)


async def test_a_second_cancellation_does_not_leave_the_thread_alone() -> None:
    job = Job()
    task = asyncio.ensure_future(in_thread(job))
    await job.began.wait()
    for _ in range(3):
        task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        assert not task.done()
    job.told.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert job.back


async def test_a_function_that_fails_after_the_cancellation_is_no_news() -> None:
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    told = threading.Event()

    def fail() -> None:
        told.wait()
        raise ValueError("too late")

    task = asyncio.ensure_future(in_thread(fail, interrupt=told.set))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    assert reports == []


async def test_patience_ends_by_the_interrupt() -> None:
    job = Job()
    assert await in_thread(job, interrupt=job.interrupt, patience=0.0) == "done"
    assert job.interrupts == 1
