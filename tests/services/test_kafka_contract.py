"""The contract of the stream, held on Apache Kafka."""

from __future__ import annotations

import pytest

from backbone.services import native
from backbone.stream.kafka.stream import KafkaStream
from backbone.stream.port import Stream
from tests.contracts.conftest import publisher, subscriber  # noqa: F401  fixtures
from tests.contracts.test_stream import *  # noqa: F403
from tests.services.brokers import make_topics, stream_settings


@pytest.fixture
async def stream(services: native.Services) -> Stream:
    """Topics that nobody has used, of the four partitions that the contract speaks of."""
    settings = stream_settings(services, partitions=4)
    await make_topics(settings)
    return KafkaStream(settings)
