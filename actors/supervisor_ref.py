"""The administration of a supervisor's children, by its ref or by the system."""

from __future__ import annotations

from typing import Any, overload

import msgspec

from actors._core.cell import Cell
from actors._core.deadlock import check_wait
from actors._core.states import State
from actors._core.supervisor import Supervisor
from actors.ref import ActorRef
from actors.specs import ChildSpec, Intensity, Restart, Spec, SupervisorSpec, TaskSpec, check_intensity
from actors.task_ref import TaskRef


class ChildInfo(msgspec.Struct, frozen=True):
    """A child as its supervisor sees it. `ref` is None while no incarnation is alive."""

    id: str
    ref: ActorRef | None
    kind: str
    state: str
    restart: Restart


class ChildCount(msgspec.Struct, frozen=True):
    """How many specs a supervisor holds, and how many of them are alive now."""

    specs: int
    active: int
    supervisors: int
    workers: int


class Administration:
    """The administration of a supervisor's children; shared by refs and systems."""

    __slots__ = ()

    def _supervisor(self) -> Supervisor:
        raise RuntimeError("a subclass tells which supervisor")

    @overload
    async def start_child(self, spec: TaskSpec) -> TaskRef[Any]: ...
    @overload
    async def start_child(self, spec: ChildSpec) -> ActorRef: ...
    @overload
    async def start_child(self, spec: SupervisorSpec) -> SupervisorRef: ...
    async def start_child(self, spec: Spec) -> ActorRef:
        """Start a child; returns when its on_start has returned. The ref of one that declined is not alive.

        Raises:
            SpecError, AlreadyStarted, AlreadyPresent, MaxChildren, StartError, ActorDead.
        """
        cell = await self._supervisor().start_child(spec)
        ref: ActorRef = cell.ref
        return ref

    async def restart_child(self, id: str) -> ActorRef:  # noqa: A002 - the field's name
        """Start a stopped child again, by its spec; nothing is counted."""
        cell = await self._supervisor().restart_child(id)
        ref: ActorRef = cell.ref
        return ref

    async def terminate_child(self, id: str) -> None:  # noqa: A002
        """Stop a child in order; its spec stays (a temporary one's goes). Twice is fine."""
        supervisor = self._supervisor()
        cell = supervisor.children.get(id)
        if cell is not None:
            check_wait(cell, "terminate")
        await supervisor.terminate_child(id)

    async def delete_child(self, id: str) -> None:  # noqa: A002
        """Forget the spec of a stopped child."""
        await self._supervisor().delete_child(id)

    async def get_spec(self, id: str) -> Spec:  # noqa: A002
        """The spec of a child; the arguments of a temporary one that runs are gone.

        Raises:
            ChildNotFound: no child has this id.
        """
        return self._supervisor().commands.find(id).spec

    async def set_intensity(self, intensity: Intensity) -> None:
        """Another restart budget from now on; restarts that lie in its window count.

        When this supervisor is itself restarted, the budget in its spec holds again.

        Raises:
            SpecError: negative restarts, or an empty period.
        """
        supervisor = self._supervisor()
        check_intensity(f"{supervisor.cell.path}: ", intensity)
        supervisor.allow(intensity)

    async def which_children(self) -> tuple[ChildInfo, ...]:
        """All children in start order, read at once."""
        return tuple(
            ChildInfo(cell.id, cell.ref if cell.alive else None, cell.kind, _word(cell), cell.spec.restart)
            for cell in self._supervisor().children.values()
        )

    async def count_children(self) -> ChildCount:
        """Counts of the children, read at once."""
        cells = tuple(self._supervisor().children.values())
        supervisors = sum(1 for cell in cells if cell.box is None)
        active = sum(1 for cell in cells if cell.alive)
        return ChildCount(len(cells), active, supervisors, len(cells) - supervisors)


def _word(cell: Cell) -> str:
    """A child's state; that it waits for its restart is said in one word, whatever it waits for."""
    waits = cell.pending and cell.state in (State.BACKOFF, State.STARTING, State.FAILED)
    return "restarting" if waits else cell.state.value


class SupervisorRef(Administration, ActorRef):
    """The handle of a supervisor."""

    __slots__ = ()

    def _supervisor(self) -> Supervisor:
        run = self._cell.run
        if not isinstance(run, Supervisor) or self._cell.closed is not None:
            raise self._cell.dead()
        return run


def ref_of(cell: Cell) -> ActorRef:
    """The handle of a new cell."""
    if cell.box is None:
        return SupervisorRef(cell)
    return ActorRef(cell) if cell.runs is None else TaskRef(cell)
