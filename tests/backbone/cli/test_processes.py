"""A backbone that runs in another process: asked through its socket, stopped by signals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backbone.cli.conftest import Cli

pytestmark = pytest.mark.slow

SCRIPT = Path(sys.executable).with_name("backbone")
DEADLINE = 60


@pytest.fixture
def running(cli: Cli, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`backbone run` in the folder of the command line, once it says that it runs."""
    process = subprocess.Popen([SCRIPT, "run"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "backbone: running with" in line:
                break
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


def test_status_roster_and_connectors_of_another_process(running: subprocess.Popen[str], cli: Cli) -> None:
    status = cli("status")
    assert (status.code, status.err) == (3, "")
    assert status.out.startswith("▲ degraded  embedded · 6 actors · 3 not well · orphans 0")
    for word in ("why  embedded DuckDB", "now  everything works", "do   backbone run --profile timescale"):
        assert word in status.out
    roster = json.loads(cli("roster", "--format", "json").out)
    assert {"/embedded/backbone/store", "/embedded/backbone/ingest"} <= {each["path"] for each in roster["entries"]}
    assert roster["schema"] == 1
    assert "├─ ▲ store" in cli("roster").out
    assert cli("roster", "--format", "markdown").out.startswith("# Roster\n")
    connectors = cli("connectors", "--format", "json")
    assert connectors.code == 3
    assert json.loads(connectors.out)["store"] is True


def test_the_store_of_a_running_backbone_is_refused_in_one_line(running: subprocess.Popen[str], cli: Cli) -> None:
    for words in (("fetch",), ("migrate",), ("run",), ("rehearse",)):
        done = cli(*words)
        assert (done.code, done.out) == (4, "")
        assert f"pid {running.pid}" in done.err
        assert done.err.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_in_order(running: subprocess.Popen[str], cli: Cli, number: signal.Signals, code: int) -> None:
    running.send_signal(number)
    out, err = running.communicate(timeout=DEADLINE)
    assert (running.returncode, out) == (code, "")
    assert err.splitlines() == [
        f"backbone: {number.name}: stopping in order; once more ends at once",
        "backbone: stopped: orphans 0, tasks left 0",
    ]
    assert json.loads(Path("data/system_validation_report.json").read_text())["succeeded"]
    assert not Path("data/backbone.sock").exists()
    assert cli("status").code == 4
    assert cli("fetch").code == 0


STUCK = """
import time, signal, os
from backbone.cli import running

async def stuck() -> None:
    signal.raise_signal(signal.SIGINT)
    try:
        import anyio
        await anyio.sleep_forever()
    finally:
        print("stopping", flush=True)
        while True:
            await anyio.lowlevel.checkpoint()

running.run(stuck)
"""


def test_a_second_signal_forces() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "ending at once" in err


def test_a_reader_that_goes_away_ends_it_without_a_word(cli: Cli, tmp_path: Path) -> None:
    assert cli("rehearse", "-q").code == 0
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run([SCRIPT, "fetch"], cwd=tmp_path, stdout=pipe, stderr=subprocess.PIPE, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (141, b"")
