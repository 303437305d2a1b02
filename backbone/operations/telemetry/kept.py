"""The newest events, for who asks from outside: numbered, so that a gap is seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

__all__ = ["Kept", "Page"]

_BYTES = 8 * 2**20
_PAGE = 200


class _Entry(NamedTuple):
    number: int
    type: str
    value: bytes


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What comes after a number.

    Attributes:
        session: of the backbone that was asked: numbers of another one mean nothing here.
        events: in order, each with its `number`.
        next: what to ask for then.
        lost: events after the number given that are no longer kept, of whatever kind.
    """

    session: str
    events: Sequence[msgspec.Raw]
    next: int
    lost: int


class Kept:
    """A ring of events.

    Args:
        session: names this run of the backbone.
        capacity: events at most; and never more than 8 MiB.
    """

    def __init__(self, session: str, capacity: int) -> None:
        self._session = session
        self._capacity = capacity
        self._entries: deque[_Entry] = deque()
        self._bytes = 0
        self._newest = 0

    def add(self, kind: str, value: bytes) -> None:
        """Keep an event, as JSON; the oldest give way."""
        self._newest += 1
        self._entries.append(_Entry(self._newest, kind, value))
        self._bytes += len(value)
        while len(self._entries) > self._capacity or (self._bytes > _BYTES and len(self._entries) > 1):
            self._bytes -= len(self._entries.popleft().value)

    def after(self, number: int | None, kinds: Sequence[str] = (), limit: int = _PAGE) -> Page:
        """What was told after a number.

        Args:
            number: None: all that is kept.
            kinds: only these, or those below them (`telemetry.cache` and `telemetry.cache.health`); empty: all.
            limit: events at most.
        """
        oldest = self._newest - len(self._entries) + 1
        number = oldest - 1 if number is None else min(number, self._newest)
        found: list[msgspec.Raw] = []
        reached = max(number, oldest - 1)
        for entry in self._entries:
            if entry.number <= reached:
                continue
            if len(found) >= limit:
                break
            reached = entry.number
            if not kinds or any(f"{entry.type}.".startswith(f"{kind}.") for kind in kinds):
                comma = b"" if entry.value == b"{}" else b","
                found.append(msgspec.Raw(b'{"number":%d%s%s' % (entry.number, comma, entry.value[1:])))
        lost = max(oldest - 1 - number, 0)
        return Page(session=self._session, events=found, next=reached, lost=lost)
