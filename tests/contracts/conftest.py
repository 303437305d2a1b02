"""The adapters that the contracts run on: add a factory to a list and the adapter is held to the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from backbone.cache.memory import MemoryCache
from backbone.cache.policy import Policy
from backbone.cache.port import Cache
from backbone.store.duckdb import DuckDBStore
from backbone.store.port import Store
from backbone.stream.memory import MemoryLog
from backbone.stream.port import Log

STORES: dict[str, Callable[[Path], Store]] = {
    "duckdb": lambda folder: DuckDBStore(folder / "store.duckdb", max_payload_bytes=16 * 1024),
}


class MadeCache(NamedTuple):
    """A cache, and how time passes for it: seconds that it believes, or that are really waited."""

    cache: Cache
    elapse: Callable[[float], Awaitable[None]]


def memory_cache(policy: Policy) -> MadeCache:
    now = [100.0]

    async def elapse(seconds: float) -> None:
        now[0] += seconds

    return MadeCache(MemoryCache(policy, clock=lambda: now[0], seed=1), elapse)


CACHES: dict[str, Callable[[Policy], MadeCache]] = {"memory": memory_cache}
LOGS: dict[str, Callable[[], Log]] = {"memory": lambda: MemoryLog(partitions=4)}


@pytest.fixture(params=list(LOGS))
async def log(request: pytest.FixtureRequest) -> AsyncIterator[Log]:
    log = LOGS[request.param]()
    await log.open()
    yield log
    await log.close()


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
