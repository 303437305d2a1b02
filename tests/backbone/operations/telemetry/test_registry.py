"""The registry: each name of a kind once, nothing pretended, every switch a setting."""

from __future__ import annotations

import msgspec

from backbone.operations.telemetry import topics
from backbone.operations.telemetry.topics import TOPICS, Topic, kafka_name
from backbone.settings.sections.telemetry import TelemetrySettings

NAMES = """
telemetry.ingest telemetry.ingest.health telemetry.ingest.metrics telemetry.ingest.quality telemetry.ingest.scheduler
telemetry.ingest.cross_region_failover telemetry.cache telemetry.cache.health telemetry.kafka.lag
telemetry.kafka.readiness telemetry.data_backbone.retention telemetry.sensory.snapshot telemetry.understanding.belief
telemetry.understanding.regime telemetry.understanding.regime_transition execution.report telemetry.gate
"""


def test_there_is_a_constant_for_each_kind() -> None:
    assert set(TOPICS) == set(NAMES.split())
    constants = [each for each in vars(topics).values() if isinstance(each, Topic)]
    assert {each.name for each in constants} == set(TOPICS)


def test_a_kind_that_is_published_has_a_payload_and_a_switch_and_others_have_neither() -> None:
    for topic in TOPICS.values():
        assert (topic.payload is None) == (topic.switch == "")
        assert topic.payload is None or issubclass(topic.payload, msgspec.Struct)


def test_every_switch_is_a_setting_and_turns_its_kind_off() -> None:
    for topic in TOPICS.values():
        if topic.switch:
            off = msgspec.structs.replace(TelemetrySettings(), **{topic.switch: False})
            assert topic.told(TelemetrySettings())
            assert not topic.told(off)


def test_topics_of_kafka_are_named_by_the_setting() -> None:
    named = TelemetrySettings(topic="ops.{name}.v1")
    assert kafka_name(topics.CACHE, named) == "ops.telemetry.cache.v1"
