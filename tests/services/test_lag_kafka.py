"""Lag and latency on a real broker: a subscription that stands still falls behind, and is level again once it reads."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from backbone import Backbone
from backbone.operations.telemetry.events import KafkaLag, KafkaReadiness, Telemetry
from backbone.services import native
from tests.services.test_replay_kafka import QUOTES, prefix, quotes, streaming

__all__ = ["prefix"]


async def looked(backbone: Backbone, wanted: Callable[[KafkaLag], bool]) -> KafkaLag:
    """The first look at the lag from now on that is as it should be."""
    found: list[KafkaLag] = []

    def note(event: Telemetry) -> None:
        found.append(event.payload)

    listener = backbone.telemetry.listen(note, ["telemetry.kafka.lag"])
    with anyio.fail_after(60):
        while not (matching := [each for each in found if wanted(each)]):
            await anyio.lowlevel.checkpoint()
    listener.close()
    return matching[0]


async def test_a_subscription_that_stands_still_falls_behind_by_what_is_published_and_catches_up(
    services: native.Services, prefix: str
) -> None:
    async with streaming(services, prefix, **{"telemetry.interval": 0.5}) as backbone:
        readiness: list[KafkaReadiness] = []
        backbone.telemetry.listen(lambda event: readiness.append(event.payload), ["telemetry.kafka.readiness"])
        async with backbone.subscribe(QUOTES, start="latest") as updates:
            await backbone.record(quotes(1))
            with anyio.fail_after(30):
                await anext(updates)
            await looked(backbone, lambda lag: lag.total_lag == 0)
            for n in range(100):
                await backbone.record(quotes(1, first=1 + n))
            behind = await looked(backbone, lambda lag: lag.total_lag == 100)
            assert behind.topic_lag[f"{prefix}.quotes"] == behind.max_lag == 100
            (partition,) = [each for each in behind.partitions if each.lag]
            assert partition.end_offset - partition.current_offset == 100
            with anyio.fail_after(30):
                for _ in range(100):
                    await anext(updates)
            await looked(backbone, lambda lag: lag.total_lag == 0)
        assert readiness[-1].status == "ok"
        names = [each.name for each in readiness[-1].components]
        assert names == ["connection", "topics", "publishers", "consumer_lag"]
        entry = backbone.roster().find(f"{backbone.path}/stream/consumer")
        assert entry is not None
        assert entry.detail is not None
        latency = entry.detail["latency"]
        assert latency["count"] == 101
        assert 0 < latency["p50_ms"] <= latency["p95_ms"] <= latency["p99_ms"]
