"""Clients of servers say the same about an outage many times a second: once a minute is enough, with a count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

__all__ = ["Repeats"]

_CLIENTS = ("aiokafka",)
_EVERY = 60.0  # seconds
_MOST = 1000  # different lines; then all begin anew


class Repeats(logging.Filter):
    """Lets a client's line through, and the next one like it not before a minute; it then says how many there were.

    Lines are alike where logger and text are, whatever stands in it. Lines of everybody else go through.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is said now."""
        if record.name.partition(".")[0] not in _CLIENTS:
            return True
        key, now = (record.name, str(record.msg)), self._clock()
        at, withheld = self._said.get(key, (float("-inf"), 0))
        if now - at < _EVERY:
            self._said[key] = (at, withheld + 1)
            return False
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[key] = (now, 0)
        if withheld:
            record.msg, record.args = f"{record.getMessage()} (and {withheld:,} lines like it since the last)", ()
        return True
