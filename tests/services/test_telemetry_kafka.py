"""Telemetry on a real broker: a consumer reads what was acknowledged; a broker that is away costs ingest nothing."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import anyio
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer

from actors import ActorSystem, ChildSpec
from backbone.calls import Calls
from backbone.ingest.messages import IngestEnded
from backbone.operations.telemetry.actor import TelemetryActor
from backbone.operations.telemetry.child import provisioned, sink
from backbone.operations.telemetry.desk import Desk
from backbone.operations.telemetry.looking import Looks
from backbone.services import native
from backbone.settings import Settings, load_settings
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.sink import KafkaSink
from backbone.stream.sink import Outgoing, TopicRefuses
from tests.backbone.operations.telemetry.kit import PLAN, run
from tests.services.clients import admin, broker, topic


def settings_of(services: native.Services, **overrides: object) -> Settings:
    """Settings with topics of the test's own, which it makes."""
    prefix = f"backbone.t{secrets.token_hex(4)}"
    given = {
        "telemetry.topic": f"{prefix}.{{name}}",
        "stream.backend": "kafka",
        "stream.create_topics": True,
        **overrides,
    }
    env = {name: value for name, value in services.environment.items() if "STREAM" in name}
    return load_settings(profile="embedded", env=env, overrides=given)


class Room:
    """The telemetry actor over a broker."""

    def __init__(self, system: ActorSystem, desk: Desk) -> None:
        self.system = system
        self.desk = desk

    def end(self, number: int) -> None:
        """A run has ended."""
        done = run(run_id=f"run-{number}")
        self.system.publish(IngestEnded, f"/{self.system.name}/ingest", run_id=done.run_id, plan=PLAN, run=done)

    async def carried(self, count: int) -> None:
        """Until so many events were taken by their topics."""
        with anyio.fail_after(60):
            while self.desk.statistics().topics is None or self.desk.statistics().topics.sent < count:  # type: ignore[union-attr]
                await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def telling(settings: Settings) -> AsyncIterator[Room]:
    async with ActorSystem("telling") as system:
        calls = Calls(system, "/telling")
        desk = Desk(system, "/telling", settings.telemetry, sink(settings))
        told = settings.telemetry
        args = (desk, Looks(calls, settings), told.interval, told.flush_timeout)
        await system.start_child(ChildSpec("telemetry", TelemetryActor, args=args, shutdown=10.0))
        yield Room(system, desk)


async def read(services: native.Services, name: str, count: int) -> list[Any]:
    """So many records from the beginning of a topic."""
    consumer = AIOKafkaConsumer(name, **broker(services), auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[Any] = []
        with anyio.move_on_after(60):
            while len(found) < count:
                found.append(await consumer.getone())
        return found
    finally:
        await consumer.stop()


async def test_a_consumer_reads_what_was_told_as_compact_sorted_json(services: native.Services) -> None:
    settings = settings_of(services)
    async with telling(settings) as room:
        for number in range(3):
            room.end(number)
        await room.carried(9)
    records = await read(services, settings.telemetry.topic.format(name="telemetry.ingest"), 3)
    bodies = [msgspec.json.decode(record.value) for record in records]
    assert [body["result"]["run_id"] for body in bodies] == ["run-0", "run-1", "run-2"]
    assert {record.key for record in records} == {b"EURUSD"}
    assert all(list(body) == ["emitted_at", "metadata", "result"] for body in bodies)
    assert all(
        msgspec.json.encode(body, order="sorted") == record.value for body, record in zip(bodies, records, strict=True)
    )
    assert datetime.fromisoformat(bodies[0]["emitted_at"]).tzinfo is not None


async def test_a_broker_that_is_killed_and_comes_back_gets_what_waited_and_what_gave_way_is_counted(
    services: native.Services,
) -> None:
    settings = settings_of(services, **{"telemetry.waiting": 6})
    name = settings.telemetry.topic.format(name="telemetry.ingest")
    async with telling(settings) as room:
        room.end(0)
        await room.carried(3)
        services.kill("kafka")
        try:
            for number in range(1, 6):
                room.end(number)
            with anyio.fail_after(30):
                while room.system.find("/telling/telemetry").health.level != "degraded":
                    await anyio.lowlevel.checkpoint()
            topics = room.desk.statistics().topics
            assert topics is not None
            assert topics.queue_size <= 6
            assert topics.dropped >= 8
        finally:
            await services.restart("kafka")
        await room.carried(9)
        assert room.system.find("/telling/telemetry").health.level == "ok"
        assert room.desk.statistics().published["telemetry.ingest"] == 6
    bodies = [msgspec.json.decode(record.value) for record in await read(services, name, 3)]
    assert [body["result"]["run_id"] for body in bodies] == ["run-0", "run-4", "run-5"]


async def test_a_topic_that_is_not_there_is_refused_at_once_and_others_go_on(services: native.Services) -> None:
    there = await topic(services)
    sending = KafkaSink(Connection.of(settings_of(services).stream), timeout=5.0)
    try:
        with pytest.raises(TopicRefuses, match=r"no topic backbone\.nowhere"):
            await sending.publish("backbone.nowhere", [Outgoing(b"k", b"v")])
        await sending.publish(there, [Outgoing(b"k", b"v")])
    finally:
        await sending.close()
    assert "backbone.nowhere" not in await topics_of(services)


async def topics_of(services: native.Services) -> set[str]:
    async with admin(services, "admin") as client:
        return set(await client.list_topics())


async def test_a_record_that_is_too_large_is_refused_for_good(services: native.Services) -> None:
    there = await topic(services)
    sending = KafkaSink(Connection.of(settings_of(services).stream), timeout=10.0)
    try:
        with pytest.raises(TopicRefuses):
            await sending.publish(there, [Outgoing(b"k", os.urandom(2**21))])
        await sending.publish(there, [Outgoing(b"k", b"v")])
    finally:
        await sending.close()


async def test_k1_a_frozen_broker_costs_the_deadline_and_no_more_and_closing_ends(services: native.Services) -> None:
    there = await topic(services)
    sending = KafkaSink(Connection.of(settings_of(services).stream), timeout=5.0)
    await sending.publish(there, [Outgoing(b"k", b"1")])
    services.freeze("kafka")
    try:
        with anyio.fail_after(15):
            with pytest.raises(StreamUnavailable):
                await sending.publish(there, [Outgoing(b"k", b"2")])
            await sending.close()
    finally:
        services.thaw("kafka")
    with anyio.fail_after(30):
        await sending.publish(there, [Outgoing(b"k", b"3")])
    await sending.close()


async def test_topics_are_those_of_what_is_told_and_a_dry_run_makes_none(services: native.Services) -> None:
    settings = settings_of(services, **{"telemetry.cache": False})
    dry = await provisioned(settings, dry_run=True)
    assert dry.missing
    assert not set(dry.missing) & await topics_of(services)
    assert not any(name.endswith("telemetry.cache") for name in dry.requested)
    made = await provisioned(settings, dry_run=False)
    assert set(made.created) == set(dry.missing) <= await topics_of(services)
