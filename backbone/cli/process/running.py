"""Running a coroutine for a command: signals stop it in order, a second one forces."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import TypeVar

from backbone.cli.exits import INTERRUPTED, TERMINATED
from backbone.cli.failures import Stopped, say

__all__ = ["run"]

T = TypeVar("T")

_LAST_WORDS = 0.5  # seconds
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
    deadline = None if within is None else _Deadline(within)

    def stop(number: signal.Signals) -> None:
        say(f"{number.name}: stopping in order; once more ends at once")
        if task is not None:
            task.cancel()

    def signalled(number: int, _: object) -> None:
        """Called in the midst of whatever the main thread does, also where that holds up the loop."""
        if received:
            _end(_CODES[signal.Signals(number)], f"{signal.Signals(number).name} again: ending at once")
        received.append(signal.Signals(number))
        if deadline is not None:
            deadline.begin(received[0])
        loop.call_soon_threadsafe(stop, received[0])

    before = {number: signal.signal(number, signalled) for number in _CODES}
    try:
        return await work()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if deadline is not None and not received:
            deadline.lift()


class _Deadline:
    """Ends the process some seconds after it begins, whatever holds it up: a thread looks at the clock.

    Args:
        seconds: until the end.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._told: SimpleQueue[signal.Signals | None] = SimpleQueue()  # a handler may put into it at any time
        threading.Thread(target=self._watch, name="deadline", daemon=True).start()

    def begin(self, number: signal.Signals) -> None:
        """From now on."""
        self._told.put(number)

    def lift(self) -> None:
        """There is none any more."""
        self._told.put(None)

    def _watch(self) -> None:
        number = self._told.get()
        if number is not None:
            time.sleep(self._seconds)
            text = f"not stopped in order within {self._seconds:g} s: ending at once; what was committed is safe"
            _end(_CODES[number], text)


def _end(code: int, text: str) -> None:
    """End the process at once, and say so where somebody reads it: a full pipe would hold up even this."""
    words = threading.Thread(target=say, args=(text,), daemon=True)
    words.start()
    words.join(_LAST_WORDS)
    os._exit(code)
