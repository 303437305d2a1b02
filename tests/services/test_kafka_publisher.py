"""What publishes to Kafka, on the real broker, read by a client that is not ours."""

from __future__ import annotations

import os
import random
from pathlib import Path

import anyio
import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions

from backbone.domain.dimension import Dimension
from backbone.domain.hashing import partition_of
from backbone.services import launch, native
from backbone.services.machine import ensure_programs
from backbone.settings import Secret
from backbone.stream.errors import StreamClosed, StreamUnavailable
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.identity import Beginning, topic_ids
from backbone.stream.kafka.sending import Batches, Sending
from backbone.stream.kafka.wire import Marker
from backbone.stream.records import Record
from tests.contracts.test_stream import Row, row
from tests.services import clients
from tests.services.brokers import (
    QUOTES,
    make_topics,
    messages,
    positions,
    publisher_of,
    publishing,
    records,
    stream_settings,
)

TRADES = Dimension.TRADES
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "BTC-USD", "Ärmel", "ES=F")


def sized(position: int, size: int, symbol: str = "EURUSD") -> Row:
    """A change whose rows can't be compressed."""
    return msgspec.structs.replace(row(position, symbol), payload=random.Random(position).randbytes(size))


async def delete(services: native.Services, topic: str) -> None:
    async with clients.admin(services, "admin") as admin:
        await admin.delete_topics([topic])


async def test_changes_arrive_whole_on_the_topic_of_their_dimension_and_in_order_for_each_symbol(
    services: native.Services,
) -> None:
    settings = stream_settings(services)
    sent = [row(n, SYMBOLS[n % len(SYMBOLS)], TRADES if n % 5 == 0 else QUOTES) for n in range(1, 301)]
    async with publishing(settings) as publisher:
        await publisher.publish(sent[:120])
        await publisher.publish(sent[120:])
    for dimension in (QUOTES, TRADES):
        found = await records(services, settings.topic.format(dimension=dimension))
        wanted = {each.position: each for each in sent if each.dimension is dimension}
        assert sorted(positions(found)) == sorted(wanted)
        for symbol in SYMBOLS:
            mine = positions(found, symbol)
            assert mine == sorted(mine)
        for record in found:
            assert isinstance(record, Record)
            change = wanted[record.position]
            for name in change.__struct_fields__:
                assert getattr(record, "key" if name == "symbol" else name) == getattr(change, name)
            assert record.partition == partition_of(record.key, settings.partitions)


@pytest.mark.parametrize("partitions", [1, 8, 64])
async def test_a_symbol_lies_where_kafkas_own_client_for_java_would_put_it(
    services: native.Services, partitions: int
) -> None:
    seed = random.Random(7)
    keys = [*SYMBOLS, "", "a" * 1023, *("".join(map(chr, seed.choices(range(1, 0x2FF), k=n % 40))) for n in range(500))]
    try:
        await ensure_programs({"javac": "openjdk-17-jdk-headless"}, lock=services.data / ".jdk.lock", say=print)
    except native.Unavailable as error:
        if "kafka" in os.environ.get("BACKBONE_REQUIRE_SERVICES", ""):
            raise
        pytest.skip(f"NOT TESTED AGAINST KAFKA'S OWN CLIENT: {error}")
    install = await launch.SERVICES["kafka"].install(Path.home() / ".cache" / "backbone" / "services", print)
    source = Path(__file__).with_name("Partitions.java")
    done = await anyio.run_process(
        ["java", "-cp", f"{install}/libs/*", str(source), str(partitions)],
        input="".join(f"{key.encode().hex()}\n" for key in keys).encode(),
    )
    assert [int(line) for line in done.stdout.split()] == [partition_of(key, partitions) for key in keys]


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_whoever_reads_kafka_reads_what_was_compressed(services: native.Services, compression: str) -> None:
    settings = stream_settings(services, compression=compression)
    async with publishing(settings) as publisher:
        await publisher.publish([row(n) for n in range(1, 50)])
    assert positions(await records(services, settings.topic.format(dimension=QUOTES))) == list(range(1, 50))


async def test_k17_the_largest_payload_passes_with_its_key_and_headers(services: native.Services) -> None:
    settings = stream_settings(services)
    largest = settings.max_payload_bytes
    sizes = [largest - 1, largest, largest + 1]
    async with publishing(settings) as publisher:
        for n, size in enumerate(sizes, 1):
            await publisher.publish([sized(n, size, "S" * 1024)])
        await publisher.publish([sized(n, largest) for n in range(4, 12)])
    found = await records(services, settings.topic.format(dimension=QUOTES))
    assert sorted(len(each.payload) for each in found if isinstance(each, Record)) == sorted([*sizes, *[largest] * 8])


async def test_k17_what_no_broker_takes_is_told_and_hangs_nobody(services: native.Services) -> None:
    settings = stream_settings(services)
    async with publishing(settings) as publisher:
        with anyio.fail_after(10), pytest.raises(StreamUnavailable, match="MessageSizeTooLarge"):
            await publisher.publish([sized(1, 3 * 2**20)])


async def test_k6_a_batch_that_was_sent_twice_is_written_once(services: native.Services) -> None:
    settings = stream_settings(services)
    topics = await make_topics(settings)
    topic = topics.names[0]
    sending = Sending(Connection.of(settings), settings)
    place = TopicPartition(topic, 0)
    try:
        await sending.start()
        await sending.follow(topics.all)
        batch: Batches = {place: [(b"k", b"v", [])]}
        built = await sending._built(batch, {}, lambda message: message, apart=False)
        first, again = await sending._delivered(batch, dict(built)), await sending._tried(built)
    finally:
        await sending.close()
    assert first[place] == 0
    assert isinstance(again[place], int)
    assert len(await messages(services, topic)) == 1


async def test_k2_a_producer_whose_sequence_is_out_of_order_is_of_no_use_and_another_one_is(
    services: native.Services,
) -> None:
    settings = stream_settings(services)
    async with publishing(settings) as publisher:
        await publisher.publish([row(1)])
        sending = publisher._sending
        assert sending is not None
        for place in list(sending._sequences):
            sending._sequences[place] += 5
        for _ in range(2):
            with anyio.fail_after(10), pytest.raises(StreamUnavailable, match="OutOfOrderSequence"):
                await publisher.publish([row(2)])
    async with publishing(settings) as another:
        await another.publish([row(2)])
    assert positions(await records(services, settings.topic.format(dimension=QUOTES))) == [1, 2]


async def test_a_topic_that_was_made_anew_is_noticed_before_the_next_batch_and_lacks_what_it_had(
    services: native.Services,
) -> None:
    settings = stream_settings(services)
    quotes, trades = (settings.topic.format(dimension=each) for each in (QUOTES, TRADES))
    async with publishing(settings) as publisher:
        filled = await publisher.resume(0)
        await publisher.publish([row(1), row(2, dimension=TRADES)])
        await delete(services, quotes)
        with anyio.fail_after(30):
            while quotes in await ids(services):
                await anyio.lowlevel.checkpoint()
        await make_topics(settings)
        with pytest.raises(StreamUnavailable, match=f"the topic {quotes} was made anew"):
            await publisher.publish([row(3), row(4, dimension=TRADES)])
    assert positions(await records(services, quotes)) == []
    async with publishing(settings) as another:
        lacking = await another.resume(2, filled)
        assert [each.partition("/")[0] for each in lacking] == [quotes]
        await another.publish([row(1), row(2, dimension=TRADES)])
        await another.publish([row(3), row(4, dimension=TRADES)])
    assert positions(await records(services, quotes)) == [1, 3]
    assert positions(await records(services, trades)) == [2, 4]


async def test_a_topic_that_got_more_partitions_is_filled_again_for_its_symbols_lie_elsewhere(
    services: native.Services,
) -> None:
    settings = stream_settings(services, partitions=2)
    quotes = settings.topic.format(dimension=QUOTES)
    async with publishing(settings) as publisher:
        filled = await publisher.resume(0)
        await publisher.publish([row(1)])
        async with clients.admin(services, "admin") as admin:
            await admin.create_partitions({quotes: NewPartitions(total_count=8)})
            with anyio.fail_after(30):  # what the controller has made, its broker learns a moment later
                while len((await admin.describe_topics([quotes]))[0]["partitions"]) < 8:
                    await anyio.lowlevel.checkpoint()
        with pytest.raises(StreamUnavailable, match="has other partitions"):
            await publisher.publish([row(2)])
    async with publishing(settings) as another:
        assert [each.partition("/")[0] for each in await another.resume(1, filled)] == [quotes]


async def test_a_marker_is_put_into_every_partition_and_the_control_topic_knows_where(
    services: native.Services,
) -> None:
    settings = stream_settings(services, partitions=4)
    topics = await make_topics(settings)
    async with publishing(settings) as publisher:
        await publisher.publish([row(n, SYMBOLS[n % 6]) for n in range(1, 20)])
        await publisher.begin_again(10)
        await publisher.publish([row(n, SYMBOLS[n % 6]) for n in range(11, 14)])
    [control] = [each for each in await messages(services, topics.control) if each.partition == 0]
    beginning = msgspec.json.decode(control.value, type=Beginning)
    assert beginning.position == 10
    for topic in topics.names:
        found = await records(services, topic)
        raw = await messages(services, topic)
        markers = {
            str(at.partition): at.offset for each, at in zip(found, raw, strict=True) if isinstance(each, Marker)
        }
        assert {each for each in found if isinstance(each, Marker)} == {Marker(beginning.generation, 10)}
        assert beginning.offsets[topic] == markers
        assert len(markers) == 4


async def test_a_probe_is_a_record_that_was_acknowledged(services: native.Services) -> None:
    settings = stream_settings(services)
    topics = await make_topics(settings)
    async with publishing(settings) as publisher:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(publisher.probe)
        answer = await publisher.probe()
    assert (answer.backend, answer.healthy) == ("kafka", True)
    assert answer.details["acknowledged"] == f"{topics.control}/1@5"
    assert len([each for each in await messages(services, topics.control) if each.partition == 1]) == 6


async def test_missing_topics_are_told_with_what_to_do(services: native.Services) -> None:
    settings = stream_settings(services)
    publisher = publisher_of(settings)
    with pytest.raises(StreamUnavailable, match="backbone connectors --ensure-topics"):
        await publisher.open()
    with pytest.raises(StreamClosed):
        await publisher.publish([row(1)])
    await publisher.close()
    await publisher.close()


async def test_k12_asking_for_a_topic_makes_none(services: native.Services) -> None:
    settings = stream_settings(services)
    sending = Sending(Connection.of(settings), settings)
    try:
        await sending.start()
        assert await sending.seen(["backbone.nobody-made-this"]) == {}
    finally:
        await sending.close()


async def test_a_wrong_password_is_told_and_not_shown(services: native.Services) -> None:
    settings = stream_settings(services, password=Secret("canary-of-a-password"))
    publisher = publisher_of(settings)
    with pytest.raises(StreamUnavailable, match=r"(?i)authentication") as refused:
        await publisher.open()
    await publisher.close()
    assert "canary" not in f"{refused.value!r} {publisher!r} {Connection.of(settings)!r}"


async def test_nothing_listening_is_told_at_once(services: native.Services) -> None:
    settings = stream_settings(services, bootstrap="127.0.0.1:1")
    publisher = publisher_of(settings)
    with anyio.fail_after(5), pytest.raises(StreamUnavailable, match=r"127\.0\.0\.1:1 did not connect"):
        await publisher.open()
    await publisher.close()


async def ids(services: native.Services) -> dict[str, str]:
    settings = stream_settings(services)
    sending = Sending(Connection.of(settings), settings)
    try:
        await sending.start()
        return await topic_ids(sending._client)
    finally:
        await sending.close()
