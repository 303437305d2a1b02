"""The administration of a supervisor's children, by its ref or by the system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import msgspec

from actors.deadlock import check_wait
from actors.ref import ActorRef
from actors.specs import ChildSpec, Restart, Spec, SupervisorSpec, TaskSpec

if TYPE_CHECKING:
    from actors.supervisor import Supervisor
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


class Children:
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
        supervisor = self._supervisor()
        supervisor.check(spec)
        ref: ActorRef = await supervisor.call("start", spec)
        return ref

    async def restart_child(self, id: str) -> ActorRef:  # noqa: A002 - the field's name
        """Start a stopped child again, by its spec; nothing is counted."""
        ref: ActorRef = await self._supervisor().call("restart", id)
        return ref

    async def terminate_child(self, id: str) -> None:  # noqa: A002
        """Stop a child in order; its spec stays (a temporary one's goes). Twice is fine."""
        supervisor = self._supervisor()
        cell = supervisor.children.get(id)
        if cell is not None:
            check_wait(cell, "terminate")
        await supervisor.call("terminate", id)

    async def delete_child(self, id: str) -> None:  # noqa: A002
        """Forget the spec of a stopped child."""
        await self._supervisor().call("delete", id)

    async def which_children(self) -> tuple[ChildInfo, ...]:
        """All children in start order, read at once."""
        return self._supervisor().which()

    async def count_children(self) -> ChildCount:
        """Counts of the children, read at once."""
        return self._supervisor().count()


class SupervisorRef(Children, ActorRef):
    """The handle of a supervisor."""

    __slots__ = ()

    def _supervisor(self) -> Supervisor:
        run = self._cell.run
        if run is None or self._cell.closed is not None:
            raise self._cell.dead()
        return run  # type: ignore[return-value]
