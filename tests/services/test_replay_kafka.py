"""Rows that are sent again, on a real broker: they are all there, marked, and no subscriber of ours takes them."""

from __future__ import annotations

import json
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from aiokafka import AIOKafkaConsumer

from backbone import Backbone, Dimension, Frame, load_settings
from backbone.domain import decode
from backbone.services import native
from backbone.stream.errors import StreamUnavailable
from backbone.stream.sink import TopicRefuses
from tests.services.clients import broker, topic

SCRIPT = str(Path(sys.executable).with_name("backbone"))
START = datetime(2026, 1, 5, tzinfo=UTC)
QUOTES = Dimension.QUOTES


def quotes(count: int, first: int = 0, symbol: str = "EURUSD") -> Frame:
    rows = [
        {"symbol": symbol, "ts": START + n * timedelta(seconds=1), "sequence": n, "bid": 1.0 + n, "ask": 1.5 + n}
        for n in range(first, first + count)
    ]
    return Frame.from_records(QUOTES, rows)


@asynccontextmanager
async def streaming(services: native.Services, prefix: str, **overrides: object) -> AsyncIterator[Backbone]:
    """An embedded store in memory, and Kafka, on topics of the test's own."""
    given = {
        "store.path": ":memory:",
        "control.enabled": False,
        "stream.backend": "kafka",
        "stream.create_topics": True,
        "stream.topic": f"{prefix}.{{dimension}}",
        "telemetry.topic": f"{prefix}.{{name}}",
        **overrides,
    }
    env = {name: value for name, value in services.environment.items() if "STREAM" in name}
    async with Backbone.open(load_settings(profile="embedded", env=env, overrides=given)) as backbone:
        yield backbone


@pytest.fixture
def prefix() -> str:
    return f"backbone.r{secrets.token_hex(4)}"


async def records(services: native.Services, name: str) -> list[Any]:
    """All that a topic holds now."""
    consumer = AIOKafkaConsumer(name, **broker(services), auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[Any] = []
        with anyio.fail_after(30):
            ends = await consumer.end_offsets(consumer.assignment())
            while sum(ends.values()) > len(found):
                found += [each for group in (await consumer.getmany(timeout_ms=500)).values() for each in group]
        return found
    finally:
        await consumer.stop()


async def test_the_rows_are_on_the_topic_again_and_say_so_and_subscribers_pass_them_over(
    services: native.Services, prefix: str
) -> None:
    async with streaming(services, prefix) as backbone:
        async with backbone.subscribe(QUOTES, start="latest") as updates:
            await backbone.record(quotes(500))
            with anyio.fail_after(30):
                first = await anext(updates)
            report = await backbone.replay(QUOTES)
            again = await backbone.replay(QUOTES)
            await backbone.record(quotes(1, first=500))
            with anyio.fail_after(30):
                second = await anext(updates)
        assert (first.frame.num_rows, second.frame.num_rows) == (500, 1)
        assert second.position > first.position
        async with backbone.subscribe(QUOTES, start=first.resume) as updates:
            with anyio.fail_after(30):
                assert (await anext(updates)).event_id == second.event_id
        async with backbone.subscribe(QUOTES, start="earliest") as updates:
            with anyio.fail_after(30):
                assert [(await anext(updates)).event_id for _ in range(2)] == [first.event_id, second.event_id]
        stored = await backbone.fetch(QUOTES, limit=1000)
    assert (report.topic, report.rows, report.run, again.run) == (f"{prefix}.quotes", 500, 1, 2)
    found = await records(services, report.topic)
    sent = [each for each in found if ("backfill", b"true") in each.headers]
    once = [each for each in sent if ("replay", b"1") in each.headers]
    rows = Frame.concat([decode(each.value) for each in once])
    assert rows.canonical_bytes() == stored.select(end=quotes(500).end).canonical_bytes()
    assert {each.partition for each in found} == {found[0].partition}
    assert len(sent) == report.records + again.records


async def test_another_topic_takes_them_and_that_of_another_dimension_is_refused(
    services: native.Services, prefix: str
) -> None:
    other = await topic(services)
    async with streaming(services, prefix) as backbone:
        await backbone.record(quotes(10))
        assert (await backbone.replay(QUOTES, topic=other, limit=4)).rows == 4
        with pytest.raises(ValueError, match="that of another dimension"):
            await backbone.replay(QUOTES, topic=f"{prefix}.trades")
        with pytest.raises(TopicRefuses, match="has no topic"):
            await backbone.replay(QUOTES, topic=f"{prefix}.nowhere")
    rows = [decode(each.value) for each in await records(services, other) if ("backfill", b"true") in each.headers]
    assert Frame.concat(rows).num_rows == 4


async def test_a_broker_that_goes_away_is_told_and_the_same_call_goes_on(
    services: native.Services, prefix: str
) -> None:
    async with streaming(services, prefix) as backbone:
        await backbone.record(quotes(100))
        services.kill("kafka")
        try:
            with anyio.fail_after(60), pytest.raises(StreamUnavailable):
                await backbone.replay(QUOTES)
            run = await backbone.record(quotes(1, first=100))  # the store takes rows all the while
            assert run.inserted == 1
        finally:
            await services.restart("kafka")
        with anyio.fail_after(60):
            report = await backbone.replay(QUOTES)
        assert report.resumed
        assert report.run == 1
    found = await records(services, report.topic)
    sent = {dict(each.headers)["event_id"]: each for each in found if ("backfill", b"true") in each.headers}
    rows = Frame.concat([decode(each.value) for each in sent.values()])
    assert rows.num_rows == 100


async def test_killed_in_the_midst_the_same_command_goes_on_and_all_rows_are_there(
    services: native.Services, prefix: str, tmp_path: Path
) -> None:
    name, rows, small = f"{prefix}.quotes", 100_000, {"stream.max_payload_bytes": 4096}
    async with streaming(services, prefix, **{"store.path": str(tmp_path / "store.duckdb"), **small}) as backbone:
        await backbone.record(quotes(rows))
        with anyio.fail_after(120):
            while (await backbone.outbox()).pending:
                await anyio.lowlevel.checkpoint()
        stored = await backbone.fetch(QUOTES, limit=2 * rows)
    command = [SCRIPT, "replay", "quotes", "--env-file", str(env_file(services, prefix, tmp_path))]
    command += ["--set", "stream.max_payload_bytes=4096", "--format", "json", "--quiet"]
    with anyio.fail_after(120):
        async with await anyio.open_process(command, stdout=None, stderr=None) as process:
            await something_came(services, name)
            services.freeze("kafka")  # so that it can't come to its end before it is killed
            try:
                assert process.returncode is None
                process.kill()
                assert await process.wait() == -signal.SIGKILL
            finally:
                services.thaw("kafka")
    reports = [json.loads((await anyio.run_process(command)).stdout) for _ in range(2)]
    assert [(each["run"], each["resumed"]) for each in reports] == [(1, True), (2, False)]
    assert reports[1]["rows"] == rows
    sent = [each for each in await records(services, name) if ("replay", b"1") in each.headers]
    once = {dict(each.headers)["event_id"]: each for each in sent}
    again = Frame.concat([decode(each.value) for each in once.values()])
    assert again.canonical_bytes() == stored.canonical_bytes()


async def something_came(services: native.Services, name: str) -> None:
    """Wait until a topic has grown."""
    consumer = AIOKafkaConsumer(name, **broker(services))
    await consumer.start()
    try:
        places = consumer.assignment()
        before = await consumer.end_offsets(places)
        while await consumer.end_offsets(places) == before:
            pass
    finally:
        await consumer.stop()


def env_file(services: native.Services, prefix: str, folder: Path) -> Path:
    """The settings of `streaming`, for a command, over a store in a folder."""
    values = {name: value for name, value in services.environment.items() if "STREAM" in name} | {
        "BACKBONE_PROFILE": "embedded",
        "BACKBONE_STORE_PATH": str(folder / "store.duckdb"),
        "BACKBONE_CONTROL_ENABLED": "false",
        "BACKBONE_STREAM_BACKEND": "kafka",
        "BACKBONE_STREAM_TOPIC": f"{prefix}.{{dimension}}",
        "BACKBONE_TELEMETRY_TOPIC": f"{prefix}.{{name}}",
    }
    file = folder / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    return file
