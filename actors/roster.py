"""The live roster: built by reading the cells, never by messaging an actor, so a blocked tree answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from actors.cell import Cell, Health
from actors.deadlock import chain
from actors.incarnation import Incarnation
from actors.mailbox import payload
from actors.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.system import ActorSystem


class RosterEntry(msgspec.Struct, frozen=True, gc=False):
    """One actor, supervisor or task. Times are UTC, `_s` are seconds; counters never fall."""

    path: str
    id: str
    kind: str
    state: str
    health: Health
    incarnation: int
    restarts: int
    restarts_in_window: int
    intensity: str
    started_at: datetime
    state_since: datetime
    handling: str | None
    handling_for_s: float | None
    waiting_on: str | None
    mailbox_depth: int
    mailbox_capacity: int
    mailbox_peak: int
    handled: int
    failed: int
    dropped: int
    last_error: str | None
    last_error_at: datetime | None
    next_restart_in_s: float | None
    metadata: Any
    detail: dict[str, Any] | None = None


class RosterSnapshot(msgspec.Struct, frozen=True):
    """What a system looked like at one moment. `deadlocks` are cycles of waits found in it, as paths."""

    seq: int
    captured_at: datetime
    system: str
    entries: tuple[RosterEntry, ...]
    orphans: tuple[str, ...]
    host_tasks: tuple[str, ...]
    dead_letters: int
    loop_lag_s: float
    deadlocks: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> bytes:
        """The snapshot as JSON."""
        return msgspec.json.encode(self, enc_hook=_plain)

    def find(self, path: str) -> RosterEntry | None:
        """The entry at a path."""
        return next((entry for entry in self.entries if entry.path == path), None)


class LagMeter:
    """How late the loop's timers fire: the newest and the worst of late, in seconds. It rests on a virtual clock."""

    PERIOD = 0.25

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.seconds = 0.0
        self.worst = 0.0
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        if not getattr(loop, "is_virtual", False):
            self._arm()

    def _arm(self) -> None:
        due = self._loop.time() + self.PERIOD
        self._timer = self._loop.call_at(due, self._measure, due)

    def _measure(self, due: float) -> None:
        self.seconds = max(0.0, self._loop.time() - due)
        self.worst = max(self.worst, self.seconds)
        self._arm()

    def close(self) -> None:
        """Stop measuring."""
        if self._timer is not None:
            self._timer.cancel()


class RosterWatch:
    """Async iterator over changed snapshots."""

    def __init__(self, system: ActorSystem, min_interval: float) -> None:
        self._system = system
        self._interval = min_interval
        self._seen = -1
        self._next = 0.0

    def __aiter__(self) -> AsyncIterator[RosterSnapshot]:
        return self

    async def __anext__(self) -> RosterSnapshot:
        system = self._system
        while True:
            await self._pause(self._next - system.time())
            if system.version != self._seen:
                self._seen = system.version
                self._next = system.time() + self._interval
                return system.roster()
            if system.closed:
                raise StopAsyncIteration
            self._next = system.time() + self._interval

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            waiter = self._system.future()
            timer = self._system.loop.call_later(seconds, _settle, waiter)
            try:
                await waiter
            finally:
                timer.cancel()


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def snapshot(system: ActorSystem, root: Cell, seq: int, detail: bool) -> RosterSnapshot:
    """Read the whole tree."""
    now = system.time()
    entries: list[RosterEntry] = []
    blocked: list[Cell] = []
    for cell in _walk(root):
        run = cell.run
        if run is not None and run.waiting:
            blocked.append(cell)
        entries.append(_entry(cell, now, detail))
        if isinstance(run, Incarnation) and run.helpers is not None:
            entries.extend(_task(cell, f"{cell.path}:{each.name}", now - each.since) for each in run.helpers.active)
    entries.extend(_zombie(zombie, now) for zombie in system.zombies)
    entries.extend(_entry(cell, now, False) for due, cell in system.graves if due > now)
    orphans, hosts = [], []
    for task, owner in system.tasks.foreign():
        if owner is None or owner.system is not system:
            hosts.append(task.get_name())
        elif not owner.alive:
            orphans.append(f"{owner.path}:{_name(task)}")
        elif owner.run is not None:
            entries.append(_task(owner.run.cell, f"{owner.path}:{_name(task)}", None))
    for helper, owner in system.tasks.tasks.items():
        if (
            not owner.alive
            and owner.run not in system.zombies
            and isinstance(owner.run, Incarnation)
            and owner.run.task is not helper
        ):
            orphans.append(helper.get_name())
    return RosterSnapshot(
        seq,
        system.clock.now(),
        system.name,
        tuple(entries),
        tuple(orphans),
        tuple(hosts),
        system.dead_letters,
        system.lag.seconds,
        _cycles(blocked),
    )


def _walk(cell: Cell) -> Iterator[Cell]:
    """A cell and all below it, depth first, in start order."""
    stack = [cell]
    while stack:
        cell = stack.pop()
        yield cell
        below = cell.run if cell.box is None else getattr(cell.run, "children", None)
        if isinstance(below, Supervisor):
            stack.extend(reversed(below.children.values()))


def _entry(cell: Cell, now: float, detail: bool) -> RosterEntry:
    run, box = cell.run, cell.box
    kept: RosterEntry | None = cell.entry
    depth = 0 if box is None or not box.items else len(box.items)
    if kept is not None and not depth and not detail and kept.handled == cell.handled and kept.mailbox_depth == 0:
        resting = kept.handling is None and kept.waiting_on is None
        if run is None or (resting and getattr(run, "current", None) is None and not run.waiting):
            return kept
    supervisor = run if isinstance(run, Supervisor) else cell.parent
    in_window, budget = _window(supervisor, cell, now)
    current = getattr(run, "current", None)
    waiting = f"{run.waiting[-1][1]} {run.waiting[-1][0].path}" if run is not None and run.waiting else None
    peak = 0 if box is None else max(box.peak, depth)
    entry = RosterEntry(
        cell.path,
        cell.id,
        cell.kind,
        cell.state,
        cell.health,
        cell.incarnation,
        cell.restarts,
        in_window,
        budget,
        cell.started_at,
        cell.state_since,
        None if current is None else type(payload(current)).__name__,
        None if current is None or not isinstance(run, Incarnation) else max(0.0, now - run.since),
        waiting,
        depth,
        0 if box is None else box.capacity,
        peak,
        cell.handled,
        cell.failed,
        0 if box is None else box.dropped,
        cell.error,
        cell.error_at,
        None if cell.restart_due is None else max(0.0, cell.restart_due - now),
        cell.spec.metadata,
        _inspect(run) if detail else None,
    )
    if cell.restart_due is None and not detail and not in_window:
        cell.entry = entry
    return entry


def _window(supervisor: Supervisor | None, cell: Cell, now: float) -> tuple[int, str]:
    """Restarts that count now, and the budget: a supervisor's own for its children, else the parent's."""
    if supervisor is None:
        return 0, ""
    limit = supervisor.spec.intensity
    own = supervisor.cell is cell
    counted = (
        sum(1 for at, each in supervisor.window if at >= now - limit.within and (own or each is cell))
        if supervisor.window
        else 0
    )
    return counted, f"{limit.restarts} in {limit.within:g} s"


def _inspect(run: Any) -> dict[str, Any] | None:
    if not isinstance(run, Incarnation) or not run.ready:
        return None
    try:
        return run.actor.inspect()
    except Exception as error:  # noqa: BLE001 - one actor's faulty view of itself must not hide the others
        return {"inspect": f"failed: {type(error).__name__}"}


def _task(cell: Cell, path: str, age: float | None) -> RosterEntry:
    name = path.rpartition(":")[2]
    at, none = cell.state_since, Health()
    return RosterEntry(
        path,
        name,
        "task",
        "running",
        none,
        cell.incarnation,
        0,
        0,
        "",
        at,
        at,
        None,
        age,
        None,
        0,
        0,
        0,
        0,
        0,
        0,
        None,
        None,
        None,
        {},
    )


def _zombie(run: Incarnation, now: float) -> RosterEntry:
    entry = _entry(run.cell, now, False)
    return msgspec.structs.replace(entry, state="zombie", incarnation=run.number, id=f"{run.cell.id}#{run.number}")


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
