"""Caches on the real Redis, and an operator who may do there what backbone may not."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from backbone.cache.key import CacheKey
from backbone.cache.policy import Policy
from backbone.cache.port import Cache, CacheEntry, Hit, Miss
from backbone.cache.redis import RedisCache
from backbone.cache.redis.address import Address
from backbone.cache.redis.connections import Bounds, Connections
from backbone.domain import Dimension, encode
from backbone.domain.codec import checksum_of
from backbone.services import native
from backbone.services import redis as launcher
from backbone.settings.secrets import Secret
from backbone.settings.sections.cache import CacheSettings
from tests.backbone.facade.kit import bars

BARS = Dimension.INTRADAY_BARS
EURUSD = CacheKey(BARS, ("EURUSD",), "1h", limit=500)
OPERATOR = f"{launcher.RIGHTS['backbone']} +config +client +debug +flushall +flushdb +keys +info"


def url_of(services: native.Services) -> str:
    return services.environment["BACKBONE_CACHE_URL"]


def settings(url: str, **more: Any) -> CacheSettings:
    return CacheSettings(backend="redis", url=Secret(url), **more)


def fresh_database() -> Callable[[], Awaitable[str]]:
    """A database that nobody has cached anything of."""
    name = secrets.token_hex(8)

    async def asked() -> str:
        return name

    return asked


def cache_at(url: str, policy: Policy | None = None, *, bounds: Bounds | None = None, **more: Any) -> RedisCache:
    """A cache that is not open yet, of a database of its own unless one is given."""
    own = settings(url)
    more.setdefault("database", fresh_database())
    return RedisCache(Connections(Address.of(own), bounds or Bounds.of(own)), policy=policy, **more)


@asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[RedisCache]:
    cache = cache_at(url, **more)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


@asynccontextmanager
async def operator(url: str) -> AsyncIterator[Redis]:
    """The bare client; on a server of `operable` it may also change the configuration."""
    client = Redis.from_url(url, socket_timeout=5)
    try:
        yield client
    finally:
        await client.aclose()


def key_of(number: int) -> CacheKey:
    return CacheKey(BARS, (f"S{number}",))


def entry(position: int, count: int = 0) -> CacheEntry:
    """A window of so many rows as the position says, or of others."""
    rows = encode(bars(count or position))
    return CacheEntry(rows, position, checksum_of(rows))


async def lease_of(cache: Cache, key: CacheKey = EURUSD, at_least: int = 0) -> str:
    found = await cache.get(key, at_least=at_least)
    assert isinstance(found, Miss), found
    return found.lease


async def load(cache: Cache, position: int, key: CacheKey = EURUSD, payload: CacheEntry | None = None) -> bool:
    return await cache.put(key, payload or entry(position), await lease_of(cache, key, at_least=2**60))


async def position_of(cache: Cache, key: CacheKey = EURUSD) -> int | None:
    """Of what is served; who loads it is not kept waiting."""
    found = await cache.get(key)
    if isinstance(found, Miss):
        await cache.release(key, found.lease)
    return found.entry.position if isinstance(found, Hit) else None
