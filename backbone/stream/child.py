"""The stream's place in the tree, and which adapter stands behind its port, by the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from actors import ChildSpec, Mailbox, SupervisorSpec
from backbone.calls import Calls
from backbone.settings import Settings
from backbone.settings.sections.stream import StreamSettings
from backbone.store.messages import SHARED_STREAM, STREAM
from backbone.stream.consumer import ConsumerActor
from backbone.stream.errors import StreamUnavailable
from backbone.stream.keeper import TopicsActor
from backbone.stream.last import LastActor, Newest
from backbone.stream.port import Doubting, Stream
from backbone.stream.provisioned import Provisioned
from backbone.stream.reached import reached_by
from backbone.stream.relay import RelayActor
from backbone.stream.topics import Topics

__all__ = ["CONSUMER", "TOPICS", "adapter", "child", "sink_of", "stand_in", "topics_of"]

CONSUMER = "stream/consumer"
TOPICS = "stream/topics"
_QUESTIONS = 4096  # that may wait: one for each subscription, and more after a restart


def child(settings: Settings, calls: Calls, stream: Stream, newest: Newest) -> SupervisorSpec:
    """The relay, which publishes, what feeds `last`, and the consumer; without this where `stream.consume` is off."""
    limits, consume = settings.supervision, settings.stream.consume
    if isinstance(stream, Doubting):
        stream.hold_against(reached_by(calls))
    relay = ChildSpec(
        "relay",
        RelayActor,
        args=(stream, calls, stand_in(settings), settings.stream.poll_interval),
        kwargs={"observe": calls.observe, "linger": settings.stream.linger if stream.shared else 0.0},
        shutdown=limits.shutdown,
        backoff=limits.delays(),
        metadata={"part": "stream", "consuming": "on" if consume else "off"},
    )
    last = ChildSpec(
        "last",
        LastActor,
        args=(stream, calls, newest),
        kwargs={"inline": settings.store.inline},
        shutdown=limits.shutdown,
        backoff=limits.delays(),
    )
    consumer = ChildSpec(
        "consumer",
        ConsumerActor,
        args=(stream, calls),
        kwargs={"observe": calls.observe},
        shutdown=limits.shutdown,
        backoff=limits.delays(),
        mailbox=Mailbox(capacity=_QUESTIONS),
    )
    children = (*_keeper(settings, calls), relay, last)
    return SupervisorSpec(
        "stream",
        children=(*children, consumer) if consume else children,
        intensity=limits.budget(),
        backoff=limits.delays(),
    )


def _keeper(settings: Settings, calls: Calls) -> tuple[ChildSpec, ...]:
    """Who sees to it that there are topics, before the relay asks for them; nobody where there are none."""
    make, limits = topics_of(settings), settings.supervision
    if make is None:
        return ()
    return (
        ChildSpec(
            "topics",
            TopicsActor,
            args=(make, calls),
            kwargs={"create": settings.stream.create_topics},
            shutdown=limits.shutdown,
            backoff=limits.delays(),
            metadata={"part": "stream"},
        ),
    )


def topics_of(settings: Settings) -> Callable[[bool], Awaitable[Provisioned]] | None:
    """Looks for the topics on the brokers, and makes them unless it is a dry run; None where the stream has none."""
    if settings.stream.backend != "kafka":
        return None
    _kafka(settings.stream)  # refuses where its client is not installed

    async def provisioned(dry_run: bool) -> Provisioned:
        from backbone.stream.kafka.connection import Connection
        from backbone.stream.kafka.provisioning import provision

        topics = Topics.of(settings.stream)
        return await provision(Connection.of(settings.stream), topics, dry_run=dry_run)

    return provisioned


def stand_in(settings: Settings) -> str | None:
    """Why it is less than a server; None where it is one."""
    if settings.stream.backend != "memory":
        return None
    return "gone with this process; the outbox keeps what was committed"


def sink_of(settings: Settings) -> str:
    """By whose cursor the store knows how far the stream is."""
    return STREAM if settings.stream.backend == "memory" else SHARED_STREAM


def adapter(settings: Settings) -> Stream:
    """The stream; what it makes connects. The in-process one lives as long as its backbone."""
    stream = settings.stream
    if stream.backend == "kafka":
        return _kafka(stream)
    from backbone.stream.memory import MemoryStream

    return MemoryStream(partitions=stream.partitions, capacity_bytes=stream.capacity_bytes)


def _kafka(settings: StreamSettings) -> Stream:
    try:
        from backbone.stream.kafka.stream import KafkaStream
    except ImportError as error:
        text = (
            f"stream.backend is kafka, but its client is not installed: {error}; pip install 'aiokafka>=0.14' cramjam"
        )
        raise StreamUnavailable(text) from error
    return KafkaStream(settings)
