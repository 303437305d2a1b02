"""Connections at hand: who gives one back lays it here, and the next piece of work takes it without waiting.

The client's pool makes a task, three timers and two turns of the loop of each taking and giving back: for a small read
that is as much again as the client's own work. So the pool keeps its say on making, counting and renewing connections;
in between they lie here, the one used last on top.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

__all__ = ["Warm"]

_USES = 1000  # of all connections, after which one goes through the pool: it replaces those that have served for long


class Warm:
    """Connections that belong to a pool and that nobody uses.

    Args:
        alive: the connections that are open, by the number of their server process.
        idle: seconds after which one that nobody wanted is closed.
    """

    def __init__(self, alive: Mapping[int, Any], idle: float) -> None:
        self._alive = alive
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._lying: list[tuple[Any, int, float]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._uses = 0
        self._closed = False
        self.wanted = 0
        """Who waits for the pool to give one: what comes back meanwhile is theirs."""

    def __len__(self) -> int:
        return len(self._lying)

    def take(self) -> Any:
        """The connection that was used last; None: there is none, the pool has others."""
        while self._lying:
            connection, number, _ = self._lying.pop()
            if number in self._alive:
                return connection
        return None

    def lay(self, connection: Any, number: int) -> bool:
        """Lay down a connection of which nothing is under way; False: give it to the pool."""
        self._uses += 1
        if self._closed or self.wanted or not self._uses % _USES:
            return False
        self._lying.append((connection, number, self._loop.time()))
        if self._timer is None:
            self._timer = self._loop.call_later(self._idle, self._cool)
        return True

    def give_up(self) -> list[Any]:
        """All that lie here, for the pool."""
        lying, self._lying = self._lying, []
        return [connection for connection, number, _ in lying if number in self._alive]

    def close(self) -> list[Any]:
        """The same, and nothing is laid down any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return self.give_up()

    def _cool(self) -> None:
        """Close what nobody has wanted for long, as the pool does with its own."""
        self._timer = None
        before = self._loop.time() - self._idle
        old = [each for each in self._lying if each[2] <= before]
        self._lying = [each for each in self._lying if each[2] > before]
        for connection, number, _ in old:
            if number in self._alive:
                connection.terminate()
        if self._lying:
            self._timer = self._loop.call_later(self._lying[0][2] - before, self._cool)
