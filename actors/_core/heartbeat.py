"""Stalls: work that owes a `beat()` and gives none. Not a limit on how long it takes: who beats may go on for ever."""

from __future__ import annotations

from asyncio import TimerHandle

from actors._core.cell import ActorLife
from actors.events import ActorStalled
from actors.specs import Restart
from actors.stop_reason import StopReason

_LATE = 0.02  # seconds by which a timer is late on a loop that is held up
_GRACE = 0.25  # of the timeout, for what was due meanwhile to run
_ROUNDING = 1e-6  # seconds by which a loop's timer may fire early


class Heartbeat:
    """Watches one incarnation. A message that is begun counts as a beat; an actor at rest owes none."""

    __slots__ = ("_beaten", "_due", "_forgiven", "_run", "_timeout", "_timer")

    def __init__(self, run: ActorLife, timeout: float) -> None:
        self._run = run
        self._timeout = timeout
        self._beaten = self._due = run.cell.runtime.time()
        self._forgiven = False
        self._timer: TimerHandle = self._arm(timeout)

    def beat(self) -> None:
        """It goes on."""
        self._beaten = self._run.cell.runtime.time()  # the timer finds it when it is due: a beat must cost nothing

    def close(self) -> None:
        """Watch no longer."""
        self._timer.cancel()

    def _arm(self, seconds: float) -> TimerHandle:
        loop = self._run.cell.runtime.loop
        self._due = loop.time() + seconds
        return loop.call_at(self._due, self._look)

    def _look(self) -> None:
        run = self._run
        if run.over is not None or run.abort is not None or run.stopping is not None:
            return  # it ends already, and how long that may take is another limit
        late = run.cell.runtime.loop.time() - self._due
        if late > _LATE and not self._forgiven:  # somebody has held up the whole loop, this work as well
            self._forgiven = True
            self._timer = self._arm(self._timeout * _GRACE)
            return
        self._forgiven = False
        # a message that was begun counts as a beat: what is measured is silence while there is work
        busy = run.busy_since()
        quiet = 0.0 if busy is None else run.cell.runtime.time() - max(busy, self._beaten)
        if quiet + _ROUNDING < self._timeout:
            self._timer = self._arm(self._timeout - quiet)
        else:
            self._stalled(quiet)

    def _stalled(self, quiet: float) -> None:
        run, cell = self._run, self._run.cell
        doing = cell.activity()
        text = f"no beat within its stall_timeout of {self._timeout:g} s, while {doing}"
        cell.publish(ActorStalled, incarnation=run.number, quiet_s=quiet, doing=doing)
        cell.report_health(
            "failed",
            why=text,
            next="it is interrupted and ends"
            if cell.spec.restart is Restart.TEMPORARY
            else "it is interrupted and restarted",
            action="see in the roster what it waits on; beat() more often, or give it a longer stall_timeout",
        )
        run.kill(StopReason("stalled", text))
