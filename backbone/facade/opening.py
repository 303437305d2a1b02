"""How a backbone is opened: what it is made of, what a failed start says, and what holds it while it is open."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, ExitStack
from types import TracebackType
from typing import Generic, TypeVar

from actors import ActorSystem, AskRejected, ChildNotFound, Reject, StartError
from backbone.cache import child as cache
from backbone.cache.at_hand import AtHand
from backbone.calls import restore
from backbone.domain.errors import BackboneClosed
from backbone.facade.tree import Resources
from backbone.operations.gate import child as gate
from backbone.settings import Settings
from backbone.store import child as store
from backbone.store.errors import StoreUnavailable
from backbone.stream import child as stream
from backbone.stream.last import Newest

__all__ = ["Opening", "cause_of", "require_running", "resources"]

T = TypeVar("T")


def resources(settings: Settings, system: ActorSystem, stack: ExitStack) -> Resources:
    """What the actors share with their later incarnations; `stack` lets go of it.

    Raises:
        SettingsError: a server that is required or chosen has no address. NotBuilt: its adapter does not exist yet.
    """
    clock = system.clock if settings.store.inline else None  # deterministic: all go by one clock
    stores = store.factory(settings, clock=None if clock is None else clock.now)
    stack.callback(stores.close)
    caches = cache.factory(settings, clock=None if clock is None else clock.time)
    gates = gate.board(settings, system)
    stack.callback(gates.close)
    return Resources(
        stores=stores,
        caches=caches,
        at_hand=AtHand(),
        stream=stream.adapter(settings),
        newest=Newest(),
        gates=gates,
    )


def require_running(system: ActorSystem, path: str) -> None:
    """Refuse where the host has ended the actor system, or the backbone in it: neither comes back by itself.

    Raises:
        BackboneClosed: it has.
    """
    if not system.ref.is_alive:
        raise BackboneClosed("the actor system has ended, and this backbone with it; open another one in a new system")
    try:
        if system.find(path).is_alive:
            return
    except ChildNotFound:
        return  # its name is free for a moment while it is restarted; where it was deleted, whoever waits is told soon
    entry = system.roster().find(path)
    if entry is not None and entry.state == "stopped":
        raise BackboneClosed("this backbone was stopped in its actor system; open another one")


def cause_of(error: StartError) -> BaseException:
    """The error at the bottom of failed starts: a child of a child that did not start."""
    cause: BaseException = error
    while isinstance(cause, StartError) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, AskRejected | Reject):
        return restore(cause)
    if isinstance(cause, TimeoutError):
        return StoreUnavailable(f"{error.child}: {cause}")
    return cause


class Opening(AbstractAsyncContextManager[T], Generic[T]):
    """What `open` gives. It is held by what it opened: one entered by hand would be closed as garbage at once."""

    def __init__(self, opened: AbstractAsyncContextManager[T]) -> None:
        self._opened = opened

    async def __aenter__(self) -> T:
        opened = await self._opened.__aenter__()
        opened._opening = self  # type: ignore[attr-defined]
        return opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._opened.__aexit__(kind, error, trace)
