"""The whole process is killed at random moments of a run, and run again: the same rows, nothing doubled."""

import asyncio
import multiprocessing
import random
import signal
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import anyio
import pytest

from backbone import Backbone, Frame, load_settings
from backbone.ingest.messages import IngestProgress
from backbone.settings import Settings
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, plan

ROUNDS = 20
SEED = 20181231
CHUNK_ROWS = 500
PRELOADED = [
    "backbone.facade.backbone",
    "backbone.store.duckdb.store",
    "backbone.sources.csv",
    "pandas",
    "tests.backbone.facade.kit",
]
MEMORY = Path("/dev/shm")  # noqa: S108 - files in memory, where there are such: what a killed process wrote, stays
FORKS = multiprocessing.get_context("forkserver")  # a process of its own each time, without a second of imports
FORKS.set_forkserver_preload(PRELOADED)


def settings_of(path: Path) -> Settings:
    return load_settings(
        profile="embedded",
        overrides={"store.path": str(path), "control.enabled": False, "ingest.chunk_rows": CHUNK_ROWS},
    )


def work(path: Path, progress: Connection) -> None:
    """What the killed process does: open, ingest again and again, and say after each chunk that it is committed."""

    async def main() -> None:
        async with Backbone.open(settings_of(path)) as backbone, anyio.create_task_group() as group:
            events = backbone.system.events.subscribe(IngestProgress)

            async def tell() -> None:
                async for _ in events:
                    progress.send("committed")

            group.start_soon(tell)
            progress.send("open")
            for _ in range(1000):
                await backbone.ingest(plan())

    asyncio.run(main())


def kill_at(path: Path, chunks: int, more: float) -> None:
    """Run until so many chunks are committed, let some more seconds of work pass, then SIGKILL."""
    ours, theirs = FORKS.Pipe()
    child = FORKS.Process(target=work, args=(path, theirs))
    child.start()
    theirs.close()
    for _ in range(chunks + 1):
        assert ours.poll(60)
        ours.recv()
    child.join(more)
    child.kill()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    ours.close()


async def undisturbed() -> Frame:
    async with embedded() as backbone:
        await backbone.ingest(plan())
        return await backbone.fetch(BARS)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that costs no waiting for a disk, which outlives any process as well."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="backbone-kill-", dir=MEMORY) as made:
        yield Path(made)


@pytest.mark.slow
async def test_kill_9_of_the_process_at_20_random_moments_and_a_rerun_give_the_same_rows(folder: Path) -> None:
    chance = random.Random(SEED)
    expected = await undisturbed()
    cut_short = 0
    for number in range(ROUNDS):
        path = folder / f"{number}.duckdb"
        kill_at(path, chance.randrange(10), chance.uniform(0.0, 0.03))
        async with Backbone.open(settings_of(path)) as backbone:
            left = await backbone.fetch(BARS)
            cut_short += 0 < left.num_rows < 5000
            async with backbone.subscribe(BARS, start="earliest") as updates:
                run = await backbone.ingest(plan())
                assert run.inserted + run.unchanged == 5000
                assert run.inserted == 5000 - left.num_rows
                assert run.changed == 0
                events: list[str] = []
                frames: list[Frame] = []
                while sum(frame.num_rows for frame in frames) < 5000:
                    update = await anext(updates)
                    events.append(update.event_id)
                    frames.append(update.frame)
            stored = await backbone.fetch(BARS)
            assert stored.canonical_bytes() == expected.canonical_bytes()
            assert Frame.concat(frames).canonical_bytes() == expected.canonical_bytes()
            assert sum(frame.num_rows for frame in frames) == 5000
            assert len(set(events)) == len(events)
        path.unlink()
    assert cut_short >= ROUNDS // 2, "too few kills fell into a run: choose other moments"
