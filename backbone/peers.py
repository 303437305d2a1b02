"""Where the actors of one backbone find each other: by their paths, so that a restart changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from actors import ActorDead, ActorRef, ActorSystem, AskRejected, AskTimeout, MailboxFull, Reject, Request

__all__ = ["UNREACHABLE", "Peers"]

R = TypeVar("R")

UNREACHABLE = (ActorDead, AskTimeout, MailboxFull)
"""What an ask raises when its target is down, restarting for too long, or overloaded."""


class Peers:
    """The actors of the backbone at `base`, a path such as "/trading/backbone"."""

    def __init__(self, system: ActorSystem, base: str) -> None:
        self.system = system
        self.base = base

    def ref(self, name: str) -> ActorRef:
        """The actor at a path below the base: "store", "stream/relay"."""
        return self.system.find(f"{self.base}/{name}")

    @property
    def store(self) -> ActorRef:
        """Owns the store."""
        return self.ref("store")

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
    """Ask on behalf of one's own asker: a refusal goes through, an unreachable target becomes "unavailable".

    Raises:
        Reject: for the own handler to raise.
    """
    try:
        return await target().ask(request, timeout)
    except AskRejected as error:
        raise Reject(error.code, error.text) from error
    except UNREACHABLE as error:
        raise Reject("unavailable", f"{error}; it is being restarted, try again in a moment") from error
