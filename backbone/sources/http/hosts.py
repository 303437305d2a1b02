"""How often each host may be asked: one account of it for all runs of the process."""

from __future__ import annotations

import threading

__all__ = ["HOSTS", "Host", "Hosts"]


class Host:
    """When a host may be asked next; used by several threads at once.

    Requests are spread evenly: each takes the next free place. Where the host asked for a pause, nobody asks before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._not_before = float("-inf")

    def place(self, now: float, rate: float) -> float:
        """Take the next place.

        Args:
            now: monotonic seconds.
            rate: requests per second.

        Returns:
            Seconds to wait before asking.
        """
        with self._lock:
            at = max(now, self._next, self._not_before)
            self._next = at + 1 / rate
            return at - now

    def pause(self, until: float) -> None:
        """Nobody asks before a moment, in monotonic seconds; the latest one counts."""
        with self._lock:
            self._not_before = max(self._not_before, until)

    def paused(self, now: float) -> float:
        """How many seconds the pause that it asked for still lasts."""
        with self._lock:
            return max(0.0, self._not_before - now)


class Hosts:
    """The hosts that were asked, by name and port."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: dict[str, Host] = {}

    def of(self, name: str) -> Host:
        """A host, the same one whoever asks for it."""
        with self._lock:
            return self._hosts.setdefault(name, Host())


HOSTS = Hosts()
"""Those of this process."""
