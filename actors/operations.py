"""What an operator can do to a running tree by path: look, suspend and resume, restart."""

from __future__ import annotations

from actors._core.cell import Cell, Wait, blocked_run
from actors._core.deadlock import NO_EDGE, Edges, check_ask, check_wait
from actors._core.incarnation import Incarnation
from actors._core.inspection import description
from actors._core.runtime import Runtime
from actors._core.states import State
from actors.description import Description
from actors.errors import ActorError, AskTimeout, ChildNotFound
from actors.ref import ActorRef
from actors.supervisor_ref import Administration


class Operations(Administration):
    """Shared by whatever has a root: the ActorSystem."""

    def _opened(self) -> Runtime:
        raise RuntimeError("a subclass tells which system")

    def find(self, path: str) -> ActorRef:
        """The handle of the actor at a path, whether it is alive or not: "/trading/store", or "store" below the root.

        Raises:
            ChildNotFound: nothing is listed there.
        """
        ref: ActorRef = self._cell_at(path).ref
        return ref

    def _cell_at(self, path: str) -> Cell:
        cell = self._supervisor().cell
        below_root = path.removeprefix(f"{cell.path}/") if path != cell.path else ""
        if below_root.startswith("/"):
            raise ChildNotFound(f"no actor at {path}: paths of this system begin with {cell.path}", path=path)
        for id_ in below_root.split("/") if below_root else ():
            child = None if cell.run is None else cell.run.below().get(id_)
            if child is None:
                child = cell.kept.get(id_)
            if child is None:
                raise ChildNotFound(f"no actor at {path}: {cell.path} has no child {id_!r}", path=path)
            cell = child
        return cell

    def describe(self, path: str) -> Description:
        """All that is known of the child at a path: its spec, what happened, its last error, where it waits now.

        `print(system.describe("/trading/store"))` is for reading. The actor is sent nothing, so one that hangs can be
        described as well; so can one that has gone, for as long as the roster shows it.

        Raises:
            ChildNotFound: nothing is listed there.
        """
        try:
            return description(self._cell_at(path))
        except ChildNotFound:
            root = self._supervisor().cell.path
            dead = self._opened().buried(path if path.startswith("/") else f"{root}/{path}")
            if dead is None:
                raise
            return description(dead)

    async def suspend(self, path: str, why: str = "", timeout: float | None = 5.0) -> None:
        """Have an actor take no more messages until `resume`; returns when it has nothing in hand any more.

        What is sent meanwhile waits in its mailbox, within its capacity and by its policy. Stop, kill and drain go
        through; a restart ends the suspension, which belongs to one incarnation. Twice is fine.

        Raises:
            ChildNotFound: nothing is listed there. ActorError: it is no actor, or not running; or what it had in hand
            has ended it, or somebody has resumed it meanwhile. AskTimeout: its handler still runs after `timeout`
            seconds; it is suspended all the same. DeadlockError: what it is doing waits for the caller.
        """
        cell = self._cell_at(path)
        run = self._suspendable(cell)
        check_wait(cell, "suspension")
        if run.stopping is not None or run.abort is not None:  # held, a drain would never end
            raise cell.problem(ActorError, f"is to stop ({run.abort or run.stopping}): it can't be suspended any more")
        caller = blocked_run()
        if caller is not None:
            check_ask(caller, cell)
        with NO_EDGE if caller is None else Edges((caller.waiting,), Wait(cell, "suspend")):
            rested = await self._opened().deadlines.settled(run.suspend(why), timeout)
        if not rested:
            text = f"has been at it for more than {timeout:g} s; it is suspended when that has ended"
            raise cell.problem(AskTimeout, text, elapsed=timeout)
        if run.over is not None:
            raise cell.problem(ActorError, f"has ended meanwhile ({run.over}); its next life is not suspended")
        if not run.suspended:
            raise cell.problem(ActorError, "was resumed meanwhile: it is not suspended")

    def resume(self, path: str) -> None:
        """Let a suspended actor go on; nothing happens to one that is not.

        Raises:
            ChildNotFound: nothing is listed there. ActorError: it is no actor, or not running.
        """
        self._suspendable(self._cell_at(path)).resume()

    @staticmethod
    def _suspendable(cell: Cell) -> Incarnation:
        run = cell.run
        if cell.kind != "actor":
            raise cell.problem(ActorError, f"is a {cell.kind} and has no mailbox: only actors can be suspended")
        if not isinstance(run, Incarnation) or cell.state not in (State.RUNNING, State.SUSPENDED):
            raise cell.problem(ActorError, f"is {cell.state}: only a running actor can be suspended")
        return run

    async def restart(self, path: str) -> ActorRef:
        """Stop the child at a path in order and start it again, whatever state it is in; returns when it runs.

        It alone is restarted, whatever its supervisor's strategy; its mailbox is kept and nothing counted. Once begun
        it is done as a whole, also where the caller gives up waiting.

        Raises:
            ChildNotFound: nothing is listed there. StartError: it did not come up; where it was not stopped before, its
            supervisor goes on trying as after a crash. ActorError: it is the root, or temporary. ActorDead: its
            supervisor is down or ends, or somebody has cancelled it meanwhile. DeadlockError: it is the caller, or
            above it.
        """
        cell = self._cell_at(path)
        check_wait(cell, "restart")
        parent = cell.parent
        if parent is None:
            raise cell.problem(ActorError, "is the root: it can't be restarted; stop the system and open another one")
        await parent.bounce_child(cell)
        ref: ActorRef = cell.ref
        return ref
