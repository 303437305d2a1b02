"""The folder of a child: its own, gone afterwards, and what killed jobs have left goes with the next."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio
import pytest

from backbone.export.spark.scratch import scratch
from tests.programs import ROOT

_HOLDER = """
import sys, anyio
from pathlib import Path
from backbone.export.spark.scratch import scratch

async def hold():
    async with scratch() as folder:
        (folder / "spark-defaults.conf").write_text("spark.authenticate.secret canary")
        print(folder, flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)

anyio.run(hold)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_what_a_killed_job_has_left_goes_with_the_next_one(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as holder:
        assert holder.stdout is not None
        left = Path(holder.stdout.readline().strip())
        assert left.parent == place
        anyio.run(_another)
        assert (left / "spark-defaults.conf").exists()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert left.exists()
    anyio.run(_another)
    assert list(place.iterdir()) == []


async def _another() -> None:
    async with scratch() as folder:
        assert (await anyio.Path(folder).stat()).st_mode & 0o777 == 0o700


async def test_what_is_called_like_it_and_is_no_folder_of_ours_stays(place: Path) -> None:
    other = place / "other"
    (other / "deep").mkdir(parents=True)
    (place / "backbone-spark-link").symlink_to(other)
    (place / "backbone-spark-file").touch()
    async with scratch():
        pass
    assert (other / "deep").is_dir()
    assert (place / "backbone-spark-link").is_symlink()
    assert (place / "backbone-spark-file").exists()
