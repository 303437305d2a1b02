"""How far the database has come: what readers of a stream that others may write to hold a position against."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from actors import Reject
from backbone.calls import Calls
from backbone.store.messages import OutboxState
from backbone.stream.errors import StreamUnavailable
from backbone.stream.joint import Joint

__all__ = ["reached_by"]

_TIMEOUT = 2.0


def reached_by(calls: Calls) -> Callable[[], Awaitable[int]]:
    """Asks the store for the newest position; one question for all who ask at the same time.

    What is on the stream was committed before, so an answer to a later question is never smaller than its position.
    """
    joint = Joint(partial(calls.ask, "store", OutboxState(), _TIMEOUT), (Reject,))

    async def reached() -> int:
        try:
            return int((await joint.ask()).newest)
        except Reject as reject:
            text = f"the store does not say how far it has come, by which others' records are told: {reject.text}"
            raise StreamUnavailable(text) from reject

    return reached
