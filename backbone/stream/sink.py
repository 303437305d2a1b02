"""The port of a sink: a way to topics for what is no change of the outbox, such as telemetry and rows sent again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from backbone.stream.errors import StreamError

__all__ = ["Outgoing", "Sink", "TopicRefuses"]


class TopicRefuses(StreamError):
    """A topic does not take a record, and will not take it later: it is too large, or there is no such topic.

    Nothing of the call was noted as sent. Leave it, or create the topic and send again.
    """

    code = "topic_refuses"


class Outgoing(NamedTuple):
    """One record: records of one key stay in order. What was none where it came from is sent as none."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Sink(Protocol):
    """Sends records to topics. It connects by itself where it is not connected, and again after a failure.

    Every call ends within some seconds, by itself: a sink has time-outs of its own.
    """

    async def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Append records in the order given; returns once all of them are safe where the topic keeps them.

        Raises:
            StreamUnavailable: not all of them are known to be there. Send all of them again.
            TopicRefuses: it does not take them, and will not.
        """
        ...

    async def close(self) -> None:
        """Give back what the sink holds, within a bound; a later `publish` connects again."""
        ...
