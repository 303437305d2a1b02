"""How often the stored cursor is moved: each time costs the store as much as a live commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["Pace"]

_EVERY: Final = 0.5  # seconds between two moves; what a crash repeats is passed over by its event_id
_KEPT_EVERY: Final = 60.0  # the same, of a role that may only read: it may have been granted more meanwhile
_LONG_AGO: Final = float("-inf")


class Pace:
    """Knows when it was moved last.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = _LONG_AGO

    def rest(self, *, kept: bool) -> float:
        """Seconds until it is to be moved again; 0 or less: now.

        Args:
            kept: the store took no note of this process.
        """
        return self._at + (_KEPT_EVERY if kept else _EVERY) - self._clock()

    def moved(self) -> None:
        """It was, just now."""
        self._at = self._clock()

    def hurry(self) -> None:
        """Move it at the next occasion."""
        self._at = _LONG_AGO
