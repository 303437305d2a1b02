"""Topics on the brokers: those that are missing are made, those that are there are compared and left as they are.

The partitions of a topic that is there are never changed, for the partition of a symbol depends on their number: with
others its older records would be read after its newer ones. So a difference is told, and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import anyio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from backbone.domain.text import folded
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.client import Client
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.failures import told
from backbone.stream.provisioned import Provisioned
from backbone.stream.topics import Topics

__all__ = ["provision"]

_TIMEOUT: Final = 6.0
_CLOSE_TIMEOUT: Final = 1.0
_KNOWN_TIMEOUT: Final = 4.0
_LOOK_AGAIN: Final = 0.02
_THERE: Final = "it is there, but the brokers do not list it yet; ask again"
_UNLISTED: Final = "it was made, but the brokers do not list it yet; ask again"
_LARGEST: Final = "max.message.bytes"
_BY_THEMSELVES: Final = "auto.create.topics.enable"


class _Found(NamedTuple):
    """A topic on the brokers."""

    partitions: int
    copies: int
    config: Mapping[str, str]


async def provision(connection: Connection, topics: Topics, *, dry_run: bool = False) -> Provisioned:
    """Look for the topics, make those that are missing, and compare the others; within seconds, whatever happens there.

    Args:
        connection: to the brokers.
        topics: what is asked for.
        dry_run: make nothing.
    """
    try:
        with anyio.fail_after(_TIMEOUT):
            async with told(connection, "list its topics"), _admin(connection) as admin:
                return await _provisioned(admin, topics, dry_run=dry_run)
    except StreamUnavailable as error:
        why = folded(error)
    except TimeoutError:
        why = f"kafka at {connection} gave no answer within {_TIMEOUT:g} s"
    return Provisioned(requested=topics.all, failed=dict.fromkeys(topics.all, why), dry_run=dry_run)


@asynccontextmanager
async def _admin(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection.client())
    admin._client = Client(connection)
    try:
        await admin.start()
        yield admin
    finally:
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            await admin.close()


async def _provisioned(admin: AIOKafkaAdminClient, topics: Topics, *, dry_run: bool) -> Provisioned:
    found = await _found(admin, topics)
    missing = [name for name in topics.all if name not in found]
    failed = {} if dry_run or not missing else await _created(admin, topics, missing)
    if there := [name for name, why in failed.items() if why == _THERE]:  # another process was faster
        again = await _found(admin, topics)
        found |= {name: again[name] for name in there if name in again}
    failed = {name: why for name, why in failed.items() if name not in found}
    stalls = tuple(_stalls(topics, found))
    return Provisioned(
        requested=topics.all,
        existing={name: found[name].partitions for name in topics.all if name in found},
        created={} if dry_run else {name: topics.partitions(name) for name in missing if name not in {*failed, *there}},
        missing=tuple(missing) if dry_run else (),
        failed=failed,
        notes=(*stalls, *_differences(topics, found), *await _about_brokers(admin)),
        stalls=stalls,
        dry_run=dry_run,
    )


async def _found(admin: AIOKafkaAdminClient, topics: Topics) -> dict[str, _Found]:
    """Of the topics asked for, those that are there.

    All are listed and none is asked for by its name, which would create it on brokers that create topics by themselves.
    """
    listed = {each["topic"]: each["partitions"] for each in await admin.describe_topics()}
    there = [name for name in topics.all if name in listed]
    configs = await _configs(admin, ConfigResourceType.TOPIC, {name: [*topics.config(name)] for name in there})
    return {
        name: _Found(
            len(listed[name]), min((len(each["replicas"]) for each in listed[name]), default=0), configs.get(name, {})
        )
        for name in there
    }


async def _configs(
    admin: AIOKafkaAdminClient, kind: ConfigResourceType, wanted: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, str]]:
    """Values by name of the thing and of the property; without those that this user may not see."""
    if not wanted:
        return {}
    asked = [ConfigResource(kind, name, dict.fromkeys(keys, "")) for name, keys in wanted.items()]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(asked):
        for code, _, _, name, entries in answer.resources:
            if code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found


async def _created(admin: AIOKafkaAdminClient, topics: Topics, names: Sequence[str]) -> dict[str, str]:
    """Make topics; returns those that were not made, with the reason."""
    new = [
        NewTopic(name, topics.partitions(name), topics.replication(name), topic_configs=dict(topics.config(name)))
        for name in names
    ]
    if (await admin.describe_cluster())["controller_id"] < 0:
        return dict.fromkeys(names, "the cluster has no controller at the moment; try again")
    answer = await admin.create_topics(new, timeout_ms=int(_TIMEOUT * 1000))
    refused = {name: _why(for_code(code), rest) for name, code, *rest in answer.topic_errors if code}
    there = {name for name in names if refused.get(name, _THERE) == _THERE}
    return {**refused, **dict.fromkeys(there - await _listed(admin, there) - refused.keys(), _UNLISTED)}


async def _listed(admin: AIOKafkaAdminClient, names: set[str]) -> set[str]:
    """Which of these the brokers know: what the controller has made, they are told a moment later."""
    listed: set[str] = set()
    with anyio.move_on_after(_KNOWN_TIMEOUT):
        listed = names & {each["topic"] for each in await admin.describe_topics()}
        while listed != names:
            await anyio.sleep(_LOOK_AGAIN)
            listed = names & {each["topic"] for each in await admin.describe_topics()}
    return listed


def _why(error: type[Any], rest: Sequence[str | None]) -> str:
    """Why a topic was not made."""
    if error is TopicAlreadyExistsError:
        return _THERE
    said = next(filter(None, rest), None) or getattr(error, "description", None) or "no reason given"
    remedy = (
        "; let the user create topics, or have an administrator create it" if "Authorization" in error.__name__ else ""
    )
    return f"{error.__name__.removesuffix('Error')}: {folded(said)}{remedy}"


def _stalls(topics: Topics, found: Mapping[str, _Found]) -> Iterator[str]:
    """Where records could not get through: those that are too large for the topic would be refused for ever."""
    for name, each in found.items():
        largest = each.config.get(_LARGEST, "")
        if largest.isdecimal() and int(largest) < topics.message_bytes:
            yield (
                f"{name}: {_LARGEST} is {largest}, a batch may have {topics.message_bytes} bytes; "
                f"raise it with kafka-configs, or lower stream.max_payload_bytes and stream.batch_bytes"
            )


def _differences(topics: Topics, found: Mapping[str, _Found]) -> Iterator[str]:
    """What is otherwise than asked for, and works all the same."""
    for name, each in found.items():
        asked = topics.partitions(name)
        if each.partitions != asked:
            yield (
                f"{name} has {each.partitions} partitions, {asked} are asked for; it keeps them, since with others "
                "symbols would move between partitions: ask for as many, or name a new topic"
            )
        if each.copies < topics.replication(name):
            yield (
                f"{name} has {each.copies} copies, {topics.replication(name)} are asked for; an administrator adds "
                "them with kafka-reassign-partitions"
            )
        for key, value in topics.config(name).items():
            if key != _LARGEST and key in each.config and each.config[key] != value:
                yield f"{name}: {key} is {each.config[key]}, {value} is asked for; kafka-configs changes it"


async def _about_brokers(admin: AIOKafkaAdminClient) -> list[str]:
    """What is unwise about the brokers, where this user may see it."""
    brokers = (await admin.describe_cluster())["brokers"]
    if not brokers:  # all were out of touch with their controller a moment ago, as one is that was frozen
        return []
    broker = str(brokers[0]["node_id"])
    config = await _configs(admin, ConfigResourceType.BROKER, {broker: [_BY_THEMSELVES]})
    if config.get(broker, {}).get(_BY_THEMSELVES) != "true":
        return []
    return [
        f"{_BY_THEMSELVES} is true on the brokers: a topic that was deleted comes back as they like; set it to false"
    ]
