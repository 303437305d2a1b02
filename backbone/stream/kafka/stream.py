"""The stream on Kafka: what publishes to it and what reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.publisher import KafkaPublisher
from backbone.stream.topics import Topics

if TYPE_CHECKING:
    from backbone.stream.kafka.tails import Tails
    from backbone.stream.port import Subscriber

__all__ = ["KafkaStream"]


class KafkaStream:
    """Topics on brokers, which outlive this object; its publishers and subscribers come and go.

    Subscribers read by one client together, whoever of them comes and goes.

    Args:
        settings: the stream's section.
    """

    ordered = False
    shared = True

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._connection = Connection.of(settings)
        self._topics = Topics.of(settings)
        self._judge = Judge(self._topics)
        self._tails: Tails | None = None

    def hold_against(self, reached: Callable[[int], Awaitable[int]]) -> None:
        """Hold positions that are read against how far the database has come."""
        self._judge.reached = reached

    def publisher(self) -> KafkaPublisher:
        """A new publisher, not open yet."""
        return KafkaPublisher(self._connection, self._topics, self._settings, self._judge)

    def subscriber(self) -> Subscriber:
        """A new subscriber, not open yet; it reads with the others."""
        from backbone.stream.kafka.subscriber import KafkaSubscriber
        from backbone.stream.kafka.tails import tails_of

        if self._tails is None:
            self._tails = tails_of(self._connection, self._topics, self._judge)
        subscriber: Subscriber = KafkaSubscriber(self._connection, self._topics, self._judge, self._tails)
        return subscriber
