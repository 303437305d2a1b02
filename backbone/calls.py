"""Who is where, how one asks, and how a refusal travels: what the actors of one backbone know of each other.

An actor is found by its path, anew for each question, so that a restart changes nothing for those who ask. It refuses
by `raise refuse(error)`; who asked gets that error again by `restore`. Neither needs to know the other's room, since an
error carries its code.
"""

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
from backbone.domain.errors import BackboneError, of_code
from backbone.domain.observing import Observe

__all__ = ["PASSING", "REFUSABLE", "Calls", "refuse", "restore"]

R = TypeVar("R")

PASSING = frozenset({"busy", "unavailable", "stream_unavailable"})
"""Codes of what may be asked again later with another outcome."""

REFUSABLE = (BackboneError, ValueError)
"""What is the world's or the caller's fault: refused. Everything else is a bug, and crashes the actor."""

_INVALID = "invalid"  # a ValueError of no class of ours
_ASKED_AGAIN = 3  # a request that brings its actor down each time is given up then
_RESTARTING = 5.0  # seconds
_FIRST_PAUSE = 0.05  # seconds, doubled each time: where a supervisor is restarted, its children are gone for a moment


def refuse(error: Exception) -> Reject:
    """The Reject that carries an error across actors."""
    return Reject(error.code if isinstance(error, BackboneError) else _INVALID, str(error))


def restore(rejected: AskRejected | Reject) -> Exception:
    """The error that a Reject carried; the Reject itself where nobody knows its code."""
    kind = ValueError if rejected.code == _INVALID else of_code(rejected.code)
    return rejected if kind is None else kind(rejected.text)


class Calls:
    """The actors of the backbone at `base`, a path such as "/trading/backbone".

    Args:
        system: in which they are.
        base: where they are.
        observe: told of each request that they have dealt with; None: nobody watches.
    """

    def __init__(self, system: ActorSystem, base: str, observe: Observe | None = None) -> None:
        self.system = system
        self.base = base
        self.observe = observe
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

    def serves(self, name: str) -> bool:
        """Whether an actor runs and does not say that it failed; read without asking it."""
        try:
            ref = self.ref(name)
        except ChildNotFound:
            return False
        return ref.is_alive and ref.health.level != "failed"

    async def ask(
        self, name: str, request: Request[R], timeout: float, still_open: Callable[[], None] = lambda: None
    ) -> R:
        """Ask on behalf of one's own asker; an actor that falls over the request, or meanwhile, is asked again.

        So only what may be done twice is asked in this way: reads, and writes that know themselves again.

        Args:
            name: the actor's path below the base.
            request: what is asked.
            timeout: seconds for each try; while the actor restarts, the request waits in its mailbox.
            still_open: called before another try; raises where nobody is coming back.

        Raises:
            Reject: for the own handler to raise: the refusal itself, or "busy" or "unavailable" where there was no
                answer.
        """
        for attempt in range(_ASKED_AGAIN):
            try:
                return await self._asked(name, request, timeout)
            except (ActorDead, ChildNotFound):
                still_open()
                await anyio.sleep(_FIRST_PAUSE * 2**attempt)
            except (AskRejected, AskTimeout, MailboxFull) as error:
                raise _refusal(error) from error
        try:
            return await self._asked(name, request, timeout)
        except (ActorDead, ChildNotFound, AskRejected, AskTimeout, MailboxFull) as error:
            raise _refusal(error) from error

    async def _asked(self, name: str, request: Request[R], timeout: float) -> R:
        """Ask; one that waits for its restart is given no more time than the first of them take."""
        ref = self.ref(name)
        return await ref.ask(request, timeout if ref.is_alive else min(timeout, _RESTARTING))


def _refusal(error: Exception) -> Reject:
    if isinstance(error, AskRejected):
        return Reject(error.code, error.text)
    ref = getattr(error, "ref", None)
    if isinstance(error, AskTimeout | MailboxFull) and (ref is None or ref.is_alive):
        return Reject("busy", f"{error}; it is busy, try again when it has caught up")
    return Reject("unavailable", f"{error}; it is being restarted, try again in a moment")
