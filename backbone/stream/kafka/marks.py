"""A place in Kafka as a short text: of each partition the next offset, and the outbox position before it.

For example `9f86d081884c7d65;backbone.quotes:2=0.1a.2f0000,1.0.0`: of 2 partitions number 0 goes on with offset 26, and
whatever comes there of up to position 3080192 was handed out before. In topics that were made anew the offsets mean
nothing; the positions still do, where there are as many partitions: then each has the symbols that it had. Unless the
stream began again since: behind a slash stands what tells that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from aiokafka import TopicPartition

from backbone.domain.arguments import LARGEST

__all__ = ["Marks", "Spot", "passed_of", "spots_of"]

_LONGEST = 2**18  # letters; that of 10,000 partitions has fewer
_COUNT = re.compile(r"[0-9]{1,6}")
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
        generation: of the stream; offsets mean nothing to another one.
        spots: where it stands.
        line: of the stream, which it keeps where its topics are made anew.
        counts: the partitions of each topic.
    """

    def __init__(
        self,
        generation: str,
        spots: Mapping[TopicPartition, Spot],
        line: str = "",
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self._head = f"{generation}/{line}" if line else generation
        self._counts = counts or {}
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
                name = f"{topic}:{self._counts[topic]}" if topic in self._counts else topic
                self._topics[topic] = f"{name}={','.join(spots.values())}"
        return ";".join((self._head, *(self._topics[topic] for topic in self._spots)))


def spots_of(text: str, generation: str) -> dict[TopicPartition, Spot] | None:
    """What a mark says; None: it is none, or of another generation of the stream."""
    read = _read(text)
    return None if read is None or read.generation != generation else read.spots


def passed_of(text: str, line: str, counts: Mapping[str, int]) -> dict[TopicPartition, int]:
    """Of each partition the position up to which all was handed out, also where topics were made anew since.

    Args:
        text: a mark, or none.
        line: of the stream as it is now.
        counts: the partitions of each topic as they are now; where they are others, nothing is known.
    """
    read = _read(text)
    if read is None or read.line != line:
        return {}
    return {at: spot.position for at, spot in read.spots.items() if read.counts.get(at.topic) == counts.get(at.topic)}


class _Mark(NamedTuple):
    generation: str
    line: str
    counts: dict[str, int]
    spots: dict[TopicPartition, Spot]


def _read(text: str) -> _Mark | None:
    head, *topics = text.split(";") if len(text) <= _LONGEST else ("",)
    generation, _, line = head.partition("/")
    read = _Mark(generation, line, {}, {})
    for each in topics:
        name, _, listed = each.partition("=")
        topic, _, count = name.partition(":")
        if _COUNT.fullmatch(count):
            read.counts[topic] = int(count)
        for piece in listed.split(","):
            if not topic or (found := _SPOT.fullmatch(piece)) is None:
                return None
            partition, offset, position = int(found[1]), int(found[2], 16), int(found[3], 16)
            if max(offset, position) > LARGEST:
                return None
            read.spots[TopicPartition(topic, partition)] = Spot(offset, position)
    return read
