"""How far a replay is: noted in the store before each window is sent, so that a killed one goes on with that window."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from backbone.domain.clock import MIN_US, from_us, to_us
from backbone.ingest.messages import ReplayRows

__all__ = ["Progress", "name_of"]

_RUNS, _AT, _WIDTH, _FIRST, _LAST = range(5)
_NOWHERE = 0

Numbers = dict[tuple[str, int], int]


class Progress(msgspec.Struct, frozen=True):
    """Where a replay stands.

    Attributes:
        runs: how often it was done.
        at: the first moment that was not sent yet; None: no run is under way.
        width: of the window that begins there.
        first, last: the span of the run.
    """

    runs: int = 0
    at: datetime | None = None
    width: timedelta = timedelta(0)
    first: datetime | None = None
    last: datetime | None = None

    @classmethod
    def of(cls, numbers: Numbers, topic: str) -> Progress:
        """What was noted."""
        at, first, last = (_moment(numbers.get((topic, place), _NOWHERE)) for place in (_AT, _FIRST, _LAST))
        width = timedelta(microseconds=numbers.get((topic, _WIDTH), 0))
        return cls(numbers.get((topic, _RUNS), 0), at, width, first, last)

    def numbers(self, topic: str) -> Numbers:
        """What to note."""
        return {
            (topic, _RUNS): self.runs,
            (topic, _AT): _number(self.at),
            (topic, _WIDTH): self.width // timedelta(microseconds=1),
            (topic, _FIRST): _number(self.first),
            (topic, _LAST): _number(self.last),
        }


def name_of(request: ReplayRows) -> str:
    """Names what is asked for: the same request again is the same replay, whoever asks."""
    told = msgspec.json.encode(request, order="sorted")
    return f"replay:{blake2b(told, digest_size=12).hexdigest()}"


def _number(moment: datetime | None) -> int:
    return _NOWHERE if moment is None else to_us(moment) - MIN_US + 1


def _moment(number: int) -> datetime | None:
    return None if number == _NOWHERE else from_us(number + MIN_US - 1)
