"""Several trading processes on one database and one Kafka: one of them publishes, and another one takes over."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from backbone import Backbone
from backbone.domain.dimension import Dimension
from backbone.domain.lapse import LAPSE
from backbone.services import native
from backbone.settings import load_settings
from backbone.stream.kafka.wire import Marker
from backbone.stream.records import Record
from tests.services.brokers import once, positions, records, stream_settings
from tests.services.clients import ROOT
from tests.services.recording import quote, word_of
from tests.services.stores import drop_database, make_database, opened
from tests.services.test_lease import end

QUOTES = Dimension.QUOTES
ACTIVE, STANDBY = "ok active: this process publishes", "ok standby: another process publishes"


@pytest.fixture
async def overrides(services: native.Services) -> AsyncIterator[dict[str, Any]]:
    """Settings of processes on one database and topics of their own."""
    dsn = await make_database(services, "timescale")
    stream = stream_settings(services)
    yield {
        "store.url": dsn,
        "stream.backend": "kafka",
        "stream.bootstrap": stream.bootstrap,
        "stream.security_protocol": stream.security_protocol,
        "stream.sasl_mechanism": stream.sasl_mechanism,
        "stream.user": stream.user,
        "stream.password": services.environment_of("owner")["BACKBONE_STREAM_PASSWORD"],
        "stream.topic": stream.topic,
        "stream.create_topics": True,
        "control.enabled": False,
    }
    await drop_database(services, dsn)


@asynccontextmanager
async def recording(overrides: dict[str, Any], symbol: str) -> AsyncIterator[tuple[Process, BufferedByteReceiveStream]]:
    """Another process that records, and is the one that publishes."""
    command = [sys.executable, "-m", "tests.services.recording", symbol]
    process = await anyio.open_process(command, cwd=ROOT, stderr=None)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send(f"{json.dumps(overrides)}\n".encode())
        said = BufferedByteReceiveStream(process.stdout)
        with anyio.fail_after(60):
            while await said.receive_until(b"\n", 1000) != ACTIVE.encode():
                pass
        yield process, said
    finally:
        await end(process)


def beside(overrides: dict[str, Any]) -> AbstractAsyncContextManager[Backbone]:
    """A trading process of this one."""
    return Backbone.open(load_settings(profile="timescale", env={}, overrides=overrides))


async def until(backbone: Backbone, word: str) -> None:
    while True:
        if word_of(backbone) == word:
            return
        await anyio.sleep(0.02)


async def arrived(backbone: Backbone, symbol: str, n: int) -> None:
    """Record a quote here, and wait until it came back over Kafka."""
    async with backbone.subscribe(QUOTES, symbols=[symbol]) as updates:
        await backbone.record(quote(symbol, n))
        with anyio.fail_after(20):
            await anext(updates)


async def all_is_published(services: native.Services, overrides: dict[str, Any]) -> None:
    """Each change in the outbox is on its topic, and of each symbol nothing comes late."""
    async with opened(overrides["store.url"]) as store:
        rows = await store.read_outbox(0, 1_000_000)
    found = await records(services, overrides["stream.topic"].format(dimension=QUOTES))
    assert not [each for each in found if isinstance(each, Marker)]
    assert {each.event_id for each in rows} == {each.event_id for each in found if isinstance(each, Record)}
    for symbol in {each.symbol for each in rows}:
        taken = positions(found, symbol)
        assert once(list(dict.fromkeys(taken))) == sorted(set(taken))


async def test_a_process_that_was_killed_is_followed_by_one_that_stood_by(
    services: native.Services, overrides: dict[str, Any]
) -> None:
    async with recording(overrides, "THEIRS") as (process, _), beside(overrides) as backbone:
        assert word_of(backbone) == STANDBY
        await arrived(backbone, "OURS", 1)
        assert word_of(backbone) == STANDBY
        process.kill()
        with anyio.fail_after(1.5):
            await until(backbone, ACTIVE)
        await arrived(backbone, "OURS", 2)
    await all_is_published(services, overrides)


async def test_a_process_that_is_frozen_is_put_out_and_stands_by_once_it_goes_on(
    services: native.Services, overrides: dict[str, Any]
) -> None:
    async with recording(overrides, "THEIRS") as (process, said), beside(overrides) as backbone:
        process.send_signal(signal.SIGSTOP)
        with anyio.fail_after(LAPSE + 1.5):
            await until(backbone, ACTIVE)
        await arrived(backbone, "OURS", 1)
        process.send_signal(signal.SIGCONT)
        with anyio.fail_after(30):
            while await said.receive_until(b"\n", 1000) != STANDBY.encode():
                pass
        await arrived(backbone, "OURS", 2)
        assert word_of(backbone) == ACTIVE
        process.kill()
        await process.wait()
        await arrived(backbone, "OURS", 3)
    await all_is_published(services, overrides)


async def test_who_leaves_hands_over_at_once(services: native.Services, overrides: dict[str, Any]) -> None:
    async with beside(overrides) as second_to_leave:
        assert word_of(second_to_leave) == ACTIVE
        async with beside(overrides) as standby:
            assert word_of(standby) == STANDBY
            await arrived(standby, "OURS", 1)
        await arrived(second_to_leave, "OURS", 2)
    async with beside(overrides) as again:
        assert word_of(again) == ACTIVE
    await all_is_published(services, overrides)


async def test_a_fetch_on_an_update_that_another_process_published_is_never_from_before_it(
    services: native.Services, overrides: dict[str, Any]
) -> None:
    async with (
        recording(overrides, "THEIRS"),
        beside(overrides) as backbone,
        backbone.subscribe(QUOTES, symbols=["THEIRS"]) as updates,
    ):
        for _ in range(100):
            update = await anext(updates)
            newest = await backbone.fetch(QUOTES, symbols=["THEIRS"], limit=1)
            assert newest.to_arrow()["sequence"][-1].as_py() >= update.frame.to_arrow()["sequence"][-1].as_py()
