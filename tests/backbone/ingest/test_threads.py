"""The threads of a run: what it does there, the loop does not wait for, and what they keep of memory ends with it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anyio
import pytest

from backbone import Backbone, Dimension, IngestPlan, load_settings, samples, sources
from backbone.domain.threads import in_thread
from backbone.ingest import actor
from backbone.ingest import run as running
from backbone.ingest.aside import Aside
from backbone.ingest.run import Run
from backbone.sources import registry
from backbone.sources.errors import SourceError
from backbone.sources.port import SourceChunk
from tests.backbone.facade.kit import bars

CSV = "backbone.sources.csv"
SETTINGS = load_settings(profile="embedded", env={}, overrides={"store.path": ":memory:", "control.enabled": False})


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
    plan = IngestPlan(dimensions=[Dimension.INTRADAY_BARS], source="csv", path=samples.eurusd_1h(), interval="1h")
    async with Backbone.open(SETTINGS) as backbone:
        assert (await backbone.ingest(plan)).inserted
    assert importers.threads[CSV] is not threading.main_thread()


class Noting:
    """A source that gives some rows, and notes which thread asks for them."""

    name = "plugin"

    def __init__(self) -> None:
        self.threads: set[threading.Thread] = set()

    def describe(self) -> str:
        return "a plugin"

    def chunks(self, *, progress: Any = None) -> Iterator[SourceChunk]:
        for number in range(3):
            self.threads.add(threading.current_thread())
            yield SourceChunk(bars(3, close=1.0 + number), (), str(number), 3 * number + 3)


async def test_a_run_reads_in_a_thread_that_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Noting()
    monkeypatch.setattr(running, "open_source", lambda *_, **__: source)
    async with Backbone.open(SETTINGS) as backbone:
        await backbone.ingest(IngestPlan(dimensions=[Dimension.INTRADAY_BARS], source="csv", interval="1h"))
        (thread,) = source.threads
        thread.join(10)
        assert not thread.is_alive()
    assert thread is not threading.main_thread()


class Failing(Noting):
    """A source that gives up behind its first rows."""

    def chunks(self, *, progress: Any = None) -> Iterator[SourceChunk]:
        yield next(super().chunks(progress=progress))
        raise OSError("the disk is gone")


@pytest.mark.parametrize("source", [Noting(), Failing()], ids=["done", "failed"])
async def test_its_thread_ends_whoever_keeps_the_run(monkeypatch: pytest.MonkeyPatch, source: Noting) -> None:
    """As an error does that somebody looks at later."""
    kept: list[Run] = []

    class Kept(Run):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            kept.append(self)

    monkeypatch.setattr(actor, "Run", Kept)
    monkeypatch.setattr(running, "open_source", lambda *_, **__: source)
    async with Backbone.open(SETTINGS) as backbone:
        with suppress(SourceError):
            await backbone.ingest(IngestPlan(dimensions=[Dimension.INTRADAY_BARS], source="csv", interval="1h"))
        (thread,) = source.threads
        thread.join(10)
        assert (len(kept), thread.is_alive()) == (1, False)


class InMainThread:
    """The entry point of a package that can be imported in the main thread alone, as one that handles signals."""

    name, value = "plugin", "package:Source"

    def load(self) -> Any:
        signal.signal(signal.SIGUSR2, signal.getsignal(signal.SIGUSR2))
        return lambda **_: Noting()


async def test_a_package_that_can_be_imported_in_the_main_thread_alone_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda *, group: [InMainThread()] if group == registry.GROUP else [])
    async with Backbone.open(SETTINGS) as backbone:
        run = await backbone.ingest(IngestPlan(dimensions=[Dimension.INTRADAY_BARS], source="plugin", interval="1h"))
        assert run.inserted


async def test_who_is_cancelled_has_the_source_told_to_stop() -> None:
    begun, stopped = threading.Event(), threading.Event()
    seen: list[bool] = []
    aside = Aside(inline=False, interrupt=stopped.set)

    def read() -> None:
        begun.set()
        seen.append(stopped.wait(10))

    async with anyio.create_task_group() as group:
        group.start_soon(aside.run, read)
        await in_thread(begun.wait)
        group.cancel_scope.cancel()
    aside.end()
    assert seen == [True]
