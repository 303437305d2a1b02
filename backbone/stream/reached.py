"""How far the database has come: what readers of a stream that others may write to hold a position against."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from actors import Reject
from backbone.calls import Calls
from backbone.store.messages import ReadReached
from backbone.store.records import Reached
from backbone.stream.errors import StreamUnavailable
from backbone.stream.joint import Joint

__all__ = ["reached_by", "require_told"]

_TIMEOUT = 2.0


def reached_by(calls: Calls) -> Callable[[int], Awaitable[int]]:
    """Asks the store for the newest position; one question for all who ask at the same time.

    What is on the stream was committed before, so an answer to a later question is never smaller than its position. But
    a standby may lag behind the server on which that was: what it has not come to it may have in a moment, so there one
    waits.
    """
    joint = Joint(partial(calls.ask, "store", ReadReached(), _TIMEOUT), (Reject,))

    async def reached(claimed: int) -> int:
        try:
            status: Reached = await joint.ask()
        except Reject as reject:
            text = f"the store does not say how far it has come, by which others' records are told: {reject.text}"
            raise StreamUnavailable(text) from reject
        require_told(status, claimed)
        return status.newest

    return reached


def require_told(status: Reached, claimed: int) -> None:
    """Refuse to conclude from a standby that the database has not come to a position.

    Raises:
        StreamUnavailable: one answers that has not come there yet.
    """
    if status.standby and claimed > status.newest:
        text = f"position {claimed} given; the standby that answers has only come to {status.newest}, and may lag"
        raise StreamUnavailable(f"{text}; it is asked again, or give store.url the primary")
