"""Real Spark, on this machine; the servers that the tests need are started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backbone.services import native
from tests.services.conftest import serving


@pytest.fixture(autouse=True)
def _far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own zone gets through."""
    monkeypatch.setenv("TZ", "America/New_York")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """TimescaleDB, and a cluster of a master and two workers."""
    yield from serving(["timescale", "spark"], tmp_path_factory.mktemp("services"))
