"""Running a coroutine for a command: signals stop it in order, a second one forces."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
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
    """Ends the process some seconds after the first signal, or with the second, whatever holds it up: a thread waits.

    It hears of signals from the interpreter's own handler in C. That of Python is called between two steps of the main
    thread, and so not at all where one of them, such as writing to a full pipe, began just as the signal came.

    Args:
        seconds: from the first signal until the end.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard, self._told = socket.socketpair()
        self._told.setblocking(False)
        self._before = signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="deadline", daemon=True).start()

    def lift(self) -> None:
        """There is none any more."""
        signal.set_wakeup_fd(self._before)
        self._told.close()

    def _watch(self) -> None:
        with self._heard:
            number = self._next(None)
            if number is None:
                return
            again = self._next(self._seconds)
        text = f"not stopped in order within {self._seconds:g} s: ending at once; what was committed is safe"
        _end(_CODES[again or number], f"{again.name} again: ending at once" if again else text)

    def _next(self, seconds: float | None) -> signal.Signals | None:
        """The next signal that ends; None: there came none in that time, or there is no deadline any more."""
        self._heard.settimeout(seconds)
        try:
            while byte := self._heard.recv(1):
                if byte[0] in _CODES:
                    return signal.Signals(byte[0])
        except TimeoutError:
            pass
        return None


def _end(code: int, text: str) -> None:
    """End the process at once, and say so where somebody reads it: a full pipe would hold up even this."""
    words = threading.Thread(target=say, args=(text,), daemon=True)
    words.start()
    words.join(_LAST_WORDS)
    os._exit(code)
