"""The bare clients of the real servers, and the launcher as a program."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from backbone.services import native

ROOT = Path(__file__).parents[2]


NAMES = ("timescale", "redis", "kafka")


def child(*command: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)


async def store(services: native.Services) -> asyncpg.Connection:
    return await asyncpg.connect(services.environment["BACKBONE_STORE_URL"], timeout=5, command_timeout=10)


def cache(services: native.Services, role: str = "owner") -> Redis:
    url = services.environment_of(role)["BACKBONE_CACHE_URL"]
    return Redis.from_url(url, socket_timeout=1, retry=Retry(NoBackoff(), 0))


def broker(services: native.Services, role: str = "owner", **more: object) -> dict[str, Any]:
    """The arguments of every client of Kafka: where it is, and as whom to log in."""
    values = services.environment_of(role)
    login = {
        "bootstrap_servers": values["BACKBONE_STREAM_BOOTSTRAP"],
        "security_protocol": values["BACKBONE_STREAM_SECURITY_PROTOCOL"],
        "sasl_mechanism": values["BACKBONE_STREAM_SASL_MECHANISM"],
        "sasl_plain_username": values["BACKBONE_STREAM_USER"],
        "sasl_plain_password": values["BACKBONE_STREAM_PASSWORD"],
    }
    return login | more


@asynccontextmanager
async def admin(services: native.Services, role: str = "owner", **more: object) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**broker(services, role, **more))
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def topic(services: native.Services) -> str:
    name = f"backbone.topic-{secrets.token_hex(4)}"
    async with admin(services) as client:
        await client.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
    return name


async def produce(services: native.Services, name: str, value: bytes, role: str = "owner", **more: object) -> None:
    producer = AIOKafkaProducer(**broker(services, role, **more), enable_idempotence=True, acks="all")
    try:
        await producer.start()
        await producer.send_and_wait(name, value, key=b"EURUSD")
    finally:
        await producer.stop()


async def consume_one(services: native.Services, name: str, role: str = "owner", **more: object) -> bytes:
    consumer = AIOKafkaConsumer(
        name,
        **broker(services, role, **more),
        group_id=f"backbone-group-{secrets.token_hex(4)}",
        auto_offset_reset="earliest",
    )
    try:
        await consumer.start()
        with anyio.fail_after(20):
            message = await consumer.getone()
        await consumer.commit()
    finally:
        await consumer.stop()
    assert isinstance(message.value, bytes)
    return message.value


async def status_of(services: native.Services, name: str) -> native.ServiceStatus:
    return next(each for each in await services.status() if each.name == name)


async def command(*arguments: str) -> tuple[int, str]:
    done = await anyio.run_process(
        [sys.executable, "-m", "backbone.services.native", *arguments], cwd=ROOT, check=False, stderr=None
    )
    return done.returncode, done.stdout.decode()
