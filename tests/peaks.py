"""The most memory of a process, and whether it grows."""

from __future__ import annotations

import os
import resource
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

__all__ = ["Halves", "peak"]

_STATUS = Path("/proc/self/status")


def peak() -> int:
    """The most memory, in bytes, that this process has held since its program began.

    Where the kernel tells it: `ru_maxrss` of a child begins with what its parent held when it was started, so that all
    that stays below that looks flat.
    """
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class Halves:
    """The memory of this process while something goes on: what grows with its length has more in the second half.

    Attributes:
        samples: bytes, at even steps.
    """

    def __init__(self) -> None:
        self.samples = array("q")

    @contextmanager
    def watched(self, step: float = 0.05) -> Iterator[None]:
        """Look every so many seconds, in a thread of its own."""
        over = Event()
        thread = Thread(target=self._look, args=(over, step), name="memory", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def most(self) -> tuple[int, int]:
        """The most of each half, in bytes."""
        half = len(self.samples) // 2
        return max(self.samples[:half]), max(self.samples[half:])

    def _look(self, over: Event, step: float) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not over.wait(step):
            self.samples.append(int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * page)
