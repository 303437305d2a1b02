"""An ActorSystem for tests: seeded, on virtual stamps where the loop is virtual, and strict about left-overs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any

from actors.errors import ActorError
from actors.events import Event, Subscription
from actors.system import ActorSystem
from actors.testing.awaits import AtAwait, watch
from actors.testing.clock import VirtualClock

if TYPE_CHECKING:
    from typing import Self


class TestSystem(ActorSystem):
    """An ActorSystem that records its events and, when left, fails where a task of an actor is still alive.

    Args:
        name: as ActorSystem's.
        seed: as ActorSystem's.
        at_await: called whenever an await in an actor's own code (handler, hook or helper task) is about to come back;
            the error that it returns is raised there. None: nothing interferes.
        options: as ActorSystem's.
    """

    __test__ = False

    def __init__(
        self, name: str = "test", *, seed: int | None = 0, at_await: AtAwait | None = None, **options: Any
    ) -> None:
        super().__init__(name, seed=seed, **options)
        self._at_await = at_await
        self._record: Subscription[Event] | None = None
        self._seen: list[Any] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._clock is None and getattr(loop, "is_virtual", False):
            self._clock = VirtualClock(loop)
        await super().__aenter__()
        if self._at_await is not None:
            watch(self._opened().tasks, self._at_await)
        self._record = self.events.subscribe(capacity=100_000)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        ended = await super().__aexit__(kind, error, trace)
        left = [name for name in self.leftovers() if name]
        if left and error is None:
            raise ActorError(f"tasks outlive the system: {', '.join(left)}")
        if error is None and self._opened().faults:
            raise ActorError("the runtime itself is at fault") from self._opened().faults[0]
        return ended

    def leftovers(self) -> list[str]:
        """Names of tasks that an actor started and that are still alive, zombies made on purpose included."""
        tasks, current = self._opened().tasks, asyncio.current_task()
        known = [task.get_name() for task in tasks.tasks if not task.done() and task is not current]
        foreign = [
            task.get_name() for task, owner in tasks.foreign() if owner is not None and owner.system is self._runtime
        ]
        return known + foreign

    def recorded(self, *kinds: type) -> list[Any]:
        """All events so far, of these classes only where any are given."""
        while self._record is not None and (event := self._record.get_nowait()) is not None:
            self._seen.append(event)
        return [event for event in self._seen if not kinds or isinstance(event, kinds)]
