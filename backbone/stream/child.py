"""The stream's place in the tree, and which adapter stands behind its port, by the settings."""

from __future__ import annotations

from actors import ChildSpec, SupervisorSpec
from backbone.calls import Calls
from backbone.settings import Settings
from backbone.settings.backends import not_built
from backbone.store.errors import NotBuilt
from backbone.stream.port import Log
from backbone.stream.relay import RelayActor

__all__ = ["CONSUMERS", "child", "log", "stand_in"]

CONSUMERS = "stream/consumers"


def child(settings: Settings, calls: Calls, stream: Log) -> SupervisorSpec:
    """The relay, which publishes, and the supervisor of the consumers; without these where `stream.consume` is off."""
    limits, consume = settings.supervision, settings.stream.consume
    relay = ChildSpec(
        "relay",
        RelayActor,
        args=(stream, calls, stand_in(settings), settings.stream.poll_interval),
        shutdown=limits.shutdown,
        backoff=limits.delays(),
        metadata={"part": "stream", "consuming": "on" if consume else "off"},
    )
    consumers = SupervisorSpec("consumers", parallel_shutdown=True, intensity=limits.budget(), backoff=limits.delays())
    return SupervisorSpec(
        "stream",
        children=(relay, consumers) if consume else (relay,),
        intensity=limits.budget(),
        backoff=limits.delays(),
    )


def stand_in(settings: Settings) -> str | None:
    """Why it is less than a server; None where it is one."""
    if settings.stream.backend != "memory":
        return None
    return "gone with this process; the outbox keeps what was committed"


def log(settings: Settings) -> Log:
    """The stream. The in-process log is server and client in one: it lives as long as its backbone."""
    from backbone.stream.memory import MemoryLog

    stream = settings.stream
    if stream.backend != "memory":
        raise NotBuilt(not_built("stream", stream.backend))
    return MemoryLog(partitions=stream.partitions, capacity_bytes=stream.capacity_bytes)
