"""Kafka is killed, frozen and emptied under who publishes: nothing hangs, nothing is lost, order survives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest

from backbone import Backbone
from backbone.domain.dimension import Dimension
from backbone.services import native
from backbone.settings import load_settings
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.publisher import KafkaPublisher
from backbone.stream.kafka.stream import KafkaStream
from backbone.stream.outlet import Outlet
from backbone.stream.reach import HeldUp
from tests.contracts.test_stream import Row, row
from tests.services.brokers import (
    make_topics,
    once,
    positions,
    publisher_of,
    publishing,
    records,
    stream_settings,
)
from tests.services.conftest import serving
from tests.services.recording import quote, word_of

QUOTES = Dimension.QUOTES
FREEZE_SECONDS = 30.0
BACK_SECONDS = 5.0


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """A broker of the module's own, which it may break."""
    yield from serving(["kafka"], tmp_path_factory.mktemp("kafka"))


@pytest.fixture(autouse=True)
async def running(services: native.Services) -> None:
    """Whatever the test before did to it."""
    await services.restart("kafka")


async def tried(outlet: Outlet, rows: Sequence[Row]) -> None:
    await outlet.connect()
    await outlet.publish(rows)  # type: ignore[arg-type]


async def sent(outlet: Outlet, rows: Sequence[Row]) -> None:
    """Send as the relay does: again, by another publisher, until all is acknowledged."""
    while True:
        try:
            await tried(outlet, rows)
        except HeldUp:
            await anyio.sleep(0.1)
        else:
            return


async def test_killed_in_the_midst_of_publishing_everything_is_there_and_in_order(services: native.Services) -> None:
    settings = stream_settings(services)
    await make_topics(settings)
    outlet = Outlet(KafkaStream(settings), 3.0)
    batches = [[row(first * 20 + n, f"S{n % 7}") for n in range(1, 21)] for first in range(60)]

    async def publish() -> None:
        for batch in batches:
            await sent(outlet, batch)
            half.set()

    half = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(publish)
        await half.wait()
        services.kill("kafka")
        await services.restart("kafka")
    await outlet.abandon()
    found = await records(services, settings.topic.format(dimension=QUOTES))
    assert set(positions(found)) == set(range(1, 1201))
    for n in range(7):
        assert once(positions(found, f"S{n}")) == sorted(set(positions(found, f"S{n}")))


async def test_k1_with_the_broker_gone_publishing_ends_by_its_deadline_and_closing_never_hangs(
    services: native.Services,
) -> None:
    settings = stream_settings(services)
    async with publishing(settings) as publisher:
        await publisher.publish([row(1)])
        services.kill("kafka")
        with anyio.move_on_after(2.0) as deadline:
            with pytest.raises(StreamUnavailable):
                await publisher.publish([row(2)])
        del deadline
        with anyio.fail_after(2.0):
            await publisher.close()


async def test_k1_with_the_broker_frozen_all_ends_by_its_deadline_and_goes_on_once_it_is_back(
    services: native.Services,
) -> None:
    settings = stream_settings(services)
    await make_topics(settings)
    outlet = Outlet(KafkaStream(settings), 2.0)
    await sent(outlet, [row(1)])
    services.freeze("kafka")
    with anyio.move_on_after(FREEZE_SECONDS):
        while True:
            with anyio.fail_after(2.0 + 2.0 + 0.5), pytest.raises(HeldUp):  # deadline, and that of closing
                await tried(outlet, [row(2)])
    services.thaw("kafka")
    with anyio.fail_after(BACK_SECONDS):
        await sent(outlet, [row(2)])
    await outlet.abandon()
    found = positions(await records(services, settings.topic.format(dimension=QUOTES)))
    assert once(found) == [1, 2]


async def test_a_probe_of_a_frozen_broker_ends_by_its_deadline(services: native.Services) -> None:
    settings = stream_settings(services)
    async with publishing(settings) as publisher:
        assert (await publisher.probe()).healthy
        services.freeze("kafka")
        with anyio.move_on_after(1.0) as deadline:
            await publisher.probe()
        assert deadline.cancelled_caught
        with anyio.fail_after(2.0):
            await publisher.close()
    services.thaw("kafka")


async def test_a_broker_that_came_back_empty_lacks_all_that_it_had(services: native.Services) -> None:
    settings = stream_settings(services)
    await make_topics(settings)
    before = await filled(settings)
    services.kill("kafka")
    shutil.rmtree(services.data / "kafka" / "logs")
    await services.restart("kafka")
    publisher = publisher_of(settings)
    with pytest.raises(StreamUnavailable, match="has no topic"):
        await publisher.open()
    await publisher.close()
    await make_topics(settings)
    async with publishing(settings) as again:
        lacking = await again.resume(1, before)
        assert len(lacking) == len(Dimension)
        await again.publish([row(1)])
    assert positions(await records(services, settings.topic.format(dimension=QUOTES))) == [1]


async def filled(settings: StreamSettings) -> Sequence[str]:
    publisher: KafkaPublisher = publisher_of(settings)
    await publisher.open()
    try:
        identities = await publisher.resume(0)
        await publisher.publish([row(1)])
    finally:
        await publisher.close()
    return tuple(identities)


def whole(settings: StreamSettings, services: native.Services, folder: Path) -> AbstractAsyncContextManager[Backbone]:
    """A trading process with rows in a file and changes on Kafka."""
    overrides = {
        "store.path": str(folder / "rows.duckdb"),
        "stream.backend": "kafka",
        "stream.bootstrap": settings.bootstrap,
        "stream.security_protocol": settings.security_protocol,
        "stream.sasl_mechanism": settings.sasl_mechanism,
        "stream.user": settings.user,
        "stream.password": services.environment_of("owner")["BACKBONE_STREAM_PASSWORD"],
        "stream.topic": settings.topic,
        "stream.create_topics": True,
        "control.enabled": False,
    }
    return Backbone.open(load_settings(profile="embedded", env={}, overrides=overrides))


async def saying(backbone: Backbone, words: str) -> None:
    """Wait until the relay says that."""
    while True:
        if word_of(backbone).startswith(words):
            return
        await anyio.sleep(0.02)


async def back(services: native.Services, fault: str) -> None:
    if fault == "frozen":
        services.thaw("kafka")
        return
    if fault == "emptied":
        shutil.rmtree(services.data / "kafka" / "logs")
    await services.restart("kafka")


@pytest.mark.parametrize("fault", ["killed", "emptied", "frozen"])
async def test_with_kafka_gone_the_relay_says_so_and_is_ok_soon_after_it_is_back_and_nothing_is_lost(
    services: native.Services, tmp_path: Path, fault: str
) -> None:
    settings = stream_settings(services)
    async with whole(settings, services, tmp_path) as backbone, backbone.subscribe(QUOTES, symbols=["A"]) as updates:
        taken = []

        async def take() -> None:
            async for update in updates:
                taken.append(update.frame.to_arrow()["sequence"][0].as_py())
                if taken[-1] == 30:
                    return

        with anyio.fail_after(90):
            async with anyio.create_task_group() as group:
                group.start_soon(take)
                for n in range(1, 11):
                    await backbone.record(quote("A", n))
                services.freeze("kafka") if fault == "frozen" else services.kill("kafka")
                await backbone.record(quote("A", 11))
                with anyio.fail_after(15):
                    await saying(backbone, "failed stream: ")
                for n in range(12, 21):
                    await backbone.record(quote("A", n))
                await back(services, fault)
                with anyio.fail_after(BACK_SECONDS):
                    await saying(backbone, "ok active")
                for n in range(21, 31):
                    await backbone.record(quote("A", n))
    assert taken == list(range(1, 31))
    found = positions(await records(services, settings.topic.format(dimension=QUOTES)))
    assert len(once(list(dict.fromkeys(found)))) == 30
