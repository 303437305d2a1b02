"""The live roster: built by reading the cells, never by messaging an actor, so a blocked tree answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from actors.cell import Cell, Health, TaskRun
from actors.deadlock import chain
from actors.incarnation import Incarnation
from actors.mailbox import payload
from actors.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.system import ActorSystem


class RosterEntry(msgspec.Struct, frozen=True, gc=False):
    """One actor, supervisor or task. Times are UTC, `_s` are seconds; counters never fall.

    `runs` are the last ones of a supervised task, oldest first.
    """

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
    runs: tuple[TaskRun, ...] = ()


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
    _read_tree(root, now, detail, entries, blocked)
    entries.extend(_zombie(run, *seen, now) for run, seen in system.zombies.items())
    if system.graves:
        shown = {entry.path for entry in entries}
        graves = {each.path: each for due, each in system.graves if due > now and each.path not in shown}
        entries.extend(each if isinstance(each, RosterEntry) else picture(each, now, False) for each in graves.values())
    tasks, orphans, hosts = _foreign(system)
    return RosterSnapshot(
        seq, system.clock.now(), system.name, (*entries, *tasks), tuple(orphans), tuple(hosts),
        system.dead_letters, system.lag.seconds, _cycles(blocked),
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
        if isinstance(run, Incarnation):
            if run.helpers is not None:
                active = run.helpers.active
                entries.extend(_task(cell, f"{cell.path}:{each.name}", now - each.since) for each in active)
            if run.children is not None:
                stack.extend(reversed(run.children.children.values()))
        else:
            stack.extend(reversed(run.children.values()))


def _foreign(system: ActorSystem) -> tuple[list[RosterEntry], list[str], list[str]]:
    """The loop's other tasks: those of living actors, those whose actor is gone, those of the embedding process."""
    tasks, hosts = [], []
    orphans = [name for task, name in system.strays.items() if not task.done()]
    for task, owner in system.tasks.foreign():
        if owner is None:
            hosts.append(task.get_name())
        elif owner.system is not system and not owner.system.closed:
            continue  # in the roster of its own system
        elif not owner.alive:
            orphans.append(f"{owner.path}:{_name(task)}")
        elif owner.run is not None:
            tasks.append(_task(owner.run.cell, f"{owner.path}:{_name(task)}", None))
    return tasks, orphans, hosts


def picture(cell: Cell, now: float, detail: bool) -> RosterEntry:
    """How one child is now."""
    run, box = cell.run, cell.box
    depth = len(box.items) if box is not None and box.items else 0
    in_window, budget = _window(run if isinstance(run, Supervisor) else cell.parent, cell, now)
    current = None if run is None else run.current
    waiting = f"{run.waiting[-1][1]} {run.waiting[-1][0].path}" if run is not None and run.waiting else None
    entry = RosterEntry(
        cell.path, cell.id, cell.kind, cell.state, cell.health, cell.incarnation,
        cell.restarts, in_window, budget, cell.started_at, cell.state_since,
        None if current is None else type(payload(current)).__name__,
        None if current is None or not isinstance(run, Incarnation) else max(0.0, now - run.since), waiting,
        depth, 0 if box is None else box.capacity, 0 if box is None else max(box.peak, depth),
        cell.handled, cell.failed, 0 if box is None else box.dropped, cell.error, cell.error_at,
        None if cell.restart_due is None else max(0.0, cell.restart_due - now),
        cell.spec.metadata, _inspect(run) if detail else None, () if cell.runs is None else tuple(cell.runs),
    )  # fmt: skip
    resting = current is None and waiting is None and not depth and cell.restart_due is None and not detail
    if resting and box is not None and not in_window:
        cell.entry = entry
    return entry


def _window(supervisor: Supervisor | None, cell: Cell, now: float) -> tuple[int, str]:
    """Restarts that count now, and the budget: a supervisor's own for its children, else the parent's."""
    if supervisor is None:
        return 0, ""
    if not supervisor.window:
        return 0, supervisor.budget
    since, own = now - supervisor.spec.intensity.within, supervisor.cell is cell
    return sum(1 for at, each in supervisor.window if at >= since and (own or each is cell)), supervisor.budget


def _inspect(run: Any) -> dict[str, Any] | None:
    if not isinstance(run, Incarnation) or not run.ready:
        return None
    try:
        return run.actor.inspect()
    except BaseException as error:  # noqa: BLE001 - one actor's faulty view of itself must not hide the others
        return {"inspect": f"failed: {type(error).__name__}"}


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
    )


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
