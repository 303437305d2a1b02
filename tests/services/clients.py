"""The bare clients of the real servers, and the launcher as a program."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

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


def cache(services: native.Services) -> Redis:
    return Redis.from_url(services.environment["BACKBONE_CACHE_URL"], socket_timeout=1, retry=Retry(NoBackoff(), 0))


async def topic(services: native.Services) -> str:
    name = f"topic-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=services.environment["BACKBONE_STREAM_BOOTSTRAP"])
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
    finally:
        await admin.close()
    return name


async def produce(services: native.Services, name: str, value: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=services.environment["BACKBONE_STREAM_BOOTSTRAP"], enable_idempotence=True, acks="all"
    )
    await producer.start()
    try:
        await producer.send_and_wait(name, value, key=b"EURUSD")
    finally:
        await producer.stop()


async def consume_one(services: native.Services, name: str) -> bytes:
    consumer = AIOKafkaConsumer(
        name,
        bootstrap_servers=services.environment["BACKBONE_STREAM_BOOTSTRAP"],
        group_id=f"group-{secrets.token_hex(4)}",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
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
