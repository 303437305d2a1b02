"""The body of an `async with ActorSystem`: cancelled when the tree ends before it, and told why when it leaves."""

from __future__ import annotations

import asyncio

from actors.errors import SystemFailed
from actors.stop_reason import StopReason


class Body:
    """The task that entered the system, as long as it is the one that leaves it."""

    def __init__(self, name: str) -> None:
        self.stopped_inside = False  # by an actor's task: then the body is over, too, without an error
        self._name = name
        self._task = asyncio.current_task()
        self._before = 0 if self._task is None else self._task.cancelling()  # cancellations that were there before
        self._cancelled = False
        self._cause: BaseException | None = None
        self._failure: StopReason | None = None

    def aborted(self, error: BaseException) -> None:
        """KeyboardInterrupt or SystemExit in an actor: raised when the body leaves."""
        self._cause = self._cause or error
        self._cancel()

    def root_ended(self, reason: StopReason) -> None:
        """The root supervisor has ended."""
        if reason.detail.startswith("max restart") or reason.abnormal:
            self._failure = reason
            self._cancel()
        elif self.stopped_inside:
            self._cancel()

    def _cancel(self) -> None:
        task = self._task
        if task is not None and not task.done() and not self._cancelled:
            self._cancelled = True
            task.cancel(f"actor system {self._name} {'stops' if self._failure is None else 'failed'}")

    def leaving(self) -> None:
        """Whoever leaves may be another task: then the one that entered does other work by now, and is left alone."""
        if asyncio.current_task() is not self._task and not self._cancelled:
            self._task = None

    def left(self, error: BaseException | None, interrupted: asyncio.CancelledError | None) -> bool | None:
        """What leaving comes to, all being stopped: True swallows the body's own `error`.

        Args:
            error: with which the body ended.
            interrupted: a cancellation that came while the tree was being stopped.

        Raises:
            SystemFailed: the root gave up. KeyboardInterrupt, SystemExit: of an actor. CancelledError: of the host.
        """
        task = self._task
        ours = self._cancelled and task is not None and task is asyncio.current_task()
        if ours and task is not None:
            if task.cancelling() > self._before:  # also where the body has swallowed it
                task.uncancel()
            theirs = task.cancelling() > self._before and self._cause is None  # the host cancels the body as well
            if theirs and interrupted is not None:
                raise interrupted
            if theirs and isinstance(error, asyncio.CancelledError):
                return None
        elif interrupted is not None:
            raise interrupted
        if self._cause is not None:
            raise self._cause
        if self._failure is not None and (ours or not isinstance(error, GeneratorExit | asyncio.CancelledError)):
            cause = self._failure.error if isinstance(self._failure.error, BaseException) else None
            raise self.failed(self._failure, cause) from cause
        return True if ours and isinstance(error, asyncio.CancelledError) else None

    def failed(self, reason: StopReason | None, cause: BaseException | None) -> SystemFailed:
        """The error of a system whose root could not keep up."""
        return SystemFailed(f"system {self._name} failed: {reason}", path=f"/{self._name}", cause=cause)
