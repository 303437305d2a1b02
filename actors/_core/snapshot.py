"""Reads the roster off the cells, never by messaging an actor, so that a blocked tree answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from actors._core.cell import Cell, life_of
from actors._core.deadlock import chain
from actors._core.incarnation import Incarnation
from actors._core.mailbox import Queue, payload
from actors._core.runtime import Runtime
from actors._core.states import State
from actors._core.supervisor import Supervisor
from actors.roster import Health, RosterEntry, RosterSnapshot


class RosterWatch:
    """Async iterator over changed snapshots."""

    def __init__(self, runtime: Runtime, read: Callable[[], RosterSnapshot], min_interval: float) -> None:
        self._runtime = runtime
        self._read = read
        self._interval = min_interval
        self._seen = -1
        self._next = 0.0

    def __aiter__(self) -> AsyncIterator[RosterSnapshot]:
        return self

    async def __anext__(self) -> RosterSnapshot:
        runtime = self._runtime
        while True:
            await self._pause(self._next - runtime.time())
            if runtime.version != self._seen:
                self._seen = runtime.version
                self._next = runtime.time() + self._interval
                return self._read()
            if runtime.closed:
                raise StopAsyncIteration
            self._next = runtime.time() + self._interval

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            waiter = self._runtime.future()
            timer = self._runtime.loop.call_later(seconds, _settle, waiter)
            try:
                await waiter
            finally:
                timer.cancel()


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def snapshot(runtime: Runtime, root: Cell, seq: int, detail: bool) -> RosterSnapshot:
    """Read the whole tree."""
    now = runtime.time()
    entries: list[RosterEntry] = []
    blocked: list[Cell] = []
    _read_tree(root, now, detail, entries, blocked)
    entries.extend(_zombie(run, *seen, now) for run, seen in runtime.zombies.items())
    if runtime.graves:
        shown = {entry.path for entry in entries}
        graves = {each.path: each for due, each in runtime.graves if due > now and each.path not in shown}
        entries.extend(picture(each, now, False) for each in graves.values())
    tasks, orphans, hosts = _foreign(runtime)
    return RosterSnapshot(
        seq, runtime.clock.now(), runtime.name, (*entries, *tasks), tuple(orphans), tuple(hosts),
        runtime.dead_letters, runtime.lag.seconds, _cycles(blocked),
    )  # fmt: skip


def _read_tree(root: Cell, now: float, detail: bool, entries: list[RosterEntry], blocked: list[Cell]) -> None:
    """All entries depth first, in start order; a resting actor's last one is taken again."""
    stack = [root]
    while stack:
        cell = stack.pop()
        run, box, kept = cell.run, cell.box, cell.entry
        same = kept is not None and not detail and kept.handled == cell.handled and not (box is not None and box.items)
        if same and (run is None or (run.current is None and not run.waiting)):
            entries.append(kept)
        else:
            entries.append(picture(cell, now, detail))
        if run is None:
            continue
        if run.waiting:
            blocked.append(cell)
        if box is not None and isinstance(run, Incarnation) and run.background is not None:
            active = run.background.active
            entries.extend(_task(cell, f"{cell.path}:{each.name}", now - each.since) for each in active)
        below = run.below()
        if below:
            stack.extend(reversed(tuple(below.values())))


def _foreign(runtime: Runtime) -> tuple[list[RosterEntry], list[str], list[str]]:
    """The loop's other tasks: those of living actors, those whose actor is gone, those of the embedding process."""
    tasks, hosts = [], []
    orphans = [name for task, name in runtime.strays.items() if not task.done()]
    for task, owner in runtime.tasks.foreign():
        if owner is None:
            hosts.append(task.get_name())
        elif owner.system is not runtime and not owner.system.closed:
            continue  # in the roster of its own system
        elif not owner.alive:
            orphans.append(f"{owner.path}:{_name(task)}")
        elif (run := life_of(owner)) is not None:
            tasks.append(_task(run.cell, f"{owner.path}:{_name(task)}", None))
    return tasks, orphans, hosts


def picture(cell: Cell, now: float, detail: bool) -> RosterEntry:
    """How one child is now."""
    run, box, parent = cell.run, cell.box, cell.parent
    at_rest = run is not None and run.current is None and not run.waiting and cell.restart_due is None and not detail
    if at_rest and box is not None and not box.items and isinstance(parent, Supervisor) and not parent.restarter.window:
        cell.entry = entry = _resting(cell, box, parent.restarter.budget)
        return entry
    depth = len(box.items) if box is not None and box.items else 0
    in_window, budget = _window(cell.parent if box is not None or run is None else run, cell, now)
    current = None if run is None else run.current
    held = registrations.get(cell) if (registrations := cell.runtime.registrations) else None
    waiting = f"{run.waiting[-1].how} {run.waiting[-1].target.path}" if run is not None and run.waiting else None
    entry = RosterEntry(
        cell.path, cell.id, cell.kind, _WORDS[cell.state], cell.health, cell.incarnation,
        cell.restarts, in_window, budget, cell.started_at, cell.state_since,
        None if current is None else type(payload(current)).__name__,
        None if current is None or not isinstance(run, Incarnation) else max(0.0, now - run.since), waiting,
        depth, 0 if box is None else box.capacity, 0 if box is None else max(box.peak, depth),
        cell.handled, cell.failed, 0 if box is None else box.dropped, cell.error, cell.error_at,
        None if cell.restart_due is None else max(0.0, cell.restart_due - now),
        cell.spec.metadata, _inspect(run) if detail else None, () if cell.runs is None else tuple(cell.runs),
        () if held is None else tuple(held.names), () if held is None else tuple(held.groups),
    )  # fmt: skip
    resting = current is None and waiting is None and not depth and cell.restart_due is None and not detail
    if resting and box is not None and not in_window:
        cell.entry = entry
    return entry


def _resting(cell: Cell, box: Queue, budget: str) -> RosterEntry:
    """An actor that waits for messages: nearly all of a large tree, so what does not apply is not even looked at."""
    held = registrations.get(cell) if (registrations := cell.runtime.registrations) else None
    runs = cell.runs
    return RosterEntry(
        cell.path, cell.id, "actor" if runs is None else "task", _WORDS[cell.state], cell.health, cell.incarnation,
        cell.restarts, 0, budget, cell.started_at, cell.state_since, None, None, None, 0, box.capacity, box.peak,
        cell.handled, cell.failed, box.dropped, cell.error, cell.error_at, None, cell.spec.metadata, None,
        () if runs is None else tuple(runs),
        () if held is None else tuple(held.names), () if held is None else tuple(held.groups),
    )  # fmt: skip


def _window(parent: object, cell: Cell, now: float) -> tuple[int, str]:
    """Restarts that count now, and the budget: a supervisor's own for its children, else the parent's."""
    if not isinstance(parent, Supervisor):
        return 0, ""
    window, budget = parent.restarter.window, parent.restarter.budget
    if not window:
        return 0, budget
    since, own = now - parent.spec.intensity.within, parent.cell is cell
    return sum(1 for at, each in window if at >= since and (own or each is cell)), budget


def _inspect(run: Any) -> dict[str, Any] | None:
    if not isinstance(run, Incarnation) or not run.ready:
        return None
    try:
        detail: dict[str, Any] = run.actor.inspect()
    except BaseException as error:  # noqa: BLE001 - one actor's faulty view of itself must not hide the others
        return {"inspect": f"failed: {type(error).__name__}"}
    return detail


def _task(cell: Cell, path: str, age: float | None) -> RosterEntry:
    """A task beside an actor's mailbox; most columns do not apply."""
    since, id = cell.state_since, path.rpartition(":")[2]  # noqa: A001 - the field's name
    return msgspec.structs.replace(
        _TASK, path=path, id=id, incarnation=cell.incarnation, started_at=since, state_since=since, handling_for_s=age
    )


def _zombie(run: Incarnation, since: float, handling: str | None, now: float) -> RosterEntry:
    """A detached life, beside the entry of the cell, which may live again."""
    return msgspec.structs.replace(
        picture(run.cell, now, False),
        path=f"{run.cell.path}#{run.number}",
        id=f"{run.cell.id}#{run.number}",
        state="zombie",
        incarnation=run.number,
        handling=handling,
        handling_for_s=now - since,
        waiting_on=None,
        names=(),
        groups=(),
    )


_WORDS = {state: state.value for state in State}  # an enumeration's own `value` costs as much as all else of a row
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_TASK = RosterEntry(
    "", "", "task", "running", Health(), 0, 0, 0, "", _LONG_AGO, _LONG_AGO, None, None, None,
    0, 0, 0, 0, 0, 0, None, None, None, {},
)  # fmt: skip


def _name(task: asyncio.Task[Any]) -> str:
    work = task.get_coro()
    return f"{task.get_name()}({getattr(work, '__qualname__', type(work).__name__)})"


def _cycles(blocked: list[Cell]) -> tuple[tuple[str, ...], ...]:
    """Each cycle of waits once."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for cell in blocked:
        run = cell.run
        for target, _, _ in run.waiting if run is not None else ():
            cells = chain(target, cell)
            if cells is not None:
                paths = tuple(each.path for each in cells)
                found.setdefault(frozenset(paths), paths)
    return tuple(found.values())
