"""Judgements on Kafka, by their tables of thresholds."""

from __future__ import annotations

import pytest

from backbone import Status
from backbone.operations.telemetry.judging import kafka_lag, kafka_readiness, lag_component
from backbone.settings.sections.telemetry import TelemetrySettings
from backbone.stream.records import PartitionLag
from tests.backbone.operations.telemetry.kit import NOW


def test_lag_is_summed_by_topic_and_in_all() -> None:
    behind = [PartitionLag("a", 0, 40, 100, 60), PartitionLag("a", 1, 0, 5, 5), PartitionLag("b", 0, 7, 7, 0)]
    found = kafka_lag(behind, NOW)
    assert (found.total_lag, found.max_lag, found.topic_lag) == (65, 60, {"a": 65, "b": 0})
    assert (found.partitions, found.recorded_at) == (tuple(behind), NOW)


@pytest.mark.parametrize(
    ("lag", "status"),
    [(None, Status.OFF), (0, Status.OK), (999, Status.OK), (1000, Status.DEGRADED), (10_000, Status.FAILED)],
)
def test_readiness_is_judged_by_how_far_consumers_are_behind(lag: int | None, status: Status) -> None:
    component = lag_component(lag, TelemetrySettings())
    assert component.status is status
    expected = Status.OK if status is Status.OFF else status
    assert kafka_readiness([component]).status is expected
