"""The place of telemetry in the tree, and where its events go, by the settings."""

from __future__ import annotations

from functools import partial

from actors import ActorError, ActorSystem, ChildSpec, SupervisorSpec
from backbone.calls import Calls
from backbone.operations.telemetry.actor import TelemetryActor
from backbone.operations.telemetry.desk import Desk
from backbone.operations.telemetry.looking import Looks
from backbone.operations.telemetry.messages import AttendListeners
from backbone.operations.telemetry.topics import TOPICS, kafka_name
from backbone.settings import Settings
from backbone.stream.provisioned import Provisioned
from backbone.stream.sink import Sink
from backbone.stream.topics import Topics

__all__ = ["PATH", "child", "desk", "provisioned", "sink"]

PATH = "watch/telemetry"


def child(settings: Settings, calls: Calls, desk: Desk) -> SupervisorSpec:
    """What watches over the rest. It starts first and stops last, so that nothing is told to nobody."""
    limits = settings.supervision
    telemetry = ChildSpec(
        "telemetry",
        TelemetryActor,
        args=(desk, Looks(calls, settings), settings.telemetry.interval, settings.telemetry.flush_timeout),
        kwargs={"provision": None if desk.carrier is None else partial(provisioned, settings)},
        shutdown=limits.shutdown,
        backoff=limits.delays(),
    )
    return SupervisorSpec("watch", children=(telemetry,), intensity=limits.budget(), backoff=limits.delays())


def desk(settings: Settings, system: ActorSystem, calls: Calls) -> Desk:
    """Where telemetry comes together; made before the tree, for it outlives every actor."""

    def attend() -> None:
        try:
            calls.ref(PATH).tell_nowait(AttendListeners())
        except ActorError:  # it is being restarted, and looks itself then
            return

    return Desk(system, calls.base, settings.telemetry, sink(settings), attend)


def sink(settings: Settings) -> Sink | None:
    """The way to topics; None: the stream is in this process, or nothing is to be carried."""
    if settings.stream.backend != "kafka" or not settings.telemetry.publish:
        return None
    from backbone.stream.kafka.connection import Connection
    from backbone.stream.kafka.sink import KafkaSink

    prepare = partial(provisioned, settings, False) if settings.stream.create_topics else None
    return KafkaSink(Connection.of(settings.stream), timeout=settings.telemetry.flush_timeout, prepare=prepare)


async def provisioned(settings: Settings, dry_run: bool) -> Provisioned:
    """Look for the topics of what is published, and make those that are missing unless it is a dry run."""
    from backbone.stream.kafka.connection import Connection
    from backbone.stream.kafka.provisioning import provision

    told = [topic for topic in TOPICS.values() if topic.payload is not None and topic.told(settings.telemetry)]
    topics = Topics.plain(settings.stream, [kafka_name(topic, settings.telemetry) for topic in told])
    return await provision(Connection.of(settings.stream), topics, dry_run=dry_run)
