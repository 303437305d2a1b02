"""Waits that could never end, found before they begin: ask chains that lead back, an actor that awaits its own stop.

Each life lists whom it waits for; a new wait is refused where that list, followed from its target, leads back. For
example a handler of a asks b, and b's handler asks a: b's ask finds a -> b in a's list, and raises with the chain.
"""

from __future__ import annotations

from collections.abc import Iterable

from actors._core.cell import ActorLife, Cell, Life, Wait, blocked_run
from actors._core.mailbox import Full
from actors.errors import DeadlockError
from actors.stop_reason import StopReason

_LONGEST = 1000


class Edges:
    """A context: one wait, shown in these lists while it lasts."""

    __slots__ = ("_lists", "_wait")

    def __init__(self, lists: tuple[list[Wait], ...], wait: Wait | None) -> None:
        self._lists = lists
        self._wait = wait

    def __enter__(self) -> None:
        if self._wait is not None:
            for each in self._lists:
                each.append(self._wait)

    def __exit__(self, *_: object) -> None:
        if self._wait is not None:
            for each in self._lists:
                each.remove(self._wait)


NO_EDGE = Edges((), None)


def chain(start: Cell, end: Cell) -> list[Cell] | None:
    """The cells from `start` along what each waits for, if that leads to `end`."""
    # depth first by hand: a chain may be longer than Python's own stack
    found = [start]
    stack = [(start, iter(_targets(start)))]
    seen = {start}
    while stack and len(seen) < _LONGEST:
        cell, targets = stack[-1]
        if cell is end:
            return found
        following = next((each for each in targets if each not in seen), None)
        if following is None:
            stack.pop()
            found.pop()
        else:
            seen.add(following)
            found.append(following)
            stack.append((following, iter(_targets(following))))
    return None


def _targets(cell: Cell) -> list[Cell]:
    """Whom a cell can't do without: an ask whose reply was deferred needs the target's mailbox no more."""
    waiting = [] if cell.run is None else cell.run.waiting
    return [wait.target for wait in waiting if wait.ask is None or not wait.ask.deferred]


def check_ask(run: Life, target: Cell, message: object = None) -> None:
    """Refuse an ask from `run`'s handler to a cell that waits for it, however indirectly.

    Raises:
        DeadlockError: carries the chain of paths.
        ActorDead: the target stops, and its end waits for the asker, which is below it.
    """
    if target.state == "stopping" and run.cell.path.startswith(target.path + "/"):
        raise target.dead(message, StopReason("shutdown", "it is stopping"))
    if target is not run.cell and (target.run is None or not target.run.waiting):
        return  # nearly always: who waits for nobody can't wait for the asker
    cells = chain(target, run.cell)
    if cells is not None:
        paths = (run.cell.path, *(cell.path for cell in cells))
        raise DeadlockError(
            f"this wait would never end: {' -> '.join(paths)}", path=target.path, ref=target.ref, chain=paths
        )


def check_wait(target: Cell, verb: str) -> None:
    """Refuse to wait for the end of an actor from inside it or from below it.

    Raises:
        DeadlockError: use `context.stop_self()` instead.
    """
    run = blocked_run()
    if run is None:
        return
    here, there = run.cell.path, target.path
    if (here + "/").startswith(there + "/") and run.cell.runtime is target.runtime:
        text = f"{here} can't await the {verb} of {there}, of which it is a part; use context.stop_self()"
        raise DeadlockError(text, path=there, ref=target.ref, chain=(here, there))


def release_below(cell: Cell, children: Iterable[Cell]) -> None:
    """An actor stops: fail the asks that actors below it wait for, since its end waits for them."""
    stack = list(children)
    while stack:
        each = stack.pop()
        if each.run is None:
            continue
        for target, _, ask in each.run.waiting:
            if target is cell and ask is not None:
                ask.fail(cell.dead(ask.message, StopReason("shutdown", "it is stopping")))
                if cell.box is not None and cell.box.items and ask in cell.box.items:
                    cell.box.items.remove(ask)  # or it would be handled, though its asker was told that it is not
        stack.extend(each.run.below().values())


def room_edge(run: ActorLife | None, cell: Cell) -> Edges:
    """The edge of one that waits for room in a mailbox.

    Raises:
        Full: the mailbox is its own, or that of one above which stops and waits for its end: nobody makes room.
    """
    if run is None:
        return NO_EDGE
    # its own mailbox: only it could make room, and it waits here
    if run is cell.run or (cell.state == "stopping" and run.cell.path.startswith(cell.path + "/")):
        raise Full
    return Edges((run.waiting,), Wait(cell, "tell"))
