"""Time, injected: monotonic for deadlines, the wall for stamps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """What the runtime knows of time."""

    def time(self) -> float:
        """Monotonic seconds; equals the loop's time."""

    def now(self) -> datetime:
        """The wall clock, UTC: for stamps, never for deadlines."""


class LoopClock:
    """The running loop's time, and the machine's wall clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.time = loop.time
        self.now = partial(datetime.now, UTC)
