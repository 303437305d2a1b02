"""Topics on brokers that answer otherwise than a broker at rest does."""

from __future__ import annotations

from typing import Any

import pytest

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.kafka import provisioning
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.provisioning import provision
from backbone.stream.topics import Topics

SETTINGS = StreamSettings(backend="kafka", bootstrap="kafka-1:9092")


class Brokerless:
    """An answer as of a broker that was frozen, and that its controller has given up for the moment."""

    def __init__(self, **_: Any) -> None:
        pass

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def describe_topics(self) -> list[Any]:
        return []

    async def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [], "controller_id": -1, "cluster_id": "c"}


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_cluster_that_lists_no_broker_at_the_moment_is_told_and_no_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, *, dry_run: bool
) -> None:
    monkeypatch.setattr(provisioning, "AIOKafkaAdminClient", Brokerless)
    topics = Topics.of(SETTINGS)
    found = await provision(Connection.of(SETTINGS), topics, dry_run=dry_run)
    assert found.existing == {}
    assert (found.missing, set(found.failed)) == ((topics.all, set()) if dry_run else ((), {*topics.all}))
    assert all("no controller" in why for why in found.failed.values())
