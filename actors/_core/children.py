"""The children of one supervisor, started and stopped one at a time. Who is restarted, `restarter` decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from actors._core import restarts
from actors._core.cell import Cell, Life, Wait
from actors._core.deadlock import Edges
from actors._core.error_text import causes, describe, words
from actors._core.incarnation import Incarnation
from actors._core.states import State
from actors._core.tasks import absorb_cancellation
from actors.events import HealthChanged
from actors.roster import HEALTHY
from actors.specs import ChildSpec, Restart, Shutdown, SupervisorSpec
from actors.stop_reason import StopReason

INTERRUPTED = object()  # outcome of a start that its caller gave up, or that a stop overtook


class ChildRunner:
    """The children of one life of a supervisor, or of an actor (`host`) that has children.

    Args:
        cell: of the supervisor; of the host, where there is one.
        spec: its policy.
        host: the actor whose children they are.
        make: begins a life of a child.
        cancelled: called where somebody outside the runtime has cancelled the supervisor's task.
    """

    def __init__(
        self,
        cell: Cell,
        spec: SupervisorSpec,
        host: Incarnation | None,
        make: Callable[[Cell], Life],
        cancelled: Callable[[], None],
    ) -> None:
        self.cell = cell
        self.spec = spec
        self.host = host
        self.runtime = cell.runtime
        self.children: dict[str, Cell] = {}
        self.waiting: list[Wait] = []
        self.host_waits: list[Wait] = []  # while the host waits for the supervisor: then it waits for the child, too
        self.stopping: StopReason | None = None
        self.brutal = False
        self._make = make
        self._cancelled = cancelled

    def _awaiting(self, child: Cell, how: str) -> Edges:
        """Show that this supervisor waits for a child, and so does its host while that waits for the supervisor."""
        if self.host is not None and self.host_waits:
            return Edges((self.waiting, self.host.waiting), Wait(child, how))
        return Edges((self.waiting,), Wait(child, how))

    async def bring_up(self, cell: Cell) -> Any:
        """Start an incarnation and wait: None, IGNORE, INTERRUPTED or the exception that its start failed with."""
        cell.incarnation += 1  # before anything can fail: a failed start is a life of its own, and its number is seen
        cell.cancel_restart()
        cell.open()
        if cell.health.level != HEALTHY.level:
            cell.publish(HealthChanged, level=HEALTHY.level, why="", next="", action="")
        cell.health = HEALTHY  # what the former life said of itself is over
        cell.mark(State.STARTING)
        cell.started_at = cell.state_since
        cell.run = run = self._make(cell)
        timeout = cell.spec.start_timeout
        self.runtime.deadlines.add(run.started, timeout, lambda: TimeoutError(f"on_start took longer than {timeout} s"))
        outcome: Any
        with self._awaiting(cell, "start"):
            outcome = await self._outcome(run.started)
        if outcome is None:
            cell.started_time = self.runtime.time()
            cell.started_at = cell.state_since
            if cell.spec.restart is Restart.TEMPORARY and isinstance(cell.spec, ChildSpec):
                cell.spec = replace(cell.spec, args=(), kwargs={})  # never started again: let its arguments go
            return None
        if isinstance(outcome, BaseException):
            cell.error, cell.error_at = describe(outcome), self.runtime.clock.now()
            cell.error_chain = causes(outcome)
        # whoever fails to start is ended here, and its news must not come through the inbox as well
        run.claimed = True
        cell.seen = cell.incarnation
        if outcome is INTERRUPTED and cell.box is None:
            await self.halt(cell, StopReason("shutdown", "its start was given up"))
        elif outcome is INTERRUPTED:
            run.kill(StopReason("killed", "its start was given up"))
        elif isinstance(outcome, TimeoutError):
            run.kill(StopReason("timeout", words(outcome)))
        await self._ended(run)
        return outcome

    async def _outcome(self, started: asyncio.Future[Any]) -> Any:
        try:
            return await started
        except TimeoutError as error:
            return error
        except asyncio.CancelledError:
            absorb_cancellation()
            self._cancelled()
            # awaiting a future directly cancels it with the task: then nobody has answered yet
            return INTERRUPTED if started.cancelled() else started.exception() or started.result()

    async def _ended(self, run: Life, limit: float | None = None) -> bool:
        """Wait for the end of a life, whoever cancels this task; False: it took longer than `limit` seconds."""
        return await self.runtime.deadlines.outlasted(run.exited(), limit, self._cancelled)

    async def halt(self, cell: Cell, reason: StopReason, drain: bool | None = None) -> None:
        """Stop a child within its shutdown time; after that it is killed, and a zombie is let go.

        It drains its mailbox where told to, or (None) where its spec says so.
        """
        cell.cancel_restart()
        cell.seen = cell.incarnation  # news of this life that are still in the inbox are dealt with by this
        run = cell.run
        if run is None:
            return
        with self._awaiting(cell, "stop"):
            limit = self.ask_to_end(cell, run, reason, drain)
            if not await self._ended(run, limit):
                run.kill(StopReason("killed", f"did not stop within {limit:g} s"))
                await self._ended(run)  # bounded: the kill lets go of it after kill_timeout

    def ask_to_end(self, cell: Cell, run: Life, reason: StopReason, drain: bool | None = None) -> float | None:
        """Send the stop, or the kill where it is brutal; returns the seconds that it may take, None: no limit."""
        run.claimed = True
        shutdown = cell.spec.shutdown
        if self.brutal or shutdown is Shutdown.BRUTAL:
            run.kill(StopReason("killed", "brutal shutdown"))
            return None
        if drain is None:
            drain = isinstance(cell.spec, ChildSpec) and cell.spec.drain_on_stop
        run.request_stop(reason, drain)
        return float(shutdown) if isinstance(shutdown, int | float) else None

    def settle(self, cell: Cell, reason: StopReason, state: State = State.STOPPED) -> None:
        """A child has ended and nobody will restart it: listed without a ref, or gone if temporary."""
        cell.finish(reason, state)
        if cell.spec.restart is Restart.TEMPORARY and self.children.get(cell.id) is cell:
            del self.children[cell.id]
            cell.bury()

    def dismiss(self, cell: Cell, reason: StopReason, state: State = State.STOPPED) -> None:
        """A child ends with its supervisor; a static one may come back with it, so whoever watches it waits."""
        cell.finish(reason, state, in_doubt=self.cell.kept.get(cell.id) is cell)

    def auto_shutdown(self, cell: Cell) -> None:
        """A child has ended for good: where it was significant, that may end the supervisor."""
        if not cell.spec.significant:
            return
        left = any(each.spec.significant and (each.run or each.pending) for each in self.children.values())
        if restarts.ends_supervisor(self.spec.auto_shutdown, left):
            self.stopping = StopReason("shutdown", f"auto-shutdown: significant child {cell.id} ended")
