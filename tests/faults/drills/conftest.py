"""A real TimescaleDB of the drills' own, which may be killed and frozen; it dies with the test run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from backbone.services import native
from tests.services.stores import drop_database, make_database


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """TimescaleDB; where this machine can't have it, skipped, or failed if BACKBONE_REQUIRE_SERVICES names it."""
    data = tmp_path_factory.mktemp("drills")
    try:
        running = anyio.run(bring_up, data)
    except native.Unavailable as error:
        if "timescale" in os.environ.get("BACKBONE_REQUIRE_SERVICES", ""):
            pytest.fail(f"BACKBONE_REQUIRE_SERVICES names timescale, but: {error}")
        pytest.skip(f"NOT DRILLED ON A REAL SERVER: {error}")
    yield running
    anyio.run(native.down, data)


async def bring_up(data: Path) -> native.Services:
    """With fsync, since the server is killed."""
    return await native.up(["timescale"], data=data, die_with_parent=True)


@pytest.fixture
async def dsn(services: native.Services) -> AsyncIterator[str]:
    """A fresh database with TimescaleDB, dropped afterwards."""
    address = await make_database(services, "timescale")
    yield address
    await drop_database(services, address)
