"""The scope around an author's code by which a kill reaches it, even where it refuses to be cancelled."""

from __future__ import annotations

import asyncio
from types import TracebackType

from anyio import CancelScope

_ROUNDS = 10  # turns of the loop for which a cancellation is repeated at every await
_FIRST_REST = 0.1  # seconds of rest after them; each further one is twice as long


class KillScope:
    """A context in which code can be cancelled at every await, by a scope of anyio.

    A scope repeats its cancellation in every turn of the loop, which spins where code swallows it. So a second scope
    inside shields the code after a few turns, and lets the cancellation through again after ever longer rests.
    """

    __slots__ = ("_closed", "_inner", "_outer", "_released")

    def __init__(self) -> None:
        self._outer = CancelScope()
        self._inner = CancelScope()
        self._closed = self._released = False

    def __enter__(self) -> None:
        self._outer.__enter__()
        self._inner.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._closed = True  # first: a press that is due in this turn must not touch a scope that is being left
        self._inner.__exit__(kind, error, trace)
        return bool(self._outer.__exit__(kind, error, trace))

    def cancel(self) -> None:
        """Interrupt the code at its next await, and again where it goes on."""
        if not self._outer.cancel_called:
            self._outer.cancel()
            # by turns, not by time: code that swallows the cancellation gets _ROUNDS awaits, however fast they are
            loop = asyncio.get_running_loop()
            loop.call_soon(self._press, loop, _ROUNDS, _FIRST_REST)

    def release(self) -> None:
        """Let the code go: it is not interrupted any more."""
        # a shield, not the end of the scope: a scope can be left only by the task that entered it, which hangs
        self._released = self._inner.shield = True

    def _press(self, loop: asyncio.AbstractEventLoop, rounds: int, rest: float) -> None:
        if self._closed or self._released:
            return
        if rounds:
            loop.call_soon(self._press, loop, rounds - 1, rest)
        else:
            self._inner.shield = True
            loop.call_later(rest, self._again, loop, rest * 2)

    def _again(self, loop: asyncio.AbstractEventLoop, rest: float) -> None:
        if not self._closed and not self._released:
            self._inner.shield = False
            self._press(loop, _ROUNDS, rest)
