"""The contract of the store, held on TimescaleDB and on plain PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from backbone.services import native
from backbone.store.port import Store
from tests.contracts.conftest import Clock
from tests.contracts.test_store_bars import *  # noqa: F403
from tests.contracts.test_store_clock import *  # noqa: F403
from tests.contracts.test_store_events import *  # noqa: F403
from tests.contracts.test_store_inbox import *  # noqa: F403
from tests.contracts.test_store_newest import *  # noqa: F403
from tests.contracts.test_store_read import *  # noqa: F403
from tests.contracts.test_store_write import *  # noqa: F403
from tests.services.stores import KINDS, drop_database, empty, make_database, opened


@pytest.fixture(scope="module", params=KINDS)
def dsn(services: native.Services, request: pytest.FixtureRequest) -> Iterator[str]:
    address = anyio.run(make_database, services, request.param)
    yield address
    anyio.run(drop_database, services, address)


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[Store]:
    await empty(dsn)
    async with opened(dsn, max_payload_bytes=16 * 1024) as store:
        yield store


@pytest.fixture
async def set_store(dsn: str) -> AsyncIterator[tuple[Store, Clock]]:
    clock = Clock()
    await empty(dsn)
    async with opened(dsn, clock=clock) as store:
        yield store, clock
