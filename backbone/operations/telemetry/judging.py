"""Judgements on Kafka: pure, from what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backbone.domain.status import Status
from backbone.operations.telemetry.events import Component, KafkaLag, KafkaReadiness
from backbone.settings.sections.telemetry import TelemetrySettings
from backbone.stream.records import PartitionLag

__all__ = ["kafka_lag", "kafka_readiness", "lag_component"]


def kafka_lag(partitions: Sequence[PartitionLag], at: datetime) -> KafkaLag:
    """How far consumers are behind, in all.

    Args:
        partitions: how far in each.
        at: when it was looked at.
    """
    by_topic: dict[str, int] = {}
    for each in partitions:
        by_topic[each.topic] = by_topic.get(each.topic, 0) + each.lag
    return KafkaLag(
        partitions=tuple(partitions),
        total_lag=sum(each.lag for each in partitions),
        max_lag=max((each.lag for each in partitions), default=0),
        topic_lag=by_topic,
        recorded_at=at,
    )


def lag_component(lag: int | None, settings: TelemetrySettings) -> Component:
    """Whether consumers keep up; None: nobody consumes, or nobody knows."""
    if lag is None:
        return Component(name="consumer_lag", status=Status.OFF, why="nobody consumes in this process")
    status = Status.OK
    if lag >= settings.fail_lag:
        status = Status.FAILED
    elif lag >= settings.warn_lag:
        status = Status.DEGRADED
    return Component(name="consumer_lag", status=status, why="" if status == Status.OK else f"{lag:,} records behind")


def kafka_readiness(components: Sequence[Component]) -> KafkaReadiness:
    """The worst of the components; what is off does not count."""
    return KafkaReadiness(status=Status.worst([each.status for each in components]), components=tuple(components))
