"""What the end of a child leads to: nothing, a restart now or later, of a group where the strategy says so, or the end.

The decisions are pure and stand in `restarts`; here they are carried out, one at a time, in the supervisor's task.

For example children a, b, c under rest_for_one, and b crashes: `ended(b)` counts one restart, c is halted and waits
(`pending`), and `due(b)` brings up b, then c. Where b's start fails, `failed_again` counts one more and tries later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from actors._core import restarts
from actors._core.cell import Cell
from actors._core.children import INTERRUPTED, ChildRunner
from actors._core.error_text import describe
from actors._core.states import State
from actors.events import ActorRestarted, ActorRestarting, IntensityExceeded
from actors.hooks import IGNORE
from actors.specs import Intensity, Restart, Strategy
from actors.stop_reason import StopReason


class Restarter:
    """Restarts the children of one supervisor.

    Args:
        runner: starts and stops them.
        later: queues `due(cell)` in the supervisor's inbox, so that commands and a stop get in between.
    """

    def __init__(self, runner: ChildRunner, later: Callable[[Cell | None], None]) -> None:
        self.window: deque[tuple[float, Cell]] = deque()
        self._runner = runner
        self._runtime = runner.runtime
        self._later = later
        self.budget = _written(runner.spec.intensity)

    def allow(self, intensity: Intensity) -> None:
        """Another budget from now on; what lies in the window counts."""
        self._runner.spec = replace(self._runner.spec, intensity=intensity)
        self.budget = _written(intensity)
        for cell in (self._runner.cell, *self._runner.children.values()):
            cell.entry = None  # the roster's picture shows the budget
        self._runtime.version += 1

    async def ended(self, cell: Cell, number: int, reason: StopReason) -> None:
        """A life of `cell` is over, for this reason: the only place where that leads to a restart."""
        runner = self._runner
        # a life that was stopped by a command or a group restart has been dealt with there: old news
        if number <= cell.seen or runner.children.get(cell.id) is not cell:
            return
        cell.seen = number
        if cell.unwanted:
            end = reason if reason.kind == "normal" else StopReason("shutdown", "cancelled")
            runner.settle(cell, end)
        elif restarts.comes_back(cell.spec.restart, reason):
            await self._restart(cell, reason)
        else:
            runner.settle(cell, reason, State.FAILED if reason.abnormal else State.STOPPED)
            runner.auto_shutdown(cell)

    async def _restart(self, cell: Cell, reason: StopReason) -> None:
        delay = self._planned(cell, reason)
        if delay is None:
            return
        cell.pending = True  # before the group is halted: a stop of this child in between must find that it waits
        cell.open()  # it comes back, though it may have told itself to stop before it crashed
        await self._halt_group(self._group(cell), cell)
        await self._restart_in(cell, delay)

    def _group(self, cell: Cell) -> list[Cell]:
        """The others that restart with `cell`; those stopped by hand or ended well stay so."""
        runner = self._runner
        others = restarts.group(runner.spec.strategy, list(runner.children.values()), cell)
        # one that has just died has no run any more, but its news wait in the inbox: it belongs to this restart
        return [each for each in others if each.run or each.pending or each.incarnation > each.seen]

    async def _halt_group(self, cells: list[Cell], offender: Cell) -> None:
        """Stop those that restart with another one, in reverse; what is queued waits for their next lives."""
        runner = self._runner
        for cell in reversed(cells):
            reason = StopReason("shutdown", f"restart of {offender.id}")
            if cell.spec.restart is Restart.TEMPORARY:
                await runner.halt(cell, reason)
                runner.settle(cell, reason)
            else:
                await self.halt_for_restart(cell, reason)

    async def halt_for_restart(self, cell: Cell, reason: StopReason) -> None:
        """Stop a child that is to come up again: its mailbox is kept, not drained."""
        await self._runner.halt(cell, reason, drain=False)
        if cell.unwanted:  # somebody has cancelled it meanwhile
            self._runner.settle(cell, StopReason("shutdown", "cancelled"))
            return
        cell.pending = True
        cell.open()  # it may have told itself to stop

    async def _restart_in(self, cell: Cell, delay: float) -> None:
        number = cell.incarnation
        cell.publish(ActorRestarting, incarnation=number, delay=delay, attempt=cell.attempts)
        if delay <= 0:
            await self.due(cell)
            return
        cell.restart_due = self._runtime.time() + delay
        cell.restart_timer = self._runtime.loop.call_later(delay, self._later, cell)
        cell.mark(State.BACKOFF)

    async def due(self, cell: Cell | None) -> None:
        """Start what waits for it: one child, or the rest of a group in list order; None: whoever waits."""
        if cell is not None and (not cell.pending or self._runner.children.get(cell.id) is not cell):
            return  # it was started, stopped or deleted by hand meanwhile
        if cell is not None:
            cell.restart_due = None
        up: list[Cell] = []
        for each in self._waiting(cell):
            if self._runner.stopping is not None:
                return
            outcome = await self._runner.bring_up(each)
            if outcome is None:
                up.append(each)
                self.restarted(each)
            elif outcome is IGNORE:
                self._runner.settle(each, StopReason("normal", "declined to start"))
            elif outcome is not INTERRUPTED:
                await self.failed_again(each, up, outcome)
                return

    def restarted(self, cell: Cell) -> None:
        """A later life of it runs."""
        cell.restarts += 1
        number, count = cell.incarnation, cell.restarts
        cell.publish(ActorRestarted, incarnation=number, restarts=count)

    def _waiting(self, cell: Cell | None) -> list[Cell]:
        """Those that come up now that `cell` is due."""
        strategy = self._runner.spec.strategy
        if strategy is Strategy.ONE_FOR_ONE:
            return [] if cell is None else [cell]
        waiting = [each for each in self._runner.children.values() if each.pending]
        if strategy is Strategy.REST_FOR_ONE and waiting and waiting[0] is not cell and waiting[0].restart_due:
            return []  # it depends on an earlier one whose delay still runs, and comes up with that
        return waiting

    async def failed_again(self, cell: Cell, up: list[Cell], error: BaseException) -> None:
        """A restart failed: count it and queue the next try, so that commands get in between.

        Of a group, `up` have been restarted in the same try.
        """
        cell.pending = True
        if self._runner.stopping is not None:  # a stop came while the failed life ended: its reason stays
            return
        delay = self._planned(cell, StopReason("crash", describe(error), error))
        if delay is None:
            return
        if self._runner.spec.strategy is Strategy.ONE_FOR_ALL:
            await self._halt_group(up, cell)
        if delay > 0:
            await self._restart_in(cell, delay)
        else:
            cell.mark(State.BACKOFF)
            self._later(cell)  # not a loop here: a start that always fails would never let a command in

    def revive_rest(self) -> None:
        """The child for which a group waited won't come up: start the others, unless another one's delay is running."""
        waiting = [each for each in self._runner.children.values() if each.pending]
        if waiting and not any(each.restart_due for each in waiting):
            self._later(None)

    def _planned(self, cell: Cell, reason: StopReason) -> float | None:
        """Seconds until the restart; None where there is none: this child, or this supervisor, gives up."""
        # `pending`: it has not been up since the restart before, so its old start says nothing of its health
        healthy = self._runtime.time() - cell.started_time if cell.started_time and not cell.pending else None
        chance = self._runtime.random.random() if cell.spec.backoff is not None else 0.0
        delay, cell.attempts = restarts.next_delay(cell.spec.backoff, cell.attempts, healthy, chance)
        if delay is not None:
            return delay if self._within_budget(cell, reason) else None
        self._runner.settle(cell, reason, State.FAILED)
        self._runner.auto_shutdown(cell)
        self.revive_rest()
        return None

    def _within_budget(self, cell: Cell, reason: StopReason) -> bool:
        """Count one restart; over the intensity, the supervisor ends."""
        runner, limit = self._runner, self._runner.spec.intensity
        runner.cell.entry = None
        if restarts.within_budget(self.window, limit, self._runtime.time(), cell):
            return True
        budget = f"more than {limit.restarts} restarts within {limit.within:g} s"
        text = f"max restart intensity: {budget}, last of {cell.id}: {reason}"
        facts: dict[str, Any] = {"restarts": len(self.window), "within": limit.within, "reason": reason}
        runner.cell.publish(IntensityExceeded, offender=cell.path, **facts)
        runner.dismiss(cell, reason, State.FAILED)
        runner.stopping = StopReason("shutdown" if runner.host is None else "intensity", text, reason.error)
        return False


def _written(intensity: Intensity) -> str:
    return f"{intensity.restarts} in {intensity.within:g} s"
