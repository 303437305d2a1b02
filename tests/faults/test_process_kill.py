"""The whole process is killed at random moments of a run, and run again: the same rows, nothing doubled."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backbone import Backbone, Frame, load_settings
from backbone.settings import Settings
from backbone.testing import embedded
from tests.backbone.app.kit import BARS, plan

ROUNDS = 20
SEED = 20181231
CHILD = """
import asyncio, sys
from backbone import Backbone, load_settings
from tests.backbone.app.kit import plan

async def main(path):
    settings = load_settings(profile="embedded", overrides={"store.path": path, "control.enabled": False})
    async with Backbone.open(settings) as backbone:
        print("open", flush=True)
        for _ in range(1000):
            await backbone.ingest(plan(chunk_rows=50))
            print("done", flush=True)

asyncio.run(main(sys.argv[1]))
"""


def settings_of(path: Path) -> Settings:
    return load_settings(
        profile="embedded", overrides={"store.path": str(path), "control.enabled": False, "ingest.chunk_rows": 50}
    )


def kill_at(path: Path, moment: float) -> None:
    """Run until it is open, then let so many seconds of work pass, then SIGKILL."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    try:
        child.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
    assert child.wait(timeout=30) == -signal.SIGKILL
    child.stdout.close()


async def undisturbed() -> Frame:
    async with embedded() as backbone:
        await backbone.ingest(plan())
        return await backbone.fetch(BARS)


@pytest.mark.slow
async def test_kill_9_of_the_process_at_20_random_moments_and_a_rerun_give_the_same_rows(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    expected = await undisturbed()
    cut_short = 0
    for number in range(ROUNDS):
        path = tmp_path / f"{number}.duckdb"
        kill_at(path, chance.uniform(0.0, 1.5))
        async with Backbone.open(settings_of(path)) as backbone:
            left = await backbone.fetch(BARS)
            cut_short += 0 < left.num_rows < 5000
            async with backbone.subscribe(BARS, start="earliest") as updates:
                run = await backbone.ingest(plan(chunk_rows=50))
                assert run.inserted + run.unchanged == 5000
                assert run.inserted == 5000 - left.num_rows
                assert run.changed == 0
                events, frames = [], []
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
    assert cut_short >= 1, "no kill fell into a run: choose other moments"
