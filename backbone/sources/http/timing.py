"""Time and waiting of a provider's thread: injected, and ended by a stop from outside."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from backbone.sources.errors import SourceUnavailable

__all__ = ["Timing", "Waiting"]


class Timing(Protocol):
    """What a client knows of time."""

    def time(self) -> float:
        """Monotonic seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait in this thread.

        Raises:
            SourceUnavailable: it was stopped meanwhile.
        """
        ...

    def check(self) -> None:
        """Go on, unless it was stopped.

        Raises:
            SourceUnavailable: it was.
        """
        ...

    def stop(self) -> None:
        """End what waits, now and from now on; called from another thread."""
        ...


class Waiting:
    """The machine's monotonic clock; each provider has one of its own, since it stays stopped."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self.time = time.monotonic

    def sleep(self, seconds: float) -> None:
        """Wait in this thread; see Timing."""
        self._stopped.wait(max(0.0, seconds))
        self.check()

    def check(self) -> None:
        """Go on, unless it was stopped; see Timing."""
        if self._stopped.is_set():
            raise SourceUnavailable("stopped before the provider had answered; start the same plan again")

    def stop(self) -> None:
        """End what waits; see Timing."""
        self._stopped.set()
