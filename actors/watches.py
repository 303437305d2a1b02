"""Whom one incarnation watches, and the news of their ends, which pass every full mailbox."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from actors.messages import Terminated

if TYPE_CHECKING:
    from actors.cell import Cell
    from actors.incarnation import Incarnation


class Watches:
    """The watches of one incarnation; made at the first one."""

    __slots__ = ("_expecting", "_run")

    def __init__(self, run: Incarnation) -> None:
        self._run = run
        self._expecting: dict[str, Cell] = {}

    def add(self, cell: Cell) -> None:
        """See Context.watch."""
        if cell.path in self._expecting:
            return
        self._expecting[cell.path] = cell
        if cell.closed is not None and cell.run is None and not cell.in_doubt:
            self.receive(Terminated(cell.path, cell.incarnation, cell.closed))
        else:
            if cell.watchers is None:
                cell.watchers = {}
            cell.watchers[self] = None

    def remove(self, cell: Cell) -> None:
        """See Context.unwatch."""
        self._expecting.pop(cell.path, None)
        if cell.watchers is not None:
            cell.watchers.pop(self, None)
        queued = self._run.box.system
        for message in [each for each in queued or () if each.path == cell.path]:
            if queued is not None:
                queued.remove(message)

    def receive(self, message: Terminated) -> None:
        """News of a watched actor."""
        run = self._run
        if run.owner.alive:
            if run.box.system is None:
                run.box.system = deque()
            run.box.system.append(message)
            run.wake()

    def due(self, message: Terminated) -> bool:
        """False for news of a watch that was given up while they waited."""
        return self._expecting.pop(message.path, None) is not None

    def close(self) -> None:
        """End all."""
        for cell in self._expecting.values():
            if cell.watchers is not None:
                cell.watchers.pop(self, None)
