"""Whether a disk answers again, though a read of it never came back: it was mounted anew, from another server perhaps.

Each question may cost a thread, so they become rarer: within two hours they use up all threads that there are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from backbone.domain.hanging import Hung, Threads, beat_of

__all__ = ["Probe"]

_FIRST_PAUSE = 60.0  # seconds, and twice as many each time


class Probe:
    """Asks a disk that hangs.

    Args:
        threads: in which, and of which some hang.
        root: of what lies there.
    """

    def __init__(self, threads: Threads, root: Path) -> None:
        self._threads = threads
        self._root = root
        self._asked = 0
        self._since: float | None = None
        self._doubted: set[Path] = set()

    def doubt(self, paths: Iterable[Path]) -> None:
        """One of these files did not answer."""
        self._doubted.update(paths)

    async def answers(self) -> bool:
        """Whether reads can go on: nothing hangs, or it was time to ask, and all that was in doubt answers."""
        now = time.monotonic()
        if not self._threads.hung:
            if not self._threads.lost:
                self._asked, self._since = 0, None
                self._doubted.clear()
            return True
        self._since = now if self._since is None else self._since
        if now < self._since + _FIRST_PAUSE * 2**self._asked:
            return False
        self._asked, self._since = self._asked + 1, now
        paths = [self._root, *self._doubted]
        try:
            await self._threads.run(lambda: _touch(paths))
        except Hung:
            return False
        self._threads.write_off()
        return True


def _touch(paths: Iterable[Path]) -> None:
    """Be back when each of them answers, be it with an error."""
    beat = beat_of()
    for path in paths:
        beat()
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.read(handle, 1)
            finally:
                os.close(handle)
