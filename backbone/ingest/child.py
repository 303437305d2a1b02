"""The places of ingest and of replays in the tree."""

from __future__ import annotations

from actors import ChildSpec, Mailbox
from backbone.calls import Calls
from backbone.ingest.actor import IngestActor
from backbone.ingest.journal import unwritten
from backbone.ingest.schedule import SchedulerActor
from backbone.ingest.schedule_book import ScheduleBook
from backbone.ingest.sharing import Sharing
from backbone.settings import Settings

__all__ = ["child", "replay", "scheduler"]

_SEND_TIMEOUT = 10.0


def child(settings: Settings, calls: Calls) -> ChildSpec:
    """The actor that takes plans and live rows; what it has begun and not journalled yet outlives a crash of it."""
    attempts: dict[str, int] = {}
    return ChildSpec(
        "ingest",
        IngestActor,
        args=(calls, settings, attempts, unwritten(), Sharing()),
        kwargs={"observe": calls.observe},
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
        mailbox=Mailbox(capacity=4096),
    )


def scheduler(settings: Settings, calls: Calls) -> ChildSpec:
    """The actor that carries out market runs, also by schedule; what is known of them outlives a crash of it."""
    chosen = settings.schedule
    return ChildSpec(
        "scheduler",
        SchedulerActor,
        args=(calls, settings, ScheduleBook(chosen)),
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
        metadata={
            "component": "ingest.scheduler",
            "interval_s": chosen.interval if chosen.enabled else None,
            "jitter_s": chosen.jitter,
            "max_failures": chosen.max_failures,
        },
    )


def replay(settings: Settings, calls: Calls) -> ChildSpec | None:
    """The actor that sends stored rows to topics again; None where the stream has none that others could read."""
    if settings.stream.backend != "kafka":
        return None
    from backbone.ingest.replay import ReplayActor
    from backbone.stream.kafka.connection import Connection
    from backbone.stream.kafka.sink import KafkaSink
    from backbone.stream.topics import Topics

    stream = settings.stream
    topics = Topics.of(stream)
    sink = KafkaSink(Connection.of(stream), timeout=_SEND_TIMEOUT)
    return ChildSpec(
        "replay",
        ReplayActor,
        args=(calls, sink, topics.name, topics.names, stream.max_payload_bytes, settings.hash, calls.observe),
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
    )
