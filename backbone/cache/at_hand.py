"""What the cache has at hand in this process: read without a message to its actor, who keeps it current.

The actor and who reads run on one loop, and what is read here is what the actor would answer at the same moment: an
invalidation that it has acknowledged holds here, too. Where there is nothing to be had without waiting, the actor is
asked.
"""

from __future__ import annotations

from collections.abc import Callable

from anyio.lowlevel import checkpoint

from actors import ActorRef
from backbone.cache.messages import Fetched
from backbone.store.records import Query

__all__ = ["AtHand"]

Look = Callable[[Query, int], Fetched | None]
"""Gives a window that includes an outbox position, at once; None: it is not at hand."""


class AtHand:
    """What the actor shows as long as it runs, and others read. It outlives the actor's incarnations."""

    def __init__(self) -> None:
        self._shown: tuple[ActorRef, int, Look] | None = None

    def show(self, ref: ActorRef, look: Look) -> None:
        """From now on this incarnation says what is at hand; once it has ended, nothing is."""
        self._shown = ref, ref.incarnation, look

    async def window(self, query: Query, at_least: int) -> Fetched | None:
        """A window that includes the outbox position `at_least`; None: ask for it.

        Others have their turn of the loop first: who reads without end keeps nobody from it, and what the store's actor
        was told before this is known.
        """
        await checkpoint()
        if self._shown is None:
            return None
        ref, incarnation, look = self._shown
        return look(query, at_least) if ref.is_alive and ref.incarnation == incarnation else None
