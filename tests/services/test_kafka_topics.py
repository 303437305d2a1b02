"""Topics on a real broker: made where they are missing, compared where they are there, and never changed."""

from __future__ import annotations

import secrets
from typing import Any

import anyio
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from backbone.domain import Dimension
from backbone.services import native
from backbone.settings import load_settings
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.provisioning import provision
from backbone.stream.provisioned import Provisioned
from backbone.stream.topics import Topics
from tests.services.clients import admin

QUOTES = Dimension.QUOTES


def stream(services: native.Services, role: str = "owner", **overrides: object) -> StreamSettings:
    """Settings with topics of the test's own; two underscores stand for a dot."""
    given: dict[str, object] = {"stream.topic": f"backbone.t{secrets.token_hex(4)}.{{dimension}}"}
    given |= {f"stream.{name.replace('__', '.')}": each for name, each in overrides.items()}
    return load_settings(profile="institutional", env=services.environment_of(role), overrides=given).stream


async def provisioned(settings: StreamSettings, *, dry_run: bool = False) -> Provisioned:
    with anyio.fail_after(20):
        return await provision(Connection.of(settings), Topics.of(settings), dry_run=dry_run)


async def listed(services: native.Services) -> set[str]:
    async with admin(services, "admin") as client:
        return set(await client.list_topics())


async def config(client: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    [answer] = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    [(_, _, _, _, entries)] = answer.resources
    return {entry[0]: entry[1] for entry in entries}


async def test_a_dry_run_makes_nothing_the_next_run_makes_all_and_a_second_one_finds_them(
    services: native.Services,
) -> None:
    settings = stream(services)
    wanted = Topics.of(settings).all
    dry = await provisioned(settings, dry_run=True)
    assert (dry.requested, dry.missing, dry.created, dry.existing) == (wanted, wanted, {}, {})
    assert not set(wanted) & await listed(services)
    first = await provisioned(settings)
    assert (set(first.created), first.existing, first.failed, first.notes) == (set(wanted), {}, {}, ())
    assert set(wanted) <= await listed(services)
    second = await provisioned(settings)
    assert (second.existing, second.created, second.notes) == (first.created, {}, ())
    assert second.complete


async def test_topics_are_made_as_they_are_asked_for(services: native.Services) -> None:
    settings = stream(services, partitions=4, topic_config="retention.ms=3600000", quotes__partitions=16)
    assert (await provisioned(settings)).failed == {}
    topics = Topics.of(settings)
    quotes, trades = topics.name(QUOTES), topics.name(Dimension.TRADES)
    assert quotes is not None
    assert trades is not None
    async with admin(services, "admin") as client:
        found = {each["topic"]: len(each["partitions"]) for each in await client.describe_topics()}
        assert (found[quotes], found[trades]) == (16, 4)
        assert topics.config(quotes).items() <= (await config(client, quotes)).items()
        assert (await config(client, quotes))["retention.ms"] == "3600000"


@pytest.mark.parametrize("there", [2, 16])
async def test_a_topic_of_another_number_of_partitions_is_told_and_left_as_it_is(
    services: native.Services, there: int
) -> None:
    settings = stream(services)
    name = Topics.of(settings).name(QUOTES)
    assert name is not None
    async with admin(services) as client:
        await client.create_topics([NewTopic(name, there, 1)])
        for _ in range(2):
            found = await provisioned(settings)
            assert found.existing[name] == there
            assert f"{name} has {there} partitions, 8 are asked for; it keeps them" in " ".join(found.notes)
        [described] = [each for each in await client.describe_topics() if each["topic"] == name]
        assert len(described["partitions"]) == there


async def test_k17_a_topic_that_takes_less_than_is_sent_is_told_as_what_stalls(services: native.Services) -> None:
    settings = stream(services, topic_config="retention.ms=60000")
    name = Topics.of(settings).name(QUOTES)
    assert name is not None
    async with admin(services) as client:
        await client.create_topics([NewTopic(name, 8, 1, topic_configs={"max.message.bytes": "1000"})])
    found = await provisioned(settings)
    [stall] = found.stalls
    assert stall.startswith(f"{name}: max.message.bytes is 1000, a batch may have 1114112 bytes")
    assert f"{name}: retention.ms is 604800000, 60000 is asked for" in " ".join(found.notes)


async def test_k12_looking_for_topics_asks_for_none_by_its_name(
    services: native.Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that creates topics by itself would make what is asked for by its name."""
    asked: list[list[str] | None] = []
    describe = AIOKafkaAdminClient.describe_topics

    async def noted(self: AIOKafkaAdminClient, topics: list[str] | None = None) -> object:
        asked.append(topics)
        return await describe(self, topics)

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_topics", noted)
    await provisioned(stream(services), dry_run=True)
    assert asked == [None]


async def test_k12_brokers_that_create_topics_by_themselves_are_told_where_one_may_see_it(
    services: native.Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await provisioned(stream(services, "admin"), dry_run=True)).notes == ()
    describe = AIOKafkaAdminClient.describe_configs

    async def switched_on(self: AIOKafkaAdminClient, resources: list[ConfigResource]) -> Any:
        answers = await describe(self, resources)
        for answer in answers if resources[0].resource_type is ConfigResourceType.BROKER else ():
            answer.resources = [
                (*facts, [(entry[0], "true", *entry[2:]) for entry in entries]) for *facts, entries in answer.resources
            ]
        return answers

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_configs", switched_on)
    [note] = (await provisioned(stream(services, "admin"), dry_run=True)).notes
    assert note.startswith("auto.create.topics.enable is true on the brokers")


async def test_who_may_not_create_topics_is_told_so_for_each_of_them(services: native.Services) -> None:
    settings = stream(services, "reader")
    found = await provisioned(settings)
    assert set(found.failed) == set(Topics.of(settings).all)
    for why in found.failed.values():
        assert "TopicAuthorizationFailed" in why
        assert "let the user create topics" in why


async def test_a_broker_that_is_down_frozen_or_lets_nobody_in_is_a_reason_for_each_topic(
    services: native.Services,
) -> None:
    settings = stream(services, password="Wr0ng-pass")  # noqa: S106
    found = await provisioned(settings)
    assert set(found.failed) == set(Topics.of(settings).all)
    assert "Wr0ng-pass" not in repr(found)
    services.freeze("kafka")
    try:
        found = await provisioned(stream(services))
        assert all("no answer" in why for why in found.failed.values())
    finally:
        services.thaw("kafka")
    services.kill("kafka")
    try:
        found = await provisioned(stream(services))
        assert len(found.failed) == 8
        assert all("127.0.0.1" in why for why in found.failed.values())
    finally:
        await services.restart("kafka")
    settings = stream(services)
    with anyio.fail_after(60):  # a broker that was killed lists what is made only some seconds after it is back
        while not (await provisioned(settings)).complete:
            pass
