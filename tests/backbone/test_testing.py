"""`backbone.testing` does what it says: its docstring, its guide, its fixtures, its faults."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

import backbone.testing
from actors import ActorCrashed
from actors.testing import TestSystem, virtual_loop
from backbone import Backbone, StoreUnavailable
from backbone.store.port import Store
from backbone.stream.port import Publisher, Stream, Subscriber
from backbone.testing import Faults, embedded, with_store, with_stream
from tests.backbone.facade.kit import BARS, bars, plan
from tests.programs import lean

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "test-with-a-backbone.md"
_FILE = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)


def run_suite(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."]
    environment = lean(COVERAGE_PROCESS_START="", PYTEST_ADDOPTS="")
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_of_the_docstring_is_a_green_test(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", backbone.testing.__doc__ or "", re.DOTALL)
    assert len(blocks) == 1
    (tmp_path / "test_example.py").write_text(blocks[0], encoding="utf-8")
    assert "1 passed" in run_suite(tmp_path, "-o", "asyncio_mode=auto")


@pytest.mark.parametrize("clock", ["ordinary", "virtual"])
def test_the_files_of_the_guide_are_a_green_suite(tmp_path: Path, clock: str) -> None:
    files = dict(_FILE.findall(GUIDE.read_text(encoding="utf-8")))
    if clock == "virtual":
        hook = "from actors.testing import virtual_loop\n\ndef pytest_asyncio_loop_factories():\n"
        files["conftest.py"] += hook + "    return {'virtual': virtual_loop}\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert "3 passed" in run_suite(tmp_path, "-o", "asyncio_mode=auto")


def test_the_fixtures_work_by_the_plugin_of_anyio(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import sys\nsys.modules['pytest_asyncio'] = None\npytest_plugins = ['backbone.testing.fixtures']\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import pytest\npytestmark = pytest.mark.anyio\n\n"
        "@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n\n"
        "async def test_it(backbone, faults):\n"
        "    assert (await backbone.fetch('intraday')).num_rows == 0\n    assert faults.writes == 0\n"
    )
    assert "1 passed" in run_suite(tmp_path, "-p", "no:asyncio", "-p", "no:actors")


async def test_a_store_that_is_down_refuses_and_the_cache_still_serves() -> None:
    faults = Faults()
    async with embedded(faults=faults) as opened:
        await opened.record(bars())
        known = await opened.fetch(BARS, symbols=["EURUSD"])
        faults.store_down("maintenance")
        assert (await opened.fetch(BARS, symbols=["EURUSD"])).num_rows == known.num_rows == 3
        with pytest.raises(StoreUnavailable, match="maintenance"):
            await opened.fetch(BARS, symbols=["EURUSD"], limit=2)
        faults.store_up()
        assert (await opened.fetch(BARS, symbols=["EURUSD"], limit=2)).num_rows == 2


def crashes(opened: Backbone, part: str) -> int:
    entry = opened.roster().find(f"/embedded/backbone/{part}")
    assert entry is not None
    return entry.failed


@pytest.mark.parametrize("moment", ["before_write", "after_write"])
@pytest.mark.parametrize("nth", [1, 3])
async def test_a_crash_of_ingest_happens_once_and_where_it_was_asked_for(moment: str, nth: int) -> None:
    faults = Faults()
    faults.crash_ingest(**{moment: nth})
    async with embedded(faults=faults) as opened:
        await opened.ingest(plan(chunk_rows=1000))
        assert crashes(opened, "ingest") == 1
        frame = await opened.fetch(BARS, symbols=["EURUSD"])
    assert frame.num_rows == 5000
    assert faults.writes > nth


@pytest.mark.parametrize("times", [1, 2])
async def test_a_crash_of_the_store_happens_so_many_times_and_is_survived(times: int) -> None:
    faults = Faults()
    async with embedded(faults=faults) as opened:
        await opened.fetch(BARS)
        crashed = opened.system.events.subscribe(ActorCrashed)
        faults.crash_store(times)
        while True:
            try:
                await opened.fetch(BARS, symbols=["EURUSD"])
                break
            except StoreUnavailable:
                await asyncio.sleep(0)
        found = [event for event in iter(crashed.get_nowait, None) if event.path == "/embedded/backbone/store"]
    assert 1 <= len(found) <= times  # requests that are under way together crash it together
    assert {str(event.reason.error) for event in found} == {"injected into the store actor"}


def test_it_runs_on_the_virtual_clock() -> None:
    async def body() -> None:
        async with embedded() as opened:
            await opened.record(bars())
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(3600.0)
            assert asyncio.get_running_loop().time() - began >= 3600.0
            assert (await opened.fetch(BARS, symbols=["EURUSD"])).num_rows == 3

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(body())


def test_the_plugin_of_actors_does_not_load_it() -> None:
    code = "import sys, actors.testing.plugin; print([m for m in sys.modules if m.startswith('backbone')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_on_the_virtual_clock_stamps_are_virtual_too() -> None:
    stores: list[Store] = []

    def kept(make: Callable[[], Store]) -> Store:
        stores.append(make())
        return stores[-1]

    async def body() -> None:
        async with TestSystem() as system, embedded(system=system, parts=with_store(kept)) as opened:
            await opened.record(bars())
            (row,) = await stores[-1].read_outbox(0)
            assert row.created_at.date() == date(2026, 1, 1)

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(body())


async def test_a_stream_of_ones_own_stands_behind_relay_and_consumers() -> None:
    class Counted:
        ordered, shared = True, False

        def __init__(self, stream: Stream) -> None:
            self._stream = stream
            self.made: list[str] = []

        def publisher(self) -> Publisher:
            self.made.append("publisher")
            return self._stream.publisher()

        def subscriber(self) -> Subscriber:
            self.made.append("subscriber")
            return self._stream.subscriber()

    streams: list[Counted] = []

    def counted(stream: Stream) -> Stream:
        streams.append(Counted(stream))
        return streams[-1]

    async with embedded(parts=with_stream(counted)) as opened, opened.subscribe(BARS) as updates:
        await opened.record(bars())
        assert (await anext(updates)).frame.num_rows == 3
    (stream,) = streams
    assert sorted(stream.made) == ["publisher", "subscriber", "subscriber"]  # relay; last and consumer
