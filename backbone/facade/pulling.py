"""Updates for another program: a question at a time through the control socket, each answer bounded in bytes and time.

Nothing is kept here between two questions: the answer says where to go on, and the next question brings that along.
```
{"dimension": "quotes", "start": "latest"}                     → {"updates": [], "after": {"position": 7, "mark": ""}}
{"dimension": "quotes", "after": {"position": 7, "mark": ""}}  → {"updates": [{…, "payload": "…"}], "after": …}
```
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from backbone.domain import encode
from backbone.facade.subscribing import Subscribing
from backbone.stream.messages import Update
from backbone.stream.records import Place
from backbone.stream.resume import Resume

__all__ = ["Pulled", "PulledUpdate", "Pulling"]

_ANSWER_BYTES = 1024 * 1024  # beyond which no further update goes into an answer: the loop encodes it in a moment


class PulledUpdate(msgspec.Struct, frozen=True):
    """An update as another program gets it; `payload` is the frame in the columnar codec, in base64."""

    event_id: str
    position: int
    resume: str
    symbol: str
    rows: int
    payload: str


class Pulled(msgspec.Struct, frozen=True):
    """What came, and the place behind it, for the next question."""

    updates: tuple[PulledUpdate, ...]
    after: Place | None


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    dimension: str
    symbols: tuple[str, ...] = ()
    start: str | int = "latest"
    after: Place | None = None
    wait: Annotated[float, msgspec.Meta(ge=0, le=5)] = 5.0


class Pulling:
    """Answers such questions.

    Args:
        subscribing: makes subscriptions.
    """

    def __init__(self, subscribing: Subscribing) -> None:
        self._subscribing = subscribing

    async def answer(self, arguments: Mapping[str, Any]) -> bytes:
        """What comes next, as JSON.

        Raises:
            ValueError: the arguments are no question.
            BackboneError: what a subscriber would be told.
        """
        wanted = msgspec.convert(dict(arguments), _Wanted)
        start = wanted.start if wanted.after is None else wanted.after
        async with self._subscribing.subscribe(wanted.dimension, wanted.symbols, start) as subscription:
            updates = await subscription.batch(wanted.wait)
            behind = subscription.after
        pulled = _fitting(updates)
        if len(pulled) < len(updates):
            behind = Resume.parse(pulled[-1].resume)
        place = behind.place if isinstance(behind, Resume) else behind if isinstance(behind, Place) else wanted.after
        return msgspec.json.encode(Pulled(pulled, place))


def _fitting(updates: Sequence[Update]) -> tuple[PulledUpdate, ...]:
    """As many as an answer holds, one at least."""
    fitting: list[PulledUpdate] = []
    size = 0
    for each in updates:
        payload = base64.b64encode(encode(each.frame)).decode()
        size += len(payload)
        if fitting and size > _ANSWER_BYTES:
            break
        rows = each.frame.num_rows
        fitting.append(PulledUpdate(each.event_id, each.position, each.resume, each.symbol, rows, payload))
    return tuple(fitting)
