"""What an operator can ask of a supervisor, as it is carried out in the supervisor's own task, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors._core.cell import Cell, Life, Parent, new_cell
from actors._core.children import INTERRUPTED, ChildRunner
from actors._core.error_text import describe, words
from actors._core.restarter import Restarter
from actors._core.states import State
from actors._core.tracing import Origin
from actors.errors import (
    ActorError,
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    MaxChildren,
    StartError,
)
from actors.hooks import IGNORE
from actors.specs import Restart, Spec
from actors.stop_reason import StopReason


class Commands:
    """The commands of one supervisor.

    Args:
        parent: the supervisor, for the children that it starts.
        runner: starts and stops them.
        restarter: restarts them.
        news: the end of a child's present life, where the news of it wait in the inbox.
    """

    def __init__(
        self, parent: Parent, runner: ChildRunner, restarter: Restarter, news: Callable[[Cell], StopReason | None]
    ) -> None:
        self._parent = parent
        self._runner = runner
        self._restarter = restarter
        self._news = news

    async def start(self, spec: Spec, origin: Origin | None) -> Cell:
        """See Supervisor.start_child."""
        runner, children = self._runner, self._runner.children
        present = children.get(spec.id)
        if present is not None:
            if present.run is not None:
                raise present.problem(AlreadyStarted, "already runs; use its ref")
            raise present.problem(AlreadyPresent, f"is {present.state}; use restart_child or delete_child")
        limit = runner.spec.max_children
        if limit is not None and len(children) >= limit:
            text = f"holds {limit} children, its max_children; {spec.id} was not started"
            raise runner.cell.problem(MaxChildren, text)
        cell = children[spec.id] = new_cell(runner.runtime, self._parent, spec)
        cell.origin = origin
        outcome = await runner.bring_up(cell)
        if outcome is not None and outcome is not IGNORE:
            del children[spec.id]
        return self.started(cell, outcome)

    def started(self, cell: Cell, outcome: Any, booting: bool = False) -> Cell:
        """What a start by hand returns, or raises. A static child that fails may come back: its parent decides."""
        runner = self._runner
        end = runner.dismiss if booting else Cell.finish
        if outcome is IGNORE:
            runner.settle(cell, StopReason("normal", "declined to start"))
        elif outcome is INTERRUPTED:
            end(cell, StopReason("killed", "its start was given up"))
            raise runner.cell.dead(reason=runner.stopping)
        elif outcome is not None:
            end(cell, StopReason("crash", words(outcome), outcome), State.FAILED)
            raise _start_error(cell, outcome)
        return cell

    async def restart(self, id: str) -> Cell:  # noqa: A002 - the field's name
        """See Supervisor.restart_child."""
        cell = self._find_stopped(id)
        cell.attempts = 0
        return self.started(cell, await self._runner.bring_up(cell))

    async def bounce(self, cell: Cell) -> Cell:
        """See Supervisor.bounce_child."""
        if self._runner.children.get(cell.id) is not cell:
            raise cell.dead()
        if cell.spec.restart is Restart.TEMPORARY:
            text = "is temporary, and its arguments went when it was started: it can't be restarted; start another one"
            raise cell.problem(ActorError, text)
        was_up = cell.run is not None or cell.pending or cell.incarnation > cell.seen
        cell.attempts = 0
        await self._restarter.halt_for_restart(cell, StopReason("shutdown", "restart by hand"))
        if not cell.pending:  # it was cancelled meanwhile
            raise cell.dead()
        outcome = INTERRUPTED if self._runner.stopping is not None else await self._runner.bring_up(cell)
        if outcome is INTERRUPTED:  # by a stop of the supervisor, which ends this child as all others
            raise self._runner.cell.dead(reason=self._runner.stopping)
        if outcome is None:
            self._restarter.restarted(cell)
        elif was_up and isinstance(outcome, BaseException):
            await self._restarter.failed_again(cell, [], outcome)  # counted: it goes on as after a crash
            raise _start_error(cell, outcome)
        else:
            self.started(cell, outcome)
        self._restarter.revive_rest()  # a group may have waited for it
        return cell

    async def terminate(self, id: str) -> None:  # noqa: A002
        """See Supervisor.terminate_child."""
        await self.stop(self.find(id), False)

    async def stop(self, cell: Cell, drain: bool) -> None:
        """See Supervisor.stop_child."""
        if self._runner.children.get(cell.id) is not cell:
            return
        others = cell.pending
        run, news = cell.run, self._news(cell)
        await self._runner.halt(cell, StopReason("shutdown", "drained" if drain else "terminated"), drain or None)
        self._runner.settle(cell, own_end(cell, run, news) or StopReason("shutdown", "terminated"))
        if others:  # a group waited for it
            self._restarter.revive_rest()

    async def forget(self, cell: Cell) -> None:
        """A stop for which nobody waits: the end of the child is taken in when it comes."""
        run = cell.run
        if run is None or cell.box is None or self._runner.children.get(cell.id) is not cell:
            await self.stop(cell, False)
            return
        cell.unwanted = True
        limit = self._runner.ask_to_end(cell, run, StopReason("shutdown", "cancelled"))
        run.claimed = False  # so the news of its end does come
        if limit is not None:
            late = StopReason("killed", f"did not stop within {limit:g} s")
            timer = self._runner.runtime.loop.call_later(limit, run.kill, late)
            run.exited().add_done_callback(lambda _: timer.cancel())

    async def delete(self, id: str) -> None:  # noqa: A002
        """See Supervisor.delete_child."""
        del self._runner.children[self._find_stopped(id).id]
        self._runner.cell.kept.pop(id, None)

    def find(self, id: str) -> Cell:  # noqa: A002
        """The child of this id.

        Raises:
            ChildNotFound: names those that there are.
        """
        children, cell = self._runner.children, self._runner.children.get(id)
        if cell is None:
            text = f"has no child {id!r}; it has: {', '.join(children) or 'none'}"
            raise self._runner.cell.problem(ChildNotFound, text)
        return cell

    def _find_stopped(self, id: str) -> Cell:  # noqa: A002
        cell = self.find(id)
        if cell.run is not None or cell.incarnation > cell.seen:  # the latter: what its end leads to is still open
            raise cell.problem(ChildRunning, "runs; terminate_child first")
        if cell.pending:
            raise cell.problem(ChildRestarting, "waits for its restart; terminate_child gives that up")
        return cell


def _start_error(cell: Cell, outcome: BaseException) -> StartError:
    text = f"{cell.id} did not start: {describe(outcome)}"
    error = StartError(text, path=cell.path, child=cell.id, cause=outcome, spec=cell.spec)
    error.__cause__ = outcome
    return error


def own_end(cell: Cell, run: Life | None, news: StopReason | None) -> StopReason | None:
    """A task that returned before its stop reached it has finished, and keeps its result."""
    if news is None and run is not None:
        news = run.over
    return news if cell.runs is not None and news is not None and news.kind == "normal" else None
