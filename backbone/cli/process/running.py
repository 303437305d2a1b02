"""Running a coroutine for a command: signals stop it in order, a second one forces."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from backbone.cli.exits import INTERRUPTED, TERMINATED
from backbone.cli.failures import Stopped, say

__all__ = ["run"]

T = TypeVar("T")

_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


def run(work: Callable[[], Awaitable[T]], *, within: float | None = None) -> T:
    """Run `work` in a fresh event loop.

    The first SIGINT or SIGTERM cancels it, so that everything it holds is given back; the second ends the process.

    Args:
        work: what to do.
        within: seconds after the first signal, after which the process ends whatever holds it up; None: it waits.

    Raises:
        Stopped: it was cancelled by a signal; carries the exit code.
    """
    received: list[signal.Signals] = []
    with asyncio.Runner() as runner:
        try:
            return runner.run(_stoppable(work, received, within))
        except asyncio.CancelledError:
            if not received:
                raise
            raise Stopped(_CODES[received[0]]) from None


async def _stoppable(work: Callable[[], Awaitable[T]], received: list[signal.Signals], within: float | None) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop(number: signal.Signals) -> None:
        if received:
            say(f"{number.name} again: ending at once")
            os._exit(_CODES[number])
        received.append(number)
        say(f"{number.name}: stopping in order; once more ends at once")
        if within is not None:
            _end_after(within, number)
        if task is not None:
            task.cancel()

    for number in _CODES:
        loop.add_signal_handler(number, stop, number)
    try:
        return await work()
    finally:
        for number in _CODES:
            loop.remove_signal_handler(number)


def _end_after(seconds: float, number: signal.Signals) -> None:
    """End the process then, if it is still there, also where the loop is held up: a thread looks at the clock."""

    def end() -> None:
        say(f"not stopped in order within {seconds:g} s: ending at once; what was committed is safe")
        os._exit(_CODES[number])

    watch = threading.Timer(seconds, end)
    watch.daemon = True
    watch.start()
