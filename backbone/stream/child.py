"""The stream's place in the tree, and which adapter stands behind its port, by the settings."""

from __future__ import annotations

from actors import ChildSpec, Mailbox, SupervisorSpec
from backbone.calls import Calls
from backbone.settings import Settings
from backbone.settings.backends import not_built
from backbone.store.errors import NotBuilt
from backbone.stream.consumer import ConsumerActor
from backbone.stream.last import LastActor, Newest
from backbone.stream.port import Stream
from backbone.stream.relay import RelayActor

__all__ = ["CONSUMER", "adapter", "child", "stand_in"]

CONSUMER = "stream/consumer"
_QUESTIONS = 4096  # that may wait: one for each subscription, and more after a restart


def child(settings: Settings, calls: Calls, stream: Stream, newest: Newest) -> SupervisorSpec:
    """The relay, which publishes, what feeds `last`, and the consumer; without this where `stream.consume` is off."""
    limits, consume = settings.supervision, settings.stream.consume
    relay = ChildSpec(
        "relay",
        RelayActor,
        args=(stream, calls, stand_in(settings), settings.stream.poll_interval),
        kwargs={"observe": calls.observe},
        shutdown=limits.shutdown,
        backoff=limits.delays(),
        metadata={"part": "stream", "consuming": "on" if consume else "off"},
    )
    last = ChildSpec("last", LastActor, args=(stream, calls, newest), shutdown=limits.shutdown, backoff=limits.delays())
    consumer = ChildSpec(
        "consumer",
        ConsumerActor,
        args=(stream, calls),
        kwargs={"observe": calls.observe},
        shutdown=limits.shutdown,
        backoff=limits.delays(),
        mailbox=Mailbox(capacity=_QUESTIONS),
    )
    return SupervisorSpec(
        "stream",
        children=(relay, last, consumer) if consume else (relay, last),
        intensity=limits.budget(),
        backoff=limits.delays(),
    )


def stand_in(settings: Settings) -> str | None:
    """Why it is less than a server; None where it is one."""
    if settings.stream.backend != "memory":
        return None
    return "gone with this process; the outbox keeps what was committed"


def adapter(settings: Settings) -> Stream:
    """The stream; what it makes connects. The in-process one lives as long as its backbone."""
    from backbone.stream.memory import MemoryStream

    stream = settings.stream
    if stream.backend != "memory":
        raise NotBuilt(not_built("stream", stream.backend))
    return MemoryStream(partitions=stream.partitions, capacity_bytes=stream.capacity_bytes)
