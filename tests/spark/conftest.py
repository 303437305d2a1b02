"""Real Spark, on this machine; the servers that the tests need are started once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import anyio
import pytest

from backbone.services import native


@pytest.fixture(autouse=True)
def _far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own zone gets through."""
    monkeypatch.setenv("TZ", "America/New_York")


@pytest.fixture(scope="session")
def timescale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """TimescaleDB alone."""
    data = tmp_path_factory.mktemp("services")
    yield anyio.run(partial(native.up, ["timescale"], data=data, die_with_parent=True))
    anyio.run(native.down, data)


@pytest.fixture(scope="session")
def servers(timescale: native.Services) -> native.Services:
    """It, and a cluster of a master and two workers; three JVMs take their time on a busy machine."""
    return anyio.run(
        partial(native.up, ["timescale", "spark"], data=timescale.data, die_with_parent=True, timeout=240.0)
    )
