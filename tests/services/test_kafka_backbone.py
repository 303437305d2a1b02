"""A whole backbone over Kafka: what is recorded comes back, poison stops nobody, and dead letters are dealt with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import msgspec

from backbone import Backbone, Dimension, load_settings
from backbone.calls import Calls
from backbone.domain import encode
from backbone.services import native
from backbone.settings import Settings
from backbone.store.messages import KeepDeadLetters
from backbone.store.records import DeadLetter
from backbone.stream.kafka.wire import encoded
from backbone.stream.letters import Message
from backbone.stream.messages import ReadLag
from tests.backbone.facade.kit import BARS, bars
from tests.backbone.stream.kit import row
from tests.services.brokers import make_topics, messages, stream_settings
from tests.services.test_kafka_reading_faults import sent_raw


async def opened_settings(services: native.Services, folder: Path) -> Settings:
    stream = stream_settings(services, partitions=2, compression="gzip")
    await make_topics(stream)
    plain = load_settings(profile="embedded", overrides={"store.path": str(folder / "store.duckdb")})
    control = msgspec.structs.replace(plain.control, enabled=False)
    return msgspec.structs.replace(plain, stream=stream, control=control)


async def test_poison_stops_no_subscriber_and_is_listed_sent_back_and_dropped(
    services: native.Services, tmp_path: Path
) -> None:
    settings = await opened_settings(services, tmp_path)
    topic = settings.stream.topic.format(dimension=Dimension(BARS).value)
    with anyio.fail_after(120):
        async with Backbone.open(settings) as backbone, backbone.subscribe(BARS) as updates:
            await backbone.record(bars(1, close=1.5))
            assert (await anext(updates)).frame.column("close")[-1] == 1.5
            offsets = await sent_raw(services, topic, Message(b"EURUSD", b"{not ours}", ()), partition=0)
            await backbone.record(bars(1, close=1.75))
            assert (await anext(updates)).frame.column("close")[-1] == 1.75
            letters = await letters_of(backbone, 1)
            assert [(each.topic, each.partition, each.offset) for each in letters] == [(topic, 0, offsets[0])]
            [letter] = await dead_letters_on_kafka(services, settings, 1)
            assert (letter.key, letter.value) == (b"EURUSD", b"{not ours}")
            assert told(letter) == {
                "topic": topic,
                "partition": "0",
                "offset": str(offsets[0]),
                "error": letters[0].reason,
            }
            sent = await backbone.dead_letters.replay([f"{topic}/0/{offsets[0]}"])
            assert (sent.sent, sent.unreadable) == (1, 1)
            again = await letters_of(backbone, 1)
            assert again[0].offset != offsets[0]
            _, another = await dead_letters_on_kafka(services, settings, 2)
            assert told(another)["offset"] == str(again[0].offset)
            assert await backbone.dead_letters.drop() == 1
            assert await backbone.dead_letters.list() == []
            calls = Calls(backbone.system, backbone.path)
            while await lag_of(calls):
                with anyio.move_on_after(1):
                    await anext(updates)
            for close in (2.0, 2.25, 2.5):
                await backbone.record(bars(1, close=close))
            while await lag_of(calls) < 3:
                pass
            for close in (2.0, 2.25, 2.5):
                assert (await anext(updates)).frame.column("close")[-1] == close
            while await lag_of(calls):
                with anyio.move_on_after(1):
                    await anext(updates)


async def test_a_message_that_can_be_read_by_now_is_handed_out_after_it_was_sent_back(
    services: native.Services, tmp_path: Path
) -> None:
    """As one that an older process met, which did not know its form yet; its position is an old one by now."""
    settings = await opened_settings(services, tmp_path)
    topic = settings.stream.topic.format(dimension=Dimension(BARS).value)
    with anyio.fail_after(120):
        async with Backbone.open(settings) as backbone, backbone.subscribe(BARS) as updates:
            await backbone.record(bars(1, close=1.5))
            assert (await anext(updates)).frame.column("close")[-1] == 1.5
            key, value, headers = encoded(row(1, payload=encode(bars(1, close=1.75))))
            letter = DeadLetter("backbone", topic, 0, 2**40, "of a later form", b"", datetime.now(UTC))
            readable = msgspec.structs.replace(letter, payload=Message(key, value, tuple(headers)).packed())
            await Calls(backbone.system, backbone.path).ask("store", KeepDeadLetters((readable,)), 10.0)
            sent = await backbone.dead_letters.replay([f"{topic}/0/{2**40}"])
            assert (sent.sent, sent.unreadable) == (1, 0)
            assert (await anext(updates)).frame.column("close")[-1] == 1.75
            await backbone.record(bars(1, close=2.0))
            assert (await anext(updates)).frame.column("close")[-1] == 2.0


async def dead_letters_on_kafka(services: native.Services, settings: Settings, count: int) -> list[Any]:
    """What a client that is not ours finds in the topic of dead letters, in the order in which they came."""
    while True:
        found = await messages(services, settings.stream.topic.format(dimension="dlq"))
        if len(found) >= count:
            return sorted(found, key=lambda each: int(dict(each.headers)["dlq.offset"]))


def told(letter: Any) -> dict[str, str]:
    names = ("topic", "partition", "offset", "error")
    return {name: dict(letter.headers)[f"dlq.{name}"].decode() for name in names}


async def lag_of(calls: Calls) -> int:
    partitions = await calls.ask("stream/consumer", ReadLag(), 5.0)
    assert {each.partition for each in partitions} == {0, 1}
    return sum(each.lag for each in partitions)


async def letters_of(backbone: Backbone, count: int) -> list[DeadLetter]:
    while True:
        letters = await backbone.dead_letters.list()
        if len(letters) >= count:
            return letters
        await anyio.sleep(0.1)
