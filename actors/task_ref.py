"""The handle of a supervised task."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

from actors._core.cell import blocked_run
from actors._core.deadlock import check_wait
from actors.errors import TaskCancelled
from actors.ref import ActorRef
from actors.stop_reason import StopReason

T = TypeVar("T")


class TaskRef(ActorRef, Generic[T]):
    """The handle of a supervised task, through all of its runs."""

    __slots__ = ()

    @property
    def state(self) -> str:
        """As in the roster: "running", "backoff", "stopped" (it finished or was stopped), "failed" and others."""
        return self._cell.state

    def cancel(self) -> None:
        """Stop it for good, and do not wait: `await ref.stop()` does."""
        cell = self._cell
        if cell.parent is not None and cell.parent.children.get(cell.id) is cell:
            cell.parent.forget_child(cell)  # before its end can come, so that no restart follows that
            if cell.run is not None and cell.run.started.done():
                cell.run.request_stop(StopReason("shutdown", "cancelled"))

    async def stop(self) -> None:
        """Stop it for good. Its supervisor may be busy, even with a stop of the very task that waits here."""
        cell = self._cell
        check_wait(cell, "stop")
        if cell.in_doubt:
            raise cell.dead()
        run = cell.run
        self.cancel()
        if run is not None:
            await cell.runtime.deadlines.settled(run.exited(), None)
        if blocked_run() is None:
            await self.stopped()

    async def result(self) -> T:
        """Wait until it has ended for good and return what its last run returned.

        Raises:
            TaskCancelled: it was stopped, or ended with its supervisor. TimeoutError: its deadline, or a stall, was
            the end of it. Else what its last run raised.
        """
        reason = await self.stopped()
        cell = self._cell
        if reason.kind == "normal":
            return cast("T", cell.value)
        if isinstance(reason.error, Exception):
            raise reason.error.with_traceback(None)  # or it would grow with every caller
        if reason.kind in ("timeout", "stalled"):
            raise TimeoutError(f"{cell.path} {reason.detail}")
        raise TaskCancelled(f"{cell.path} has no result: {reason}", path=cell.path, ref=self, reason=reason)
