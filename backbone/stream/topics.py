"""Which topic carries which dimension, and how each is made: by default one `backbone.<name>` for each dimension.

```python
topics = Topics.of(settings.stream)
topics.name(Dimension.QUOTES)  # "backbone.quotes"
topics.dimension_of("backbone.quotes")  # Dimension.QUOTES
```
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from backbone.domain.dimension import Dimension
from backbone.settings.sections.stream import StreamSettings, message_bytes

__all__ = ["Topics"]

_KEPT = MappingProxyType({"cleanup.policy": "compact", "segment.ms": "3600000", "segment.bytes": "1048576"})
"""Of the control topic: the newest record of each key stays, whatever its age."""
_TOLD = 64 * 1024
"""Bytes that a dead letter has beside the message that it was: where that lay, and what is wrong."""


class _Topic(NamedTuple):
    dimension: Dimension | None
    partitions: int
    replication: int
    config: Mapping[str, str]


class Topics:
    """The topics of one stream.

    Args:
        made: by name, what is known of each topic.
        message_bytes: bytes of a batch at most, on all of them; a client must be able to send and read so many.
        control: the name of the one that carries no rows: where the stream began again last (partition 0), and what
            probes write (partition 1). It has to be made like the others.
        dead_letters: the name of the one to which dead letters are sent, which nobody here reads; None: there is none.
    """

    def __init__(
        self, made: Mapping[str, _Topic], message_bytes: int, control: str, dead_letters: str | None = None
    ) -> None:
        self._made = made
        self._names = {topic.dimension: name for name, topic in made.items() if topic.dimension is not None}
        self.message_bytes = message_bytes
        self.control = control
        self.dead_letters = dead_letters

    @classmethod
    def of(cls, stream: StreamSettings) -> Topics:
        """Those that the settings describe; what a dimension says of its own comes before what is said of all."""
        largest = message_bytes(stream.max_payload_bytes, stream.batch_bytes)
        made = {}
        for dimension in Dimension:
            own = stream.topic_of(dimension)
            if own.publish:
                replication = own.replication_factor or stream.replication_factor
                config = {**_needed(largest, replication), **stream.topic_config, **own.config}
                made[own.topic or stream.topic.format(dimension=dimension)] = _Topic(
                    dimension, own.partitions or stream.partitions, replication, MappingProxyType(config)
                )
        control = stream.topic.format(dimension="control")
        config = {**_needed(largest, stream.replication_factor), **_KEPT}
        made[control] = _Topic(None, 2, stream.replication_factor, MappingProxyType(config))
        dead_letters = _dead_letters(stream, largest)
        return cls({**made, **dead_letters}, largest, control, next(iter(dead_letters), None))

    @classmethod
    def plain(cls, stream: StreamSettings, names: Iterable[str]) -> Topics:
        """Topics that carry no rows, of one partition each."""
        largest = message_bytes(stream.max_payload_bytes, stream.batch_bytes)
        config = MappingProxyType({**_needed(largest, stream.replication_factor), **stream.topic_config})
        return cls({name: _Topic(None, 1, stream.replication_factor, config) for name in names}, largest, "")

    @property
    def names(self) -> tuple[str, ...]:
        """All topics that carry rows, in the order of dimensions."""
        return tuple(self._names.values())

    @property
    def needed(self) -> tuple[str, ...]:
        """The same and that of control: without them nothing is published or read."""
        return tuple(name for name in self._made if name != self.dead_letters)

    @property
    def all(self) -> tuple[str, ...]:
        """The same and that of dead letters: what is to be made."""
        return tuple(self._made)

    def name(self, dimension: Dimension) -> str | None:
        """The topic of a dimension; None: it is not published."""
        return self._names.get(dimension)

    def dimension_of(self, topic: str) -> Dimension | None:
        """The dimension that a topic carries; None: it is no topic of ours."""
        made = self._made.get(topic)
        return None if made is None else made.dimension

    def partitions(self, topic: str) -> int:
        """How many partitions a topic is created with; one that exists may have others."""
        return self._made[topic].partitions

    def replication(self, topic: str) -> int:
        """On how many brokers a copy of a topic is kept."""
        return self._made[topic].replication

    def config(self, topic: str) -> Mapping[str, str]:
        """The configuration a topic is created with, by the broker's names."""
        return self._made[topic].config


def _dead_letters(stream: StreamSettings, largest: int) -> Mapping[str, _Topic]:
    own = stream.dlq
    if not own.publish:
        return {}
    replication = own.replication_factor or stream.replication_factor
    config = {**_needed(largest + _TOLD, replication), **stream.topic_config, **own.config}
    name = own.topic or stream.topic.format(dimension="dlq")
    return {name: _Topic(None, own.partitions or stream.partitions, replication, MappingProxyType(config))}


def _needed(largest: int, replication: int) -> Mapping[str, str]:
    """What holds unless the settings say otherwise.

    Records expire and are not compacted, for a symbol has many; the largest batch fits; and where there are copies
    enough, what is acknowledged is on two brokers.
    """
    needed = {"cleanup.policy": "delete", "max.message.bytes": str(largest)}
    return needed if replication < 3 else {**needed, "min.insync.replicas": "2"}
