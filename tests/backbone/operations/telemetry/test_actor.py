"""What telemetry promises: what happened is told once, to each listener alone, and carried whatever the stream does."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from actors import Reject
from backbone.cache.health import CacheHealth
from backbone.operations.telemetry.events import IngestTold, Telemetry
from backbone.operations.telemetry.topics import (
    CACHE,
    CACHE_HEALTH,
    INGEST,
    INGEST_HEALTH,
    INGEST_METRICS,
    TOPICS,
)
from tests.backbone.operations.telemetry.kit import BASE, metrics, run, settled, telling


async def test_a_run_that_ended_is_told_on_the_bus_with_type_payload_time_and_source() -> None:
    async with telling() as room:
        bus = room.system.events.subscribe(Telemetry)
        now = room.system.clock.now()
        room.end(run())
        await settled()
        told = [bus.get_nowait() for _ in range(3)]
        assert [event.type for event in told if event] == [INGEST.name, INGEST_METRICS.name, INGEST_HEALTH.name]
        first = told[0]
        assert first is not None
        assert isinstance(first.payload, IngestTold)
        assert (first.payload.inserted, first.key, first.path) == (3, "EURUSD", f"{BASE}/ingest")
        assert first.at == now


async def test_what_is_told_goes_to_its_topic_as_compact_sorted_json() -> None:
    async with telling(topic="backbone.{name}") as room:
        room.end(run())
        await settled()
        topic, record = room.sink.taken[0]
        assert (topic, record.key) == ("backbone.telemetry.ingest", b"EURUSD")
        body = msgspec.json.decode(record.value or b"")
        assert list(body) == ["emitted_at", "metadata", "result"]
        assert list(body["result"]) == sorted(body["result"])
        assert b": " not in (record.value or b"").replace(b"csv:/", b"")
        assert body["metadata"]["type"] == "telemetry.ingest"
        assert body["result"]["inserted"] == 3


async def test_a_kind_that_is_turned_off_is_not_told() -> None:
    async with telling(ingest_metrics=False) as room:
        room.end(run())
        await settled()
        assert [topic for topic, _ in room.sink.taken] == [f"backbone.{each.name}" for each in (INGEST, INGEST_HEALTH)]


async def test_what_another_backbone_in_the_system_tells_is_not_ours() -> None:
    async with telling() as room:
        room.end(run(), by="/test2/ingest")
        await settled()
        assert room.desk.statistics().published == {}


async def test_without_a_sink_events_stay_on_the_bus_and_are_counted() -> None:
    async with telling(carried=False) as room:
        room.end(run())
        await settled()
        told = room.desk.statistics()
        assert (told.topics, told.published[INGEST.name]) == (None, 1)


async def test_while_the_stream_is_down_the_oldest_events_give_way_and_are_counted() -> None:
    async with telling(waiting=4, ingest_metrics=False, ingest_health=False) as room:
        room.sink.down = True
        for n in range(10):
            room.end(run(run_id=f"run-{n}"))
        await settled()
        topics = room.desk.statistics().topics
        assert topics is not None
        assert (topics.queue_size, topics.dropped, topics.sent) == (4, 6, 0)
        assert room.health == "degraded"
        room.sink.down = False
        await anyio.sleep(6)
        sent = [msgspec.json.decode(record.value or b"")["result"]["run_id"] for _, record in room.sink.taken]
        assert sent == ["run-6", "run-7", "run-8", "run-9"]
        assert room.health == "ok"


async def test_a_topic_that_refuses_leaves_events_on_the_bus_and_holds_up_no_other() -> None:
    async with telling() as room:
        room.sink.refused = {"backbone.telemetry.ingest"}
        room.end(run())
        await settled()
        topics = room.desk.statistics().topics
        assert topics is not None
        assert (topics.refused, topics.sent) == (1, 2)
        assert "there is no topic" in topics.last_refusal
        assert room.health == "ok"


async def test_a_slow_listener_delays_no_other_and_loses_its_own_oldest_events() -> None:
    async with telling(ingest_metrics=False, ingest_health=False) as room:
        slow: list[str] = []
        quick: list[str] = []

        async def dawdle(event: Telemetry) -> None:
            slow.append(event.payload.run_id)
            await anyio.sleep(100)

        def note(event: Telemetry) -> None:
            quick.append(event.payload.run_id)

        room.desk.listen(dawdle, capacity=2)
        room.desk.listen(note)
        await settled()
        for n in range(6):
            room.end(run(run_id=f"run-{n}"))
            await settled()
        assert quick == [f"run-{n}" for n in range(6)]
        assert slow == ["run-0"]
        lazy, _ = room.desk.statistics().listeners
        assert (lazy.queue_size, lazy.queue_capacity, lazy.dropped) == (2, 2, 3)


async def test_a_listener_that_raises_is_counted_and_goes_on() -> None:
    async with telling(ingest_metrics=False, ingest_health=False) as room:
        heard: list[str] = []

        def fail(event: Telemetry) -> None:
            heard.append(event.payload.run_id)
            if len(heard) == 1:
                raise ValueError("password=hunter2 is wrong")

        room.desk.listen(fail)
        await settled()
        for n in range(2):
            room.end(run(run_id=f"run-{n}"))
        await settled()
        (listener,) = room.desk.statistics().listeners
        assert heard == ["run-0", "run-1"]
        assert (listener.handled, listener.handler_errors) == (1, 1)
        assert listener.last_error.startswith("ValueError: password=***")
        assert room.system.find(f"{BASE}/telemetry").incarnation == 1


async def test_a_listener_hears_the_kinds_it_named_and_the_same_one_listens_once() -> None:
    async with telling() as room:
        heard: list[str] = []

        def note(event: Telemetry) -> None:
            heard.append(event.type)

        first = room.desk.listen(note, [INGEST_HEALTH.name])
        assert room.desk.listen(note, [INGEST_HEALTH.name]) is first
        await settled()
        room.end(run())
        await settled()
        assert heard == [INGEST_HEALTH.name]
        first.close()
        first.close()
        room.end(run())
        await settled()
        assert heard == [INGEST_HEALTH.name]
        assert room.desk.statistics().subscriber_count == 0


async def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    async with telling() as room:
        with pytest.raises(ValueError, match=r"telemetry\.nothing.*allowed: telemetry\.ingest"):
            room.desk.listen(print, ["telemetry.nothing"])
        with pytest.raises(TypeError, match="give a list"):
            room.desk.listen(print, "telemetry.ingest")


async def test_what_waits_when_it_stops_is_dealt_with() -> None:
    heard: list[str] = []
    async with telling() as room:
        room.desk.listen(lambda event: heard.append(event.type))
        await settled()
        room.end(run())  # and stops before anybody has looked at it
    assert heard == [INGEST.name, INGEST_METRICS.name, INGEST_HEALTH.name]
    assert room.sink.closed == 1


async def test_a_stop_is_bounded_where_the_topics_take_nothing() -> None:
    async with telling(flush_timeout=2.0) as room:
        room.sink.stuck = True
        room.end(run())
        await settled()
        began = room.system.clock.time()
    assert anyio.current_time() - began < 6


async def test_what_was_told_while_the_actor_fell_is_told_by_the_next_one() -> None:
    async with telling() as room:
        heard: list[str] = []
        room.desk.listen(lambda event: heard.append(event.type), [INGEST.name])
        await settled()
        await room.system.terminate_child("telemetry")
        room.end(run())
        await settled()
        assert heard == []
        await room.system.restart_child("telemetry")
        await settled()
        assert heard == [INGEST.name]


async def test_cache_and_its_health_are_told_each_interval() -> None:
    async with telling(interval=30.0) as room:
        room.cache[:] = [metrics(hits=1, misses=999)]
        await anyio.sleep(31)
        told = room.desk.statistics().published
        assert (told[CACHE.name], told[CACHE_HEALTH.name]) == (1, 1)
        health = [record for topic, record in room.sink.taken if topic.endswith("cache.health")]
        assert msgspec.json.decode(health[0].value or b"")["result"]["status"] == "failed"


async def test_a_cache_that_does_not_answer_is_told_as_degraded_and_has_no_counters() -> None:
    async with telling(interval=30.0) as room:
        room.cache[:] = [Reject("unavailable", "redis does not answer")]
        payloads: list[CacheHealth] = []
        room.desk.listen(lambda event: payloads.append(event.payload), [CACHE_HEALTH.name])
        await anyio.sleep(31)
        assert payloads[0].status == "degraded"
        assert "can't be reached" in payloads[0].reasons[0]
        assert CACHE.name not in room.desk.statistics().published


async def test_all_that_is_published_is_of_the_class_that_the_registry_names() -> None:
    async with telling() as room:
        seen: list[Telemetry] = []
        room.desk.listen(seen.append)
        room.end(run())
        await anyio.sleep(31)
        assert seen
        for event in seen:
            assert type(event.payload) is TOPICS[event.type].payload
