"""The adapters that the contracts run on: add a factory to a list and the adapter is held to the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from backbone.cache.memory import MemoryCache
from backbone.cache.policy import Policy
from backbone.cache.port import Cache
from backbone.store.duckdb import DuckDBStore
from backbone.store.port import Store
from backbone.stream.memory import MemoryStream
from backbone.stream.port import Publisher, Stream, Subscriber
from tests.backbone.cache.redis_double import RedisDouble, cache_on

STORES: dict[str, Callable[..., Store]] = {
    "duckdb": lambda folder, **more: DuckDBStore(folder / "store.duckdb", max_payload_bytes=16 * 1024, **more),
}
STREAMS: dict[str, Callable[[], Stream]] = {"memory": lambda: MemoryStream(partitions=4)}


class Clock:
    """A wall clock that says what it is set to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class MadeCache(NamedTuple):
    """A cache, and how time passes for it: seconds that it believes, or that are really waited."""

    cache: Cache
    elapse: Callable[[float], Awaitable[None]]


def memory_cache(policy: Policy) -> MadeCache:
    now = [100.0]

    async def elapse(seconds: float) -> None:
        now[0] += seconds

    return MadeCache(MemoryCache(policy, clock=lambda: now[0], seed=1), elapse)


def redis_cache(policy: Policy) -> MadeCache:
    """The adapter for Redis over a double of it; on the real one it is held to the same in tests/services."""
    now = [100.0]

    async def elapse(seconds: float) -> None:
        now[0] += seconds

    return MadeCache(cache_on(RedisDouble(lambda: now[0]), lambda: now[0], policy=policy), elapse)


CACHES: dict[str, Callable[[Policy], MadeCache]] = {"memory": memory_cache, "redis": redis_cache}


@pytest.fixture(params=list(STREAMS))
def stream(request: pytest.FixtureRequest) -> Stream:
    return STREAMS[request.param]()


@pytest.fixture
async def publisher(stream: Stream) -> AsyncIterator[Publisher]:
    publisher = stream.publisher()
    await publisher.open()
    yield publisher
    await publisher.close()


@pytest.fixture
async def subscriber(stream: Stream) -> AsyncIterator[Subscriber]:
    subscriber = stream.subscriber()
    await subscriber.open()
    yield subscriber
    await subscriber.close()


@pytest.fixture(params=list(CACHES))
def make_cache(request: pytest.FixtureRequest) -> Callable[[Policy], MadeCache]:
    return CACHES[request.param]


@pytest.fixture
async def cache(make_cache: Callable[[Policy], MadeCache]) -> AsyncIterator[Cache]:
    cache = make_cache(Policy()).cache
    await cache.open()
    yield cache
    await cache.close()


@pytest.fixture(params=list(STORES))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store = STORES[request.param](tmp_path)
    await store.open()
    await store.migrate()
    yield store
    await store.close()


@pytest.fixture(params=list(STORES))
async def set_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, Clock]]:
    """A store whose wall clock the test sets."""
    clock = Clock()
    store = STORES[request.param](tmp_path, clock=clock)
    await store.open()
    await store.migrate()
    yield store, clock
    await store.close()
