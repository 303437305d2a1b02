"""A reader that is not ours, as the page shows it, reads what we publish."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread

from backbone.domain import encode
from backbone.domain.codec import checksum_of
from backbone.services import native
from backbone.store.records import OutboxRow
from backbone.stream.kafka.stream import KafkaStream
from backbone.stream.letters import Message
from tests.backbone.facade.kit import BARS, bars
from tests.backbone.stream.kit import MOMENT
from tests.services.brokers import make_topics, stream_settings
from tests.services.test_kafka_reading_faults import opened, sent_raw

PAGE = Path(__file__).parents[2] / "docs" / "how-to/read-kafka.md"
PAGES = ["how-to/read-kafka.md"]


def changed(position: int, symbol: str, close: float) -> OutboxRow:
    payload = encode(bars(1, close=close, symbol=symbol))
    event = f"event-{position}"
    return OutboxRow(position, event, "chunk", BARS, symbol, 1, position, payload, MOMENT, checksum_of(payload))


async def test_the_reader_of_the_page_prints_each_change_once(services: native.Services) -> None:
    settings = stream_settings(services, partitions=2, compression="gzip")
    await make_topics(settings)
    topic = settings.topic.format(dimension=BARS.value)
    rows = [changed(1, "EURUSD", 1.5), changed(2, "GBPUSD", 1.25), changed(3, "EURUSD", 1.75)]
    async with opened(KafkaStream(settings).publisher) as publisher:
        await publisher.publish(rows)
        await publisher.publish(rows)
        await sent_raw(services, topic, Message(b"EURUSD", b"{not ours}", ()))
        await publisher.publish([changed(4, "USDJPY", 150.0), changed(5, "EURUSD", 2.0)])
    printed = await anyio.to_thread.run_sync(_printed, services, topic, 5)
    assert sorted(printed) == ["EURUSD 1.5", "EURUSD 1.75", "EURUSD 2.0", "GBPUSD 1.25", "USDJPY 150.0"]
    assert [each for each in printed if "EURUSD" in each] == ["EURUSD 1.5", "EURUSD 1.75", "EURUSD 2.0"]


def _printed(services: native.Services, topic: str, lines: int) -> list[str]:
    """The first lines of the page's program, as the account that may only read."""
    [program] = re.findall(r"```python\n(.*?)```\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    environment = {**os.environ, **services.environment_of("reader"), "TOPIC": topic}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            return [child.stdout.readline().strip() for _ in range(lines)]
        finally:
            child.kill()
