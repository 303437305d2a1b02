"""Telemetry: what is told on the bus, and what of it is carried to topics."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.sections.base import Count, Seconds, Section

__all__ = ["TelemetrySettings"]


class TelemetrySettings(Section, frozen=True, kw_only=True):
    """What a backbone tells of itself on `system.events`, and on topics of Kafka where that is the stream."""

    publish: Annotated[bool, Meta(description="carry telemetry to topics of Kafka, where that is the stream")] = True
    topic: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]*\{name\}[A-Za-z0-9._-]*\Z",
            max_length=200,
            description="topic of Kafka of each kind of telemetry, whose name {name} stands for",
        ),
    ] = "backbone.{name}"
    ingest: Annotated[bool, Meta(description="tell what each run did, or why it failed")] = True
    ingest_health: Annotated[bool, Meta(description="tell of each run whether all is well")] = True
    ingest_metrics: Annotated[bool, Meta(description="tell the counts and the pace of each run")] = True
    ingest_quality: Annotated[bool, Meta(description="tell the judgement on the rows of each run")] = True
    ingest_scheduler: Annotated[
        bool, Meta(description="tell how the schedule is, after each run and each interval")
    ] = True
    retention: Annotated[bool, Meta(description="tell what retention found, dropped and pruned")] = True
    cache: Annotated[bool, Meta(description="tell the cache's counters, each interval")] = True
    cache_health: Annotated[bool, Meta(description="tell whether the cache does its work, each interval")] = True
    kafka_lag: Annotated[bool, Meta(description="tell how far consumers are behind Kafka, each interval")] = True
    kafka_readiness: Annotated[bool, Meta(description="tell whether Kafka does its work, each interval")] = True
    gate: Annotated[bool, Meta(description="tell when it has changed whether symbols may be traded on")] = True
    interval: Annotated[Seconds, Meta(description="between two looks at cache and stream")] = 30.0
    flush_timeout: Annotated[
        Seconds, Meta(description="an event that its topic has not taken within this is tried again")
    ] = 2.0
    waiting: Annotated[
        Count, Meta(description="events that wait for a topic at most; the oldest give way, and are counted")
    ] = 1024
    kept: Annotated[int, Meta(ge=1, le=100_000, description="newest events kept for the command events")] = 256
    warn_lag: Annotated[Count, Meta(description="readiness is degraded where consumers are so many records behind")] = (
        1000
    )
    fail_lag: Annotated[Count, Meta(description="readiness has failed where they are so many behind")] = 10_000
