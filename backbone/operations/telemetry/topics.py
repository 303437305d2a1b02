"""The registry: every kind of telemetry by name, what it carries, and whether anything publishes it yet."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from backbone.cache.health import CacheHealth
from backbone.cache.port import CacheMetrics
from backbone.operations.telemetry.events import (
    GateTold,
    IngestHealth,
    IngestMetrics,
    IngestQuality,
    IngestTold,
    KafkaLag,
    KafkaReadiness,
    RetentionTold,
    SchedulerTold,
)
from backbone.settings.sections.telemetry import TelemetrySettings

__all__ = [
    "BELIEF",
    "CACHE",
    "CACHE_HEALTH",
    "CROSS_REGION_FAILOVER",
    "EXECUTION_REPORT",
    "GATE",
    "INGEST",
    "INGEST_HEALTH",
    "INGEST_METRICS",
    "INGEST_QUALITY",
    "KAFKA_LAG",
    "KAFKA_READINESS",
    "REGIME",
    "REGIME_TRANSITION",
    "RETENTION",
    "SCHEDULER",
    "SENSORY_SNAPSHOT",
    "TOPICS",
    "Topic",
    "kafka_name",
]


class Topic(msgspec.Struct, frozen=True):
    """One kind of telemetry.

    Attributes:
        name: its type on the bus; its topic of Kafka is named after it, see `kafka_name`.
        about: what it tells, and when.
        payload: the class of its payload; None: nothing publishes it yet.
        switch: the setting in section `telemetry` that turns it off; "" where there is none.
    """

    name: str
    about: str
    payload: type | None = None
    switch: str = ""

    def told(self, settings: TelemetrySettings) -> bool:
        """Whether the settings want it told."""
        return not self.switch or _switches(settings)[self.switch]


def _switches(settings: TelemetrySettings) -> Mapping[str, bool]:
    return {
        "ingest": settings.ingest,
        "ingest_health": settings.ingest_health,
        "ingest_metrics": settings.ingest_metrics,
        "ingest_quality": settings.ingest_quality,
        "ingest_scheduler": settings.ingest_scheduler,
        "retention": settings.retention,
        "cache": settings.cache,
        "cache_health": settings.cache_health,
        "kafka_lag": settings.kafka_lag,
        "kafka_readiness": settings.kafka_readiness,
        "gate": settings.gate,
    }


INGEST = Topic("telemetry.ingest", "what a run did, or why it was refused, once it has ended", IngestTold, "ingest")
INGEST_HEALTH = Topic("telemetry.ingest.health", "whether all is well with a run", IngestHealth, "ingest_health")
INGEST_METRICS = Topic("telemetry.ingest.metrics", "counts and pace of a run", IngestMetrics, "ingest_metrics")
INGEST_QUALITY = Topic("telemetry.ingest.quality", "the judgement on a run's rows", IngestQuality, "ingest_quality")
SCHEDULER = Topic(
    "telemetry.ingest.scheduler",
    "how the schedule is, after each of its runs and each interval",
    SchedulerTold,
    "ingest_scheduler",
)
CROSS_REGION_FAILOVER = Topic("telemetry.ingest.cross_region_failover", "failover to another region")
CACHE = Topic("telemetry.cache", "the cache's counters, each interval", CacheMetrics, "cache")
CACHE_HEALTH = Topic("telemetry.cache.health", "whether the cache works, each interval", CacheHealth, "cache_health")
KAFKA_LAG = Topic("telemetry.kafka.lag", "how far consumers are behind, each interval", KafkaLag, "kafka_lag")
KAFKA_READINESS = Topic(
    "telemetry.kafka.readiness", "whether Kafka does its work, each interval", KafkaReadiness, "kafka_readiness"
)
RETENTION = Topic(
    "telemetry.data_backbone.retention",
    "what retention found and did, when it was asked and by schedule",
    RetentionTold,
    "retention",
)
GATE = Topic("telemetry.gate", "whether symbols may be traded on, when that has changed", GateTold, "gate")
SENSORY_SNAPSHOT = Topic("telemetry.sensory.snapshot", "what the sensors make of a symbol")
BELIEF = Topic("telemetry.understanding.belief", "the belief about a symbol")
REGIME = Topic("telemetry.understanding.regime", "the regime of a symbol")
REGIME_TRANSITION = Topic("telemetry.understanding.regime_transition", "a change of regime")
EXECUTION_REPORT = Topic("execution.report", "what became of an order")

TOPICS: Mapping[str, Topic] = {
    topic.name: topic
    for topic in (
        INGEST,
        INGEST_HEALTH,
        INGEST_METRICS,
        INGEST_QUALITY,
        SCHEDULER,
        CROSS_REGION_FAILOVER,
        CACHE,
        CACHE_HEALTH,
        KAFKA_LAG,
        KAFKA_READINESS,
        RETENTION,
        GATE,
        SENSORY_SNAPSHOT,
        BELIEF,
        REGIME,
        REGIME_TRANSITION,
        EXECUTION_REPORT,
    )
}
"""All kinds, by name."""


def kafka_name(topic: Topic, settings: TelemetrySettings) -> str:
    """The topic of Kafka that carries a kind."""
    return settings.topic.format(name=topic.name)
