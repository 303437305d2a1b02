"""What a supervisor is to do: commands and the ends of children, one after the other, each with who waits for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from actors._core.cell import Cell
from actors._core.runtime import Runtime
from actors.stop_reason import StopReason


class Item(msgspec.Struct, eq=False):
    """What waits in the inbox: `do()` it, and give `waiter` its outcome."""

    do: Callable[[], Awaitable[Any]]
    waiter: asyncio.Future[Any] | None = None
    anyway: bool = False  # also where whoever gave the command waits no more
    end: tuple[Cell, int, StopReason] | None = None  # the news of a child's end


class Inbox:
    """Belongs to one task, which takes what came and carries it out; anybody may post."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._items: deque[Item] = deque()
        self._idle: asyncio.Future[None] | None = None
        self.in_hand: asyncio.Future[Any] | None = None
        """Who waits for the command that is carried out now."""

    def post(self, item: Item) -> None:
        """Have it done in its turn."""
        self._items.append(item)
        self.wake()

    def wake(self) -> None:
        """Have the task look, whether anything came or not."""
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    def take(self) -> Item | None:
        """What comes next."""
        return self._items.popleft() if self._items else None

    async def arrival(self) -> None:
        """Wait until something comes, or somebody wakes the task; after `take` had nothing, with no await between."""
        self._idle = idle = self._runtime.future()
        await idle

    async def carry_out(self, item: Item) -> None:
        """Do it, and tell who waits for it; a command of somebody who has gone is not begun."""
        waiter = item.waiter
        if waiter is None:
            await item.do()
            return
        if waiter.done() and not item.anyway:
            return
        self.in_hand = waiter
        try:
            result = await item.do()
        except Exception as error:  # noqa: BLE001 - handed to the caller, who raises it
            if not waiter.done():
                waiter.set_exception(error)
        else:
            if not waiter.done():
                waiter.set_result(result)
        finally:
            self.in_hand = None

    def answer(self, result: Any) -> None:
        """Answer the command in hand before it is done: its caller wakes in the same turn of the loop, after us."""
        if self.in_hand is not None and not self.in_hand.done():
            self.in_hand.set_result(result)

    def news(self, cell: Cell) -> StopReason | None:
        """The end of a child's present life, where the news of it still waits here."""
        ends = (item.end for item in self._items if item.end is not None)
        return next((reason for each, number, reason in ends if each is cell and number > cell.seen), None)

    def refuse_all(self, error: Callable[[], Exception]) -> None:
        """Nothing more is carried out: tell all who wait."""
        for item in self._items:
            if item.waiter is not None and not item.waiter.done():
                item.waiter.set_exception(error())
        self._items.clear()
