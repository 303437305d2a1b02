"""What a relay leaves behind: the cursor up to which all is published, and the lease."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from actors import ActorError, ActorRef
from backbone.store.messages import LeaveLease
from backbone.stream.past import Past
from backbone.stream.tenure import Tenure

__all__ = ["leave"]

_SECONDS: Final = 1.0  # for each of the two


async def leave(store: ActorRef, past: Past, tenure: Tenure, cursor: int) -> None:
    """Note the cursor and let go of the lease; what the store does not take costs the next relay a look, no change.

    Args:
        store: its actor.
        past: what is known of the database.
        tenure: whose cursor it is.
        cursor: up to where all is published.
    """
    with suppress(ActorError):
        if cursor > past.noted and not past.kept and past.agrees:
            await store.ask(past.moved_to(cursor), _SECONDS)
        if tenure.shared:
            await store.ask(LeaveLease(tenure.sink), _SECONDS)
