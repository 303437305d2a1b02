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
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """TimescaleDB, and a cluster of a master and two workers; three JVMs take their time on a busy machine."""
    data = tmp_path_factory.mktemp("services")
    yield anyio.run(partial(native.up, ["timescale", "spark"], data=data, die_with_parent=True, timeout=240.0))
    anyio.run(native.down, data)
