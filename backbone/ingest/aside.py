"""The thread of a run: what is read and judged in it holds nobody up, and what it kept of memory goes back with it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from backbone.domain.memory import give_back, give_back_own
from backbone.domain.threads import in_thread

__all__ = ["Aside"]

T = TypeVar("T")


class Aside:
    """Works beside the loop, one thing after the other.

    Arrow keeps for each thread what was worked on there, for as long as the thread lives: so this one is the run's own.

    Args:
        inline: work on the loop, for deterministic tests.
        interrupt: makes the work at hand end early, where who waits for it is cancelled; None: nothing does.
    """

    def __init__(self, *, inline: bool, interrupt: Callable[[], object] | None) -> None:
        self._interrupt = interrupt
        self._thread = None if inline else ThreadPoolExecutor(1, "ingest")  # starts it when there is work

    async def run(self, work: Callable[[], T]) -> T:
        """Wait for a piece of work."""
        if self._thread is None:
            return work()
        return await in_thread(work, executor=self._thread, interrupt=self._interrupt)

    def end(self) -> None:
        """Let the thread end; nothing is to be worked on any more."""
        if self._thread is not None:
            self._thread.shutdown(wait=False)

    async def give_back(self) -> None:
        """Give the memory back that was left behind by threads that have ended, and that the loop's own keeps."""
        if self._thread is None:
            give_back()
        else:
            await in_thread(give_back)
            give_back_own()
