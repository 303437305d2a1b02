"""The contract of the cache, held on the real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
import pytest

from backbone.cache.policy import Policy
from backbone.cache.port import Cache
from backbone.services import native
from tests.contracts.conftest import MadeCache
from tests.contracts.test_cache import *  # noqa: F403
from tests.services.caches import cache_at, url_of


@pytest.fixture
def make_cache(services: native.Services) -> Callable[[Policy], MadeCache]:
    return lambda policy: MadeCache(cache_at(url_of(services), policy), anyio.sleep)


@pytest.fixture
async def cache(make_cache: Callable[[Policy], MadeCache]) -> AsyncIterator[Cache]:
    cache = make_cache(Policy()).cache
    await cache.open()
    yield cache
    await cache.close()
