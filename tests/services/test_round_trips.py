"""A round trip through each real server by its bare client: it comes back on the stack, and fails where one is down."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import anyio
import pytest

from backbone.services import native
from tests.services.clients import NAMES, cache, consume_one, produce, store, topic


async def through_timescale(services: native.Services) -> None:
    table, nonce = f"round_trip_{secrets.token_hex(4)}", secrets.token_hex(8)
    connection = await store(services)
    try:
        await connection.execute(f"CREATE TEMP TABLE {table} (nonce text)")
        await connection.execute(f"INSERT INTO {table} VALUES ($1)", nonce)  # noqa: S608
        assert await connection.fetchval(f"SELECT nonce FROM {table}") == nonce  # noqa: S608
    finally:
        await connection.close(timeout=2)


async def through_redis(services: native.Services) -> None:
    key, nonce = f"backbone:round-trip:{secrets.token_hex(4)}", secrets.token_hex(8)
    async with cache(services) as client:
        await client.set(key, nonce, ex=30)
        assert await client.get(key) == nonce.encode()
        assert 0 < await client.ttl(key) <= 30


async def through_kafka(services: native.Services) -> None:
    nonce = secrets.token_bytes(16)
    name = await topic(services)
    await produce(services, name, nonce)
    assert await consume_one(services, name) == nonce


TRIPS: dict[str, Callable[[native.Services], Awaitable[None]]] = {
    "timescale": through_timescale,
    "redis": through_redis,
    "kafka": through_kafka,
}


@pytest.mark.parametrize("name", NAMES)
async def test_what_goes_in_comes_out_again(services: native.Services, name: str) -> None:
    with anyio.fail_after(60):
        await TRIPS[name](services)


@pytest.mark.parametrize("name", NAMES)
async def test_with_one_server_stopped_its_round_trip_alone_fails(services: native.Services, name: str) -> None:
    services.kill(name)
    try:
        for each in NAMES:
            failed = False
            try:
                with anyio.fail_after(30):
                    await TRIPS[each](services)
            except Exception:
                failed = True
            assert failed == (each == name), each
    finally:
        await services.restart(name)
    with anyio.fail_after(60):
        await TRIPS[name](services)
