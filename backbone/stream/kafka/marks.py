"""A place in Kafka as a short text: of each partition the next offset, and the outbox position before it.

For example `9f86d081884c7d65;backbone.quotes=0.1a.2f0000,1.0.0`: partition 0 goes on with offset 26, and whatever comes
there of up to position 3080192 was handed out before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from aiokafka import TopicPartition

from backbone.domain.arguments import LARGEST

__all__ = ["Marks", "Spot", "spots_of"]

_LONGEST = 2**18  # letters; that of 10,000 partitions has fewer
_SPOT = re.compile(r"([0-9]{1,6})\.([0-9a-f]{1,16})\.([0-9a-f]{1,16})")


class Spot(NamedTuple):
    """Where one stands in a partition.

    Attributes:
        offset: the next one.
        position: what comes of up to this outbox position was handed out before.
    """

    offset: int
    position: int


class Marks:
    """The text of a place that moves on one partition at a time: what stays is not spelled again.

    Args:
        generation: of the stream; the text means nothing to another one.
        spots: where it stands.
    """

    def __init__(self, generation: str, spots: Mapping[TopicPartition, Spot]) -> None:
        self._generation = generation
        self._spots: dict[str, dict[int, str]] = {}
        self._topics: dict[str, str] = {}
        for at, spot in sorted(spots.items()):
            self.put(at, spot)

    def put(self, at: TopicPartition, spot: Spot) -> None:
        """Move on in one partition."""
        text = f"{at.partition}.{spot.offset:x}.{spot.position:x}"
        self._spots.setdefault(at.topic, {})[at.partition] = text
        self._topics.pop(at.topic, None)

    def text(self) -> str:
        """The place as it is now."""
        for topic, spots in self._spots.items():
            if topic not in self._topics:
                self._topics[topic] = f"{topic}={','.join(spots.values())}"
        return ";".join((self._generation, *(self._topics[topic] for topic in self._spots)))


def spots_of(text: str, generation: str) -> dict[TopicPartition, Spot] | None:
    """What a mark says; None: it is none, or of another generation of the stream."""
    head, *topics = text.split(";") if len(text) <= _LONGEST else ("",)
    if head != generation:
        return None
    spots: dict[TopicPartition, Spot] = {}
    for each in topics:
        topic, _, listed = each.partition("=")
        for piece in listed.split(","):
            if not topic or (found := _SPOT.fullmatch(piece)) is None:
                return None
            partition, offset, position = int(found[1]), int(found[2], 16), int(found[3], 16)
            if max(offset, position) > LARGEST:
                return None
            spots[TopicPartition(topic, partition)] = Spot(offset, position)
    return spots
