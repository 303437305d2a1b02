"""Running a coroutine for a command: signals stop it in order, a second one forces."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

from backbone.cli.exits import INTERRUPTED, TERMINATED
from backbone.cli.failures import Stopped, say

__all__ = ["run"]

T = TypeVar("T")

_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in a fresh event loop.

    The first SIGINT or SIGTERM cancels it, so that everything it holds is given back; the second ends the process.

    Raises:
        Stopped: it was cancelled by a signal; carries the exit code.
    """
    received: list[signal.Signals] = []
    with asyncio.Runner() as runner:
        try:
            return runner.run(_stoppable(work, received))
        except asyncio.CancelledError:
            if not received:
                raise
            raise Stopped(_CODES[received[0]]) from None


async def _stoppable(work: Callable[[], Awaitable[T]], received: list[signal.Signals]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop(number: signal.Signals) -> None:
        if received:
            say(f"{number.name} again: ending at once")
            os._exit(_CODES[number])
        received.append(number)
        say(f"{number.name}: stopping in order; once more ends at once")
        if task is not None:
            task.cancel()

    for number in _CODES:
        loop.add_signal_handler(number, stop, number)
    try:
        return await work()
    finally:
        for number in _CODES:
            loop.remove_signal_handler(number)
