"""The real servers, started once for all tests of a run.

What this machine can't have is skipped, and fails where BACKBONE_REQUIRE_SERVICES (names, separated by commas) asks
for it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import anyio
import pytest

from backbone.services import native
from backbone.store.timescale import TimescaleStore
from tests.services.clients import admin
from tests.services.stores import KINDS, drop_database, empty, make_database, opened

shared: list[native.Services] = []
"""The servers of the run, once a test has asked for them."""


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """All three servers, on ports of their own, their data in a temporary folder; they die with the test run."""
    for running in serving(native.ALL, tmp_path_factory.mktemp("services")):
        shared.append(running)
        yield running
        shared.clear()


@pytest.fixture(scope="module", autouse=True)
def swept() -> Iterator[None]:
    """Each module leaves Kafka as it found it: a broker that is killed with thousands of partitions takes minutes to
    come back, and the tests of others would be those that fail.
    """
    yield
    for running in shared:
        anyio.run(sweep, running)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """A TimescaleDB of the module's own, whose files and settings its tests may change."""
    yield from serving(["timescale"], tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module", params=KINDS)
def dsn(services: native.Services, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of the module's own, once with TimescaleDB and once without."""
    address = anyio.run(make_database, services, request.param)
    yield address
    anyio.run(drop_database, services, address)


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[TimescaleStore]:
    """A store on that database, without rows."""
    async with opened(dsn) as store:
        await empty(dsn)
        yield store


async def sweep(services: native.Services) -> None:
    """Remove all topics but the broker's own."""
    async with admin(services, "admin") as client:
        await client.delete_topics([name for name in await client.list_topics() if not name.startswith("__")])


def serving(names: Sequence[str], data: Path) -> Iterator[native.Services]:
    """Started, then stopped."""
    try:
        running = anyio.run(bring_up, names, data)
    except native.Unavailable as error:
        required = os.environ.get("BACKBONE_REQUIRE_SERVICES", "")
        if required.strip():
            pytest.fail(f"BACKBONE_REQUIRE_SERVICES={required}, but: {error}")
        pytest.skip(f"NOT TESTED AGAINST REAL SERVERS: {error}")
    yield running
    anyio.run(native.down, data)


async def bring_up(names: Sequence[str], data: Path) -> native.Services:
    """Start servers for tests, with fsync since faults are tested too."""

    def say(line: str) -> None:
        print(line, flush=True)  # noqa: T201

    return await native.up(names, data=data, die_with_parent=True, progress=say)
