"""Cuts what is to be published into rounds, of which each has one batch for a partition at most."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from aiokafka.structs import TopicPartition

from backbone.stream.records import Envelope

__all__ = ["cut", "rounds"]

T = TypeVar("T")

_ROUND_BYTES: Final = 2 * 2**20  # more at once would hold others up for longer than it is quicker
_HEADERS_BYTES: Final = 256


def rounds(
    changes: Iterable[tuple[TopicPartition, Envelope]], batch_bytes: int
) -> list[dict[TopicPartition, list[Envelope]]]:
    """The changes of each partition in their order; see `cut`.

    Args:
        changes: with the partition of each.
        batch_bytes: of a batch at most, before it is compressed.
    """
    return cut(((place, _size(each), each) for place, each in changes), batch_bytes)


def _size(envelope: Envelope) -> int:
    return len(envelope.payload) + len(envelope.symbol) + _HEADERS_BYTES


def cut(messages: Iterable[tuple[TopicPartition, int, T]], batch_bytes: int) -> list[dict[TopicPartition, list[T]]]:
    """Messages of each partition in their order; a batch, or a round, is larger than its bound with one of them only.

    Args:
        messages: with the partition and the bytes of each.
        batch_bytes: of a batch at most, before it is compressed.
    """
    made: list[dict[TopicPartition, list[T]]] = []
    totals: list[int] = []
    last: dict[TopicPartition, tuple[int, int]] = {}  # the round that its changes have come to, and the bytes there
    for place, size, message in messages:
        number, used = last.get(place, (0, 0))
        if used and used + size > batch_bytes:
            number, used = number + 1, 0
        while number < len(made) and totals[number] + size > _ROUND_BYTES:
            number, used = number + 1, 0
        if number == len(made):
            made.append({})
            totals.append(0)
        made[number].setdefault(place, []).append(message)
        totals[number] += size
        last[place] = number, used + size
    return made
