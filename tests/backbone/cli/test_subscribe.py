"""`backbone subscribe`: what a running backbone commits, as it comes, in another process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pytest

from tests.backbone.cli.conftest import Cli
from tests.backbone.cli.test_processes import DEADLINE, SCRIPT
from tests.programs import lean

PROGRAM = """
import anyio, sys
from datetime import datetime, UTC
from backbone import Backbone, load_settings
PRICES = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5}
def bar(hour, symbol):
    return {"symbol": symbol, "interval": "1h", "ts": datetime(2020, 1, 6, hour, tzinfo=UTC), **PRICES}
async def main():
    async with Backbone.open(load_settings(profile="embedded")) as backbone:
        await backbone.record([bar(0, "EURUSD"), bar(1, "EURUSD")], "intraday")
        print("ready", flush=True)
        hour = 2
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            await backbone.record([bar(hour, "EURUSD"), bar(hour, "GBPUSD")], "intraday")
            hour += 1
anyio.run(main)
"""


class Trading:
    """A trading process that records two bars whenever it is told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def record(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE)


@pytest.fixture
def trading(cli: Cli, tmp_path: Path) -> Iterator[Trading]:
    """It runs in the folder of the command line, and has recorded two bars."""
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(words, cwd=tmp_path, env=lean(), stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Trading(process)
        finally:
            process.kill()


@contextmanager
def subscribing(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    given = [str(SCRIPT), "subscribe", "intraday", *words]
    with subprocess.Popen(given, cwd=folder, env=lean(), stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def test_lines_of_json_come_in_order_and_their_tokens_go_on_behind_them(trading: Trading, cli: Cli) -> None:
    words = ("subscribe", "intraday", "--format", "json", "--limit", "1", "--quiet")
    first = cli(*words, "--start", "earliest")
    assert (first.code, first.err) == (0, "")
    update = json.loads(first.out)
    assert (update["symbol"], update["rows"], update["dimension"]) == ("EURUSD", 2, "intraday_bars")
    assert update["columns"]["ts"] == ["2020-01-06T00:00:00Z", "2020-01-06T01:00:00Z"]
    trading.record()
    second = json.loads(cli(*words, "--start", update["resume"]).out)
    assert second["position"] > update["position"]
    only = json.loads(cli("subscribe", "intraday", "GBPUSD", *words[2:], "--start", "earliest").out)
    assert only["symbol"] == "GBPUSD"


def test_a_table_grows_line_by_line_below_its_head(trading: Trading, tmp_path: Path) -> None:
    with subscribing(tmp_path, "--limit", "3", "--start", "earliest") as process:
        lines = [output(process).readline().split() for _ in range(3)]
        assert lines[0][:4] == ["symbol", "interval", "ts", "open"]
        assert lines[1][:3] == ["EURUSD", "1h", "2020-01-06"]
        trading.record()
        rest, err = process.communicate(timeout=DEADLINE)
        assert (process.returncode, len(rest.splitlines())) == (0, 2)
        assert "3 changes, 4 rows; --start r1." in err


def test_what_is_committed_after_it_began_is_what_latest_means(trading: Trading, tmp_path: Path) -> None:
    with subscribing(tmp_path, "--format", "json", "--limit", "2") as process:
        assert process.stderr is not None
        assert "waits for changes of intraday_bars" in process.stderr.readline()
        trading.record()
        out, _ = process.communicate(timeout=DEADLINE)
        assert sorted(json.loads(line)["symbol"] for line in out.splitlines()) == ["EURUSD", "GBPUSD"]


@pytest.mark.parametrize(("ending", "number", "code"), [("arrow", signal.SIGINT, 130), ("arrows", signal.SIGTERM, 143)])
def test_a_file_is_whole_after_a_signal(
    trading: Trading, tmp_path: Path, ending: str, number: signal.Signals, code: int
) -> None:
    name = f"bars.{ending}"
    with subscribing(tmp_path, "--output", name, "--start", "earliest") as process:
        assert process.stderr is not None
        assert "waits for changes" in process.stderr.readline()
        assert (tmp_path / name).exists() == (ending == "arrows")
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE)
        assert (process.returncode, out) == (code, "")
        assert "1 changes, 2 rows" in err
    opened = pa.ipc.open_file if ending == "arrow" else pa.ipc.open_stream
    with opened(tmp_path / name) as reader:
        assert reader.read_all().num_rows == 2
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_it_ends_after_so_many_seconds_with_what_came_until_then(trading: Trading, cli: Cli) -> None:
    done = cli("subscribe", "intraday", "--for", "0.5", "--start", "earliest", "--format", "json")
    assert (done.code, len(done.out.splitlines())) == (0, 1)
    assert cli("subscribe", "trades", "--for", "0.2", "--format", "json").out == ""


def test_a_reader_that_goes_away_ends_it(trading: Trading, tmp_path: Path) -> None:
    with subscribing(tmp_path, "--format", "json", "--start", "earliest") as process:
        assert json.loads(output(process).readline())["rows"] == 2
        output(process).close()
        trading.record()
        process.wait(DEADLINE)
        assert process.returncode == 141


def test_a_backbone_that_ends_meanwhile_is_told_with_where_to_go_on(trading: Trading, tmp_path: Path) -> None:
    with subscribing(tmp_path, "--start", "earliest") as process:
        for _ in range(3):
            output(process).readline()
        trading.end()
        _, err = process.communicate(timeout=DEADLINE)
        assert process.returncode == 4
        assert "no running backbone" in err
        assert "--start r1." in err


def test_without_a_running_backbone_a_stream_in_memory_can_not_be_read(cli: Cli) -> None:
    before = sorted(Path().iterdir())
    done = cli("subscribe", "intraday", "--output", "x.arrow")
    assert (done.code, done.out) == (4, "")
    assert "the stream lives in the process of one" in done.err
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "DIMENSION is missing"),
        (("futures",), "unknown dimension 'futures'"),
        (("quotes", "--limit", "0"), "1 or more"),
        (("quotes", "--for", "0"), "above 0"),
        (("quotes", "--for", "inf"), "above 0"),
        (("quotes", "--output", "x.csv"), ".arrow or .arrows"),
        (("quotes", "--output", "x.arrow", "--format", "json"), "leave --format out"),
        (("quotes", "--output", "nowhere/x.arrow"), "there is no folder"),
    ],
)
def test_a_command_line_that_can_not_be_used_is_refused(cli: Cli, words: tuple[str, ...], told: str) -> None:
    done = cli("subscribe", *words)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_a_start_that_is_none_is_refused_by_the_running_backbone(trading: Trading, cli: Cli) -> None:
    done = cli("subscribe", "intraday", "--start", "yesterday")
    assert (done.code, done.out) == (1, "")
    assert "'latest', 'earliest', a position, or the `resume` of an update" in done.err
