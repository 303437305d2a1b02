"""What embedding costs a test suite: opening a backbone in memory, and the pytest plugin where nobody uses it."""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from actors import ActorSystem
from backbone.store.duckdb.migrator import migrate
from backbone.store.migrations import shipped
from backbone.testing import embedded
from tests.benchmarks.measure import Timing, Watch, interleave
from tests.benchmarks.report import Floor, Report, Table

_OPEN_MS = 30.0
_PLUGIN_MS = 20.0
_ASYNCIO = ("-p", "pytest_asyncio.plugin")
_WITHOUT, _WITH = "without the plugin of actors", "with it"


def run(quick: bool) -> Report:
    """Measure; a few rounds where quick."""
    rounds = 5 if quick else 20
    contestants = {"bare DuckDB with the tables": _duckdb, "actor system": _system, "backbone": _backbone}
    opened = interleave(contestants, rounds)
    suites = _suites({_WITHOUT: _ASYNCIO, _WITH: (*_ASYNCIO, "-p", "actors.testing.plugin")}, rounds)
    cost = suites[_WITH].best - suites[_WITHOUT].best
    return Report(
        title="Benchmarks of embedding",
        intro="Opening in memory, after the first in the process; and a pytest suite of one empty test, in a process "
        "of its own, with no plugin but pytest-asyncio and ours. Medians of the rounds; the best round is the one that "
        "the machine's other users disturbed least, and the one by which the floors are judged. Made by `make bench`.",
        tables=[_table("open", opened), _table("pytest", suites)],
        floors=[
            _floor("open a backbone, after the first", _OPEN_MS, opened["backbone"].best),
            _floor("pytest plugin, at the start", _PLUGIN_MS, cost),
        ],
        packages=["anyio", "duckdb", "msgspec", "pytest", "pytest-asyncio"],
        page="docs/reference/benchmarks-embedding.md",
    )


def _duckdb(watch: Watch) -> int:
    with watch:
        connection = duckdb.connect(":memory:")
        migrate(connection, shipped("duckdb"), now=datetime.now(UTC), dry_run=False)
    connection.close()
    return 1


def _system(watch: Watch) -> int:
    async def body() -> None:
        system = ActorSystem("bench")
        with watch:
            await system.__aenter__()
        await system.__aexit__(None, None, None)

    asyncio.run(body())
    return 1


def _backbone(watch: Watch) -> int:
    async def body() -> None:
        opening = embedded()
        with watch:
            await opening.__aenter__()
        await opening.__aexit__(None, None, None)

    asyncio.run(body())
    return 1


def _suites(contestants: Mapping[str, tuple[str, ...]], rounds: int) -> dict[str, Timing]:
    """As `interleave`, but of processes."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory(prefix="backbone-bench-") as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        for number in range(rounds + 1):
            for name, options in contestants.items():
                taken = _spent(lambda options=options: _pytest(folder, options))  # type: ignore[misc]
                if number:
                    samples[name].append(taken)
    return {
        name: Timing(
            statistics.median(wall for wall, _ in taken),
            statistics.median(cpu for _, cpu in taken),
            min(cpu for _, cpu in taken),
        )
        for name, taken in samples.items()
    }


def _pytest(folder: str, options: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as where somebody works
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def _spent(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds elapsed, and of processor time of the processes that it started."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _table(title: str, timings: Mapping[str, Timing]) -> Table:
    rows = [
        (name, f"{each.wall * 1e3:.1f}", f"{each.cpu * 1e3:.1f}", f"{each.best * 1e3:.1f}")
        for name, each in timings.items()
    ]
    return Table(title, ("", "ms elapsed", "ms of processor time", "best round"), rows)


def _floor(what: str, most: float, seconds: float) -> Floor:
    return Floor(what, f"<= {most:.0f} ms", f"{seconds * 1e3:.1f} ms", seconds * 1e3 <= most)
