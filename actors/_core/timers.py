"""Timers of one incarnation; they end with it."""

from __future__ import annotations

import asyncio

from actors._core.cell import Cell
from actors._core.mailbox import Tick
from actors.errors import SpecError
from actors.messages import Message


class Timers:
    """Keyed timers: their messages go into the actor's own mailbox, above its capacity, at most one for each timer."""

    __slots__ = ("_cell", "_count", "_due", "_resting")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._due: dict[str, tuple[Tick, asyncio.TimerHandle]] = {}
        self._count = 0
        self._resting = False

    def add(self, delay: float, message: Message, key: str | None, *, repeat: bool) -> str:
        """Start a timer, in place of one with the same key."""
        if delay < 0 or (repeat and delay <= 0):
            raise SpecError(f"timer: got {delay!r} seconds; allowed: more than 0 (send_after: 0 or more)")
        if message.__class__ not in self._cell.table:
            raise self._cell.refusal(message)
        if key is None:
            self._count += 1
            key = f"timer-{self._count}"
        self.cancel(key)
        if self._resting:
            return key  # a drain has begun: a timer that fired would keep it from ever ending
        tick, tracing = Tick(key, message, repeat), self._cell.runtime.tracing
        if tracing is not None:  # what recurs is the actor's own, and goes on for nobody
            tick.origin = (self._cell.path, *(tracing.nobody if repeat else tracing.here())[1:])
        self._arm(tick, delay, self._cell.runtime.loop.time() + delay)
        return key

    def _arm(self, tick: Tick, delay: float, due: float) -> None:
        self._due[tick.key] = (tick, self._cell.runtime.loop.call_at(due, self._fire, tick, delay, due))

    def _fire(self, tick: Tick, delay: float, due: float) -> None:
        box = self._cell.box
        if box is not None and not tick.queued:  # a slow handler finds one tick, not all that it has missed
            tick.queued = True
            box.append(tick)
        if tick.repeat:
            # from when it was due, so that it does not drift; but not before now, or it would catch up in a burst
            self._arm(tick, delay, max(due + delay, self._cell.runtime.loop.time()))

    def delivered(self, tick: Tick) -> bool:
        """Called when a queued tick's turn has come; False where its timer has been cancelled."""
        tick.queued = False
        if tick.live and not tick.repeat:
            del self._due[tick.key]
        return tick.live

    def cancel(self, key: str) -> bool:
        """End a timer; its queued message is not delivered."""
        entry = self._due.pop(key, None)
        if entry is None:
            return False
        tick, handle = entry
        tick.live = False
        handle.cancel()
        return True

    def rest(self) -> None:
        """Fire no more: what is queued is still delivered, and a new timer never comes."""
        self._resting = True
        for _, handle in self._due.values():
            handle.cancel()

    def close(self) -> None:
        """End all; nothing that they queued is delivered to the next incarnation."""
        for key in list(self._due):
            self.cancel(key)
