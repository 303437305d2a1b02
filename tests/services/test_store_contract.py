"""The contract of the store, held on TimescaleDB and on plain PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from backbone.store.port import Store
from tests.contracts.conftest import Clock
from tests.contracts.test_store_bars import *  # noqa: F403
from tests.contracts.test_store_clock import *  # noqa: F403
from tests.contracts.test_store_events import *  # noqa: F403
from tests.contracts.test_store_inbox import *  # noqa: F403
from tests.contracts.test_store_latest import *  # noqa: F403
from tests.contracts.test_store_mending import *  # noqa: F403
from tests.contracts.test_store_newest import *  # noqa: F403
from tests.contracts.test_store_read import *  # noqa: F403
from tests.contracts.test_store_repairs import *  # noqa: F403
from tests.contracts.test_store_runs import *  # noqa: F403
from tests.contracts.test_store_since import *  # noqa: F403
from tests.contracts.test_store_snapshots import *  # noqa: F403
from tests.contracts.test_store_statements import *  # noqa: F403
from tests.contracts.test_store_trace import *  # noqa: F403
from tests.contracts.test_store_vintages import *  # noqa: F403
from tests.contracts.test_store_write import *  # noqa: F403
from tests.services.stores import empty, opened


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
