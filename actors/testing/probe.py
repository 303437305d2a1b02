"""An actor that records what it is sent, and lets a test wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import Event, fail_after

from actors.actor import Actor
from actors.messages import Message
from actors.ref import ActorRef
from actors.specs import ChildSpec
from actors.system import ActorSystem

M = TypeVar("M", bound=Message)


class _AnyTable(dict[type, Any]):
    """Accepts every message class."""

    def __init__(self, handler: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self._handler = handler

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: type) -> Callable[[Any, Any], Any]:
        return self._handler


class _Recorder(Actor):
    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def record(self, message: Any) -> None:
        self._probe.note(message)


_Recorder.__table__ = _AnyTable(_Recorder.record)


class Probe:
    """Records messages. `probe = await Probe.start(system)`, hand out `probe.ref`, then `await probe.expect(Type)`."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.ref: ActorRef
        self._read = 0
        self._arrived = Event()

    @classmethod
    async def start(cls, system: ActorSystem, id: str = "probe", **spec: Any) -> Probe:  # noqa: A002 - the field's name
        """Start a probe as a child of the system's root; `spec`: further fields of its ChildSpec."""
        probe = cls()
        probe.ref = await system.start_child(ChildSpec(id, _Recorder, args=(probe,), **spec))
        return probe

    def note(self, message: Any) -> None:
        """Record a message."""
        self.messages.append(message)
        self._arrived.set()
        self._arrived = Event()

    def watch(self, ref: ActorRef) -> None:
        """Receive Terminated when `ref` ends."""
        run: Any = self.ref._cell.run
        run.actor.context.watch(ref)

    async def expect(self, kind: type[M], timeout: float = 3.0) -> M:
        """The next message of this class that was not expected before; others are passed over.

        Raises:
            AssertionError: none came within `timeout` seconds; says what came instead.
        """
        start = self._read
        try:
            with fail_after(timeout):
                while True:
                    while self._read < len(self.messages):
                        message = self.messages[self._read]
                        self._read += 1
                        if isinstance(message, kind):
                            return message
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} within {timeout} s; came: {self.messages[start:]!r}") from None

    async def expect_nothing(self, within: float = 1.0) -> None:
        """Fail where any message comes within so many (virtual) seconds."""
        count = len(self.messages)
        with fail_after(within + 1):
            from anyio import move_on_after

            with move_on_after(within):
                while len(self.messages) == count:
                    await self._arrived.wait()
        if len(self.messages) > count:
            raise AssertionError(f"unexpected: {self.messages[count:]!r}")
