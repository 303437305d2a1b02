"""A backbone that runs in another process: asked through its socket, stopped by signals."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backbone.cli.conftest import Cli
from tests.programs import lean

pytestmark = pytest.mark.slow

SCRIPT = Path(sys.executable).with_name("backbone")
DEADLINE = 60


def lines_until_running(process: subprocess.Popen[str]) -> list[str]:
    """What it says on stderr until it says that it runs."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line.rstrip())
        if "backbone: running with" in line:
            break
    return lines


@pytest.fixture
def running(cli: Cli, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`backbone run` in the folder of the command line, once it says that it runs."""
    process = subprocess.Popen(
        [SCRIPT, "run"], cwd=tmp_path, env=lean(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        lines_until_running(process)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


def test_status_roster_and_connectors_of_another_process(running: subprocess.Popen[str], cli: Cli) -> None:
    status = cli("status")
    assert (status.code, status.err) == (3, "")
    assert status.out.startswith("▲ degraded  embedded · 12 actors · 3 not well · orphans 0")
    for word in ("why  embedded DuckDB", "now  everything works", "do   backbone services up timescale"):
        assert word in status.out
    roster = json.loads(cli("roster", "--format", "json").out)
    assert {"/embedded/backbone/store", "/embedded/backbone/ingest"} <= {each["path"] for each in roster["entries"]}
    assert roster["schema"] == 1
    drawn = cli("roster").out
    assert "├─ ▲ store" in drawn
    assert "_run_coro" not in drawn
    assert "● client" in drawn
    assert cli("roster", "--format", "markdown").out.startswith("# Roster\n")
    connectors = cli("connectors", "--format", "json")
    assert connectors.code == 3
    assert json.loads(connectors.out)["store"] is True


def test_the_store_of_a_running_backbone_is_refused_in_one_line(running: subprocess.Popen[str], cli: Cli) -> None:
    filling = ("backfill", "daily_bars", "--source", "yahoo")
    for words in (("fetch",), ("migrate",), ("run",), ("rehearse",), filling):
        done = cli(*words)
        assert (done.code, done.out) == (4, "")
        assert f"pid {running.pid}" in done.err
        assert done.err.count("\n") == (2 if words == ("run",) else 1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_in_order(running: subprocess.Popen[str], cli: Cli, number: signal.Signals, code: int) -> None:
    running.send_signal(number)
    out, err = running.communicate(timeout=DEADLINE)
    assert (running.returncode, out) == (code, "")
    first, *others = err.splitlines()
    assert first == f"backbone: {number.name}: stopping in order; once more ends at once"
    waited = r"live rows 0, messages \d, runs cut off 0, changes to publish 0"
    assert len(others) == 1
    assert re.fullmatch(
        f"backbone: stopped: orphans 0, tasks left 0; waited when it was told to stop: {waited}", others[0]
    )
    assert json.loads(Path("data/system_validation_report.json").read_text())["succeeded"]
    assert not Path("data/backbone.sock").exists()
    assert cli("status").code == 4
    assert cli("fetch").code == 0


@pytest.mark.parametrize("how", ["console", "json"])
def test_a_start_begins_with_a_line_for_people_and_logs_fields_as_fields(cli: Cli, tmp_path: Path, how: str) -> None:
    words = [str(SCRIPT), "run", "--set", f"logging.format={how}"]
    with subprocess.Popen(words, cwd=tmp_path, env=lean(), stderr=subprocess.PIPE, text=True) as process:
        try:
            first, *logged, _ = lines_until_running(process)
        finally:
            process.kill()
    assert first == "backbone: starting with the embedded settings; store duckdb data/backbone.duckdb"
    [of_store] = [line for line in logged if "/embedded/backbone/store" in line]
    if how == "json":
        line = json.loads(of_store)
        assert (line["message"], line["path"]) == ("HealthChanged", "/embedded/backbone/store")
        assert line["health"] == "degraded"
    else:
        assert "actors: HealthChanged /embedded/backbone/store why='embedded DuckDB" in of_store
        assert len(of_store) < 200


def test_a_file_in_the_place_of_the_socket_is_said_by_both_sides(cli: Cli, tmp_path: Path) -> None:
    Path("data").mkdir()
    Path("data/backbone.sock").write_text("")
    with subprocess.Popen([SCRIPT, "run"], cwd=tmp_path, env=lean(), stderr=subprocess.PIPE, text=True) as process:
        try:
            last = lines_until_running(process)[-1]
            done = cli("status")
        finally:
            process.kill()
    assert "backbone status can't ask it: no control socket at data/backbone.sock: a file that is no socket" in last
    assert done.code == 4
    assert "data/backbone.sock is no socket, so that no backbone can be asked there, even if one runs" in done.err


STUCK = """
import time, signal, os
from backbone.cli.process import running

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
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK], env=lean(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "ending at once" in err


LOOP_HELD_UP = """
import sys, time
from backbone.cli.process import running

async def held_up() -> None:
    print("held up", flush=True)
    {doing}

running.run(held_up, within=0.1)
"""


@pytest.mark.parametrize("doing", ["time.sleep(3600)", "sys.stderr.write('x' * 1_000_000)"])
def test_a_loop_that_is_held_up_does_not_keep_it_from_ending(doing: str) -> None:
    """Neither by what it does, nor by a stderr that nobody reads."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP_HELD_UP.format(doing=doing)],
        env=lean(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 143
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


def test_a_reader_that_goes_away_ends_it_without_a_word(cli: Cli, tmp_path: Path) -> None:
    assert cli("rehearse", "-q").code == 0
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            [SCRIPT, "fetch"], cwd=tmp_path, env=lean(), stdout=pipe, stderr=subprocess.PIPE, timeout=DEADLINE
        )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.fixture
def fetching(cli: Cli, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`backbone run --mode schedule` over macro events of a file, once the schedule says when it fetches next."""
    (tmp_path / "events.json").write_text('[{"ts": "2026-03-02T13:30:00Z", "calendar": "US", "event": "CPI"}]')
    words = ["run", "--mode", "schedule", "--set", "market.macro=true", "--set", "market.macro_file=events.json"]
    process = subprocess.Popen(
        [SCRIPT, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        assert any("the schedule fetches next at" in line for line in process.stderr)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


def test_the_runs_and_the_schedule_of_another_process(fetching: subprocess.Popen[str], cli: Cli) -> None:
    listed = cli("runs", "list")
    assert (listed.code, listed.err) == (0, "")
    assert "macro_events of file: 1 rows, 1 new" in listed.out
    assert cli("pause").out == "the schedule waits: somebody paused it; backbone resume lets it go on\n"
    assert "the schedule waits: somebody paused it" in cli("status").out.replace("\n       ", " ")
    assert cli("resume").out.startswith("the schedule goes on; ")
    told = [json.loads(line) for line in cli("events", "--no-follow", "--format", "json").out.splitlines()]
    schedule = [each["result"] for each in told if each["metadata"]["type"] == "telemetry.ingest.scheduler"]
    assert [each["state"]["paused"] != "" for each in schedule][-2:] == [True, False]
    assert "| paused | somebody paused it" in schedule[-2]["markdown"]


def test_a_schedule_that_is_told_to_stop_says_what_waited(fetching: subprocess.Popen[str]) -> None:
    fetching.send_signal(signal.SIGTERM)
    _, err = fetching.communicate(timeout=10)
    assert fetching.returncode == 143
    assert "stopped: orphans 0, tasks left 0; waited when it was told to stop: live rows 0, messages " in err
    assert "runs cut off 0, changes to publish 0" in err


HELD_UP = """
import time
from backbone.cli.main import main
from backbone.sources import registry

class Source:
    name = "held-up"

    def chunks(self, *, progress=None):
        print("asked", flush=True)
        time.sleep(3600)
        yield

class Point:
    name, value = "held-up", "somewhere:Source"

    def load(self):
        return lambda *, dimension: Source()

registry.entry_points = lambda *, group: [Point()] if group == registry.GROUP else []
raise SystemExit(main(["run", "--symbols", "AAPL", "--set", "market.source=held-up"]))
"""


def test_a_provider_that_never_comes_back_does_not_keep_it_from_ending(cli: Cli, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HELD_UP], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE)
        assert process.returncode == 143
        assert "not stopped in order within 9 s: ending at once; what was committed is safe" in err
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)
