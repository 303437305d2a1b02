"""Where the actors of one backbone find each other: by their paths, so that a restart changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio

from actors import (
    ActorDead,
    ActorRef,
    ActorSystem,
    AskRejected,
    AskTimeout,
    ChildNotFound,
    MailboxFull,
    Reject,
    Request,
)

__all__ = ["Peers", "ask_through"]

R = TypeVar("R")

_ASKED_AGAIN = 3  # a request that brings its actor down each time is given up then
_RESTARTING = 5.0  # seconds
_FIRST_PAUSE = 0.05  # seconds, doubled each time: where a supervisor is restarted, its children are gone for a moment


class Peers:
    """The actors of the backbone at `base`, a path such as "/trading/backbone"."""

    def __init__(self, system: ActorSystem, base: str) -> None:
        self.system = system
        self.base = base
        self._known: dict[str, ActorRef] = {}

    def ref(self, name: str) -> ActorRef:
        """The actor at a path below the base: "store", "stream/relay".

        Raises:
            ChildNotFound: it is not there, or not yet again.
        """
        known = self._known.get(name)
        if known is None or not known.is_alive:
            known = self._known[name] = self.system.find(f"{self.base}/{name}")
        return known

    @property
    def store(self) -> ActorRef:
        """Owns the store."""
        return self.ref("store")

    @property
    def store_serves(self) -> bool:
        """Whether the store's actor runs and has not found its store down; read without asking it."""
        try:
            store = self.store
        except ChildNotFound:
            return False
        return store.is_alive and store.health.level != "failed"

    @property
    def cache(self) -> ActorRef:
        """Owns the cache; reads go through it."""
        return self.ref("cache")

    @property
    def relay(self) -> ActorRef:
        """Publishes the outbox."""
        return self.ref("stream/relay")

    @property
    def ingest(self) -> ActorRef:
        """Takes plans and live rows."""
        return self.ref("ingest")

    @property
    def retention(self) -> ActorRef:
        """Judges what is kept."""
        return self.ref("retention")


async def ask_through(target: Callable[[], ActorRef], request: Request[R], timeout: float) -> R:
    """Ask on behalf of one's own asker; an actor that falls over the request, or meanwhile, is asked again.

    So only what may be done twice is asked in this way: reads, and writes that know themselves again.

    Args:
        target: finds the actor, anew for each try.
        request: what is asked.
        timeout: seconds for each try; while the actor restarts, the request waits in its mailbox.

    Raises:
        Reject: for the own handler to raise: the refusal itself, or "busy" or "unavailable" where there was no answer.
    """
    for attempt in range(_ASKED_AGAIN):
        try:
            return await _asked(target(), request, timeout)
        except (ActorDead, ChildNotFound):
            await anyio.sleep(_FIRST_PAUSE * 2**attempt)
        except (AskRejected, AskTimeout, MailboxFull) as error:
            raise _refusal(error) from error
    try:
        return await _asked(target(), request, timeout)
    except (ActorDead, ChildNotFound, AskRejected, AskTimeout, MailboxFull) as error:
        raise _refusal(error) from error


async def _asked(ref: ActorRef, request: Request[R], timeout: float) -> R:
    """Ask; one that waits for its restart is given no more time than the first of them take."""
    return await ref.ask(request, timeout if ref.is_alive else min(timeout, _RESTARTING))


def _refusal(error: Exception) -> Reject:
    if isinstance(error, AskRejected):
        return Reject(error.code, error.text)
    ref = getattr(error, "ref", None)
    if isinstance(error, AskTimeout | MailboxFull) and (ref is None or ref.is_alive):
        return Reject("busy", f"{error}; it is busy, try again when it has caught up")
    return Reject("unavailable", f"{error}; it is being restarted, try again in a moment")
