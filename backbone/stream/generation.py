"""Which life of the database positions are of: a restored one may give the same positions to other changes."""

from __future__ import annotations

from actors import Reject
from backbone.calls import Calls
from backbone.store.messages import ProbeStore

__all__ = ["database_generation"]


async def database_generation(calls: Calls, timeout: float) -> str:
    """The generation that the store says it has; "" where it says none, or does not answer.

    Args:
        calls: where the store is.
        timeout: seconds to wait for the store.
    """
    try:
        info = await calls.ask("store", ProbeStore(), timeout)
    except Reject:
        return ""
    return info.generation
