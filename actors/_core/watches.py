"""Whom one incarnation watches, and the news of their ends, which pass every full mailbox."""

from __future__ import annotations

from collections import deque

from actors._core.cell import ActorLife, Cell
from actors.messages import Terminated


class Watches:
    """The watches of one incarnation; made at the first one."""

    __slots__ = ("_expecting", "_news", "_run")

    def __init__(self, run: ActorLife) -> None:
        self._run = run
        self._expecting: dict[Cell, None] = {}  # by cell: a path may pass on to another one, or be in two systems
        self._news: dict[int, tuple[Cell, Terminated]] = {}  # queued, by the message's id

    def add(self, cell: Cell) -> None:
        """See Context.watch."""
        if cell in self._expecting or self._is_news(cell):
            return
        self._expecting[cell] = None
        if cell.ended is not None:
            self.receive(cell, Terminated(cell.path, cell.incarnation, cell.ended))
        else:
            if cell.watchers is None:
                cell.watchers = {}
            cell.watchers[self] = None

    def remove(self, cell: Cell) -> None:
        """See Context.unwatch."""
        self._expecting.pop(cell, None)
        if cell.watchers is not None:
            cell.watchers.pop(self, None)
        self._drop([message for each, message in self._news.values() if each is cell])

    def _is_news(self, cell: Cell) -> bool:
        """Whether the end of its present life is queued: a second watch of the dead gives no second message."""
        return cell.run is None and any(
            each is cell and message.incarnation == cell.incarnation for each, message in self._news.values()
        )

    def _drop(self, messages: list[Terminated]) -> None:
        queued = self._run.box.system
        for message in messages:
            del self._news[id(message)]
            if queued is not None:
                self._run.box.system = queued = deque(each for each in queued if each is not message)

    def receive(self, cell: Cell, message: Terminated) -> None:
        """News of a watched actor: they go before all messages, and no mailbox is too full for them."""
        run = self._run
        self._expecting.pop(cell, None)
        if run.owner.alive:
            self._news[id(message)] = (cell, message)
            if run.box.system is None:
                run.box.system = deque()
            run.box.system.append(message)
            run.wake()

    def due(self, message: Terminated) -> bool:
        """False for news of a watch that was given up while they waited."""
        return self._news.pop(id(message), None) is not None

    def close(self) -> None:
        """End all."""
        for cell in self._expecting:
            if cell.watchers is not None:
                cell.watchers.pop(self, None)
        self._drop([message for _, message in self._news.values()])
