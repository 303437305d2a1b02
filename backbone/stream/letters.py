"""Messages that nobody can read: whole, with where they lay and what is wrong, until somebody has stored them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from backbone.store.records import DeadLetter

__all__ = ["GROUP", "Letters", "Message"]

GROUP: Final = "backbone"
"""The group that dead letters of the stream are of: all processes read the same, and one letter is enough."""

_MOST = 1000
_MOST_BYTES = 16 * 2**20
_LONGEST_REASON = 1000
_PACKED = b"\x00backbone-message-1\n"


class Message(msgspec.Struct, frozen=True, array_like=True):
    """A message of the stream with all that it came with.

    Attributes:
        key: None: it had none.
        value: None: it had none.
        headers: in the order in which they came.
    """

    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def packed(self) -> bytes:
        """As the payload of a dead letter."""
        return _PACKED + msgspec.msgpack.encode(self)

    @classmethod
    def unpacked(cls, payload: bytes) -> Message:
        """What a dead letter holds; bytes that are no packed message are the value of one."""
        if payload.startswith(_PACKED):
            try:
                return msgspec.msgpack.decode(payload[len(_PACKED) :], type=cls)
            except msgspec.DecodeError:
                pass
        return cls(value=payload)


class Letters:
    """What waits to be stored. Where the store is away for long, the newest are only counted: they are in the stream.

    Attributes:
        came: messages that nobody could read.
        lost: of these, how many were not kept, since too many waited.
        told: is called when one came; None: nobody is.
    """

    def __init__(self) -> None:
        self.came = self.lost = 0
        self.told: Callable[[], None] | None = None
        self._waiting: dict[tuple[str, int, int], DeadLetter] = {}
        self._bytes = 0

    def add(self, at: tuple[str, int], offset: int, reason: str, message: Message) -> None:
        """Keep a message, by topic, partition and offset; one that waits already is the same."""
        (topic, partition), payload = at, message.packed()
        place = topic, partition, offset
        if place in self._waiting:
            return
        self.came += 1
        if len(self._waiting) >= _MOST or self._bytes + len(payload) > _MOST_BYTES:
            self.lost += 1
            return
        now = datetime.now(UTC)
        self._waiting[place] = DeadLetter(GROUP, topic, partition, offset, reason[:_LONGEST_REASON], payload, now)
        self._bytes += len(payload)
        if self.told is not None:
            self.told()

    def take_over(self, other: Letters) -> None:
        """Have what waits in others, and what they counted, here instead."""
        self.came, self.lost = self.came + other.came, self.lost + other.lost
        self._waiting = {**other._waiting, **self._waiting}
        self._bytes = sum(len(each.payload) for each in self._waiting.values())

    def inspect(self) -> dict[str, int]:
        """Counts for the roster; none where nothing came."""
        return {"dead_letters": self.came, "dead_letters_lost": self.lost} if self.came else {}

    @property
    def waiting(self) -> Sequence[DeadLetter]:
        """What is to be stored."""
        return tuple(self._waiting.values())

    def stored(self, letters: Collection[DeadLetter]) -> None:
        """Forget what is safe now."""
        for each in letters:
            if self._waiting.pop((each.topic, each.partition, each.offset), None) is not None:
                self._bytes -= len(each.payload)
