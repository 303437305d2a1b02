"""The first run of a source imports what that is made of, and live rows do not wait for it."""

import sys
import threading
from typing import Any

import pytest

from backbone import Backbone, Dimension, IngestPlan, load_settings, samples, sources

CSV = "backbone.sources.csv"


class Importers:
    """Which threads look for which modules; it finds none of them itself."""

    def __init__(self) -> None:
        self.threads: dict[str, threading.Thread] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        self.threads.setdefault(name, threading.current_thread())


@pytest.fixture
def importers(monkeypatch: pytest.MonkeyPatch) -> Importers:
    """As in a process that has read no CSV file yet."""
    monkeypatch.setattr(sources, "csv", None, raising=False)  # the import changes it, and this puts it back
    monkeypatch.delitem(sys.modules, CSV, raising=False)
    found = Importers()
    monkeypatch.setattr(sys, "meta_path", [found, *sys.meta_path])
    return found


async def test_a_source_is_imported_beside_the_loop(importers: Importers) -> None:
    settings = load_settings(profile="embedded", env={}, overrides={"store.path": ":memory:", "control.enabled": False})
    plan = IngestPlan(dimensions=[Dimension.INTRADAY_BARS], source="csv", path=samples.eurusd_1h(), interval="1h")
    async with Backbone.open(settings) as backbone:
        assert (await backbone.ingest(plan)).inserted
    assert importers.threads[CSV] is not threading.main_thread()
