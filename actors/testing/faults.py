"""Actors that misbehave on purpose, and faults for one's own actors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import anyio

from actors.actor import Actor
from actors.stop_reason import StopReason


class Fault(RuntimeError):
    """An injected failure."""


class Faults:
    """Makes factories of faulty actors out of sound ones: `ChildSpec("a", Faults.crash_on(Counter, nth=3))`.

    Counts are kept in the factory, so they go on across incarnations.
    """

    @staticmethod
    def crash_on(actor: type[Actor], nth: int = 1, error: Callable[[], BaseException] | None = None) -> _Factory:
        """Crash at the nth message that any incarnation handles; later ones pass."""
        return _Factory(actor, handle=lambda count: _raise(error) if count == nth else None)

    @staticmethod
    def flaky(actor: type[Actor], probability: float, seed: int = 0) -> _Factory:
        """Crash at each message with this probability; the same seed gives the same run."""
        chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
        return _Factory(actor, handle=lambda _: _raise(None) if chance.random() < probability else None)

    @staticmethod
    def init_failure(actor: type[Actor], times: int = 1) -> _Factory:
        """Fail in on_start for the first `times` incarnations."""
        return _Factory(actor, start=lambda count: _raise(None) if count <= times else None)

    @staticmethod
    def hang_on(actor: type[Actor], nth: int = 1) -> _Factory:
        """At the nth message wait for ever; a kill ends it."""
        return _Factory(actor, handle=lambda count: anyio.sleep_forever() if count == nth else None)

    @staticmethod
    def swallow_cancellation(actor: type[Actor], nth: int = 1, release: asyncio.Event | None = None) -> _Factory:
        """At the nth message refuse every cancellation (a zombie) until `release` is set."""
        return _Factory(actor, handle=lambda count: _swallow(release) if count == nth else None)

    @staticmethod
    def slow_stop(actor: type[Actor], seconds: float) -> _Factory:
        """Take so long in on_stop."""
        return _Factory(actor, stop=lambda: anyio.sleep(seconds))


class _Factory:
    """Makes instances of a subclass whose handlers and hooks pass through the fault first."""

    def __init__(
        self,
        actor: type[Actor],
        handle: Callable[[int], Any] | None = None,
        start: Callable[[int], Any] | None = None,
        stop: Callable[[], Any] | None = None,
    ) -> None:
        self.handled = 0
        self.started = 0
        self.made: type[Actor] = type(actor.__name__, (actor,), self._hooks(actor, start, stop))
        if handle is not None:
            self.made.__table__ = {kind: self._through(method, handle) for kind, method in actor.__table__.items()}
        self.__table__ = self.made.__table__

    def __call__(self, *args: Any, **kwargs: Any) -> Actor:
        instance: Actor = self.made(*args, **kwargs)
        return instance

    def _through(self, method: Callable[[Any, Any], Any], fault: Callable[[int], Any]) -> Callable[[Any, Any], Any]:
        async def handler(actor: Any, message: Any) -> Any:
            self.handled += 1
            await _maybe(fault(self.handled))
            return await _maybe(method(actor, message))

        return handler

    def _hooks(
        self, actor: type[Actor], start: Callable[[int], Any] | None, stop: Callable[[], Any] | None
    ) -> dict[str, Any]:
        hooks: dict[str, Any] = {}
        if start is not None:

            async def on_start(instance: Actor) -> Any:
                self.started += 1
                await _maybe(start(self.started))
                return await actor.on_start(instance)

            hooks["on_start"] = on_start
        if stop is not None:

            async def on_stop(instance: Actor, reason: StopReason) -> None:
                await _maybe(stop())
                await actor.on_stop(instance, reason)

            hooks["on_stop"] = on_stop
        return hooks


async def _maybe(result: Any) -> Any:
    return await result if asyncio.iscoroutine(result) else result


def _raise(error: Callable[[], BaseException] | None) -> None:
    raise Fault("injected") if error is None else error()


async def _swallow(release: asyncio.Event | None) -> None:
    release = release or asyncio.Event()
    while not release.is_set():
        try:
            await release.wait()
        except asyncio.CancelledError:
            continue
