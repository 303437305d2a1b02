"""The real servers, started once for all tests of a run.

What this machine can't have is skipped, and fails where BACKBONE_REQUIRE_SERVICES (names, separated by commas) asks
for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from backbone.services import native


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """All three servers, on ports of their own, their data in a temporary folder; they die with the test run."""
    data = tmp_path_factory.mktemp("services")
    try:
        running = anyio.run(bring_up, data)
    except native.Unavailable as error:
        required = os.environ.get("BACKBONE_REQUIRE_SERVICES", "")
        if required.strip():
            pytest.fail(f"BACKBONE_REQUIRE_SERVICES={required}, but: {error}")
        pytest.skip(f"NOT TESTED AGAINST REAL SERVERS: {error}")
    yield running
    anyio.run(native.down, data)


async def bring_up(data: Path) -> native.Services:
    """Start all servers for tests, with fsync since faults are tested too."""
    return await native.up(data=data, die_with_parent=True, progress=lambda line: print(line, flush=True))  # noqa: T201
