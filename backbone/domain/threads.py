"""Work off the event loop, in threads that keep no program from ending.

A thread of `anyio.to_thread` lives as long as the topmost task that asked for it, and at its exit the interpreter waits
for it: a session that never leaves its backbone, such as `python -m asyncio`, would hang. An executor's are told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

import anyio

__all__ = ["in_thread"]

T = TypeVar("T")

_AGAIN = 0.05  # seconds between two interrupts


async def in_thread(
    function: Callable[[], T],
    *,
    executor: Executor | None = None,
    interrupt: Callable[[], object] | None = None,
    patience: float | None = None,
) -> T:
    """Call `function` in a thread and wait until it has come back, also where the caller is cancelled meanwhile.

    Args:
        function: what to do; nothing else may use what it works on before it is back.
        executor: whose thread; None: the loop's own executor.
        interrupt: makes the function end early; called where the caller is cancelled, and after `patience`, again and
            again until the function is back: one that comes between two of its steps is lost.
        patience: seconds, None: no limit.

    Raises:
        CancelledError: the caller was cancelled; whatever the function returned or raised is lost.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, function)
    hurry = interrupt or _nothing
    try:
        await asyncio.wait((future,), timeout=patience)
        while not future.done():
            hurry()
            await asyncio.wait((future,), timeout=_AGAIN)
    except asyncio.CancelledError:
        await _back(future, hurry)
        raise
    return future.result()


async def _back(future: asyncio.Future[T], hurry: Callable[[], object]) -> None:
    with anyio.CancelScope(shield=True):
        while not future.done():
            hurry()
            with suppress(asyncio.CancelledError):  # one has been told already
                await asyncio.wait((future,), timeout=_AGAIN)
    future.exception()  # marks it as seen


def _nothing() -> None:
    """The function can't be interrupted."""
