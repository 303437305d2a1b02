"""How late the loop runs what is due."""

from __future__ import annotations

import asyncio


class LagMeter:
    """How late the loop's timers fire: the newest and the worst of late, in seconds. It rests on a virtual clock."""

    PERIOD = 0.25

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.seconds = 0.0
        self.worst = 0.0
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        if not getattr(loop, "is_virtual", False):
            self._arm()

    def _arm(self) -> None:
        due = self._loop.time() + self.PERIOD
        self._timer = self._loop.call_at(due, self._measure, due)

    def _measure(self, due: float) -> None:
        self.seconds = max(0.0, self._loop.time() - due)
        self.worst = max(self.worst, self.seconds)
        self._arm()

    def close(self) -> None:
        """Stop measuring."""
        if self._timer is not None:
            self._timer.cancel()
