"""Standard streams that are closed, full, or know ASCII alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backbone.cli.conftest import Cli
from tests.programs import lean

SCRIPT = Path(sys.executable).with_name("backbone")
DEADLINE = 60


def shell(line: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $B is the command."""
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=lean(B=str(SCRIPT), **env),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("words", ["-V", "config check", "config template", "help exit-codes", "fetch --help"])
def test_a_closed_stdout_is_said(cli: Cli, tmp_path: Path, words: str) -> None:
    done = shell(f"$B {words} >&-", tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"backbone: error: {answer(words)} can't be written to stdout: it is closed\n"


@pytest.mark.slow
@pytest.mark.parametrize("words", ["-V", "config check", "config template", "fetch -h"])
def test_a_full_device_is_said_with_what_was_to_go_there(cli: Cli, tmp_path: Path, words: str) -> None:
    done = shell(f"$B {words} >/dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"backbone: error: {answer(words)} can't be written to stdout: No space left on device\n"


def answer(words: str) -> str:
    return f"the answer of backbone {words if words.startswith('config') else words.split()[0]}"


@pytest.mark.slow
def test_a_closed_stderr_sends_no_note_to_stdout(cli: Cli, tmp_path: Path) -> None:
    done = shell("$B fetch 2>&-", tmp_path)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("words", ["config show", "config show --format json", "rehearse -q", "fetch --help"])
def test_a_reader_that_went_away_is_141_whatever_is_drawn(cli: Cli, tmp_path: Path, words: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            [SCRIPT, *words.split()],
            cwd=tmp_path,
            env=lean(),
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.slow
@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "ascii"}])
def test_where_only_ascii_can_be_shown_symbols_lines_and_chart_have_stand_ins(
    cli: Cli, tmp_path: Path, locale: dict[str, str]
) -> None:
    done = shell("$B rehearse -q", tmp_path, **locale)
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "?" not in done.stdout
    for line in ("+ rehearsal succeeded", "|- ! store", "`- * consumer", "1.23245 > 1.14657"):
        assert line in done.stdout
    assert sum("**" in line for line in done.stdout.splitlines()) >= 5


@pytest.mark.slow
def test_data_in_a_pipe_is_utf_8_whatever_the_terminal_knows(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text("ts,symbol,close,open,high,low\n2020-01-06T00:00:00Z,ÜBER,1,1,1,1\n")
    done = shell("$B ingest -q bars.csv --interval 1h && $B fetch", tmp_path, LC_ALL="C")
    assert "ÜBER" in done.stdout


def test_tables_in_a_pipe_have_no_trailing_blanks(cli: Cli, bars: str) -> None:
    for words in (
        ("ingest", bars, "--interval", "1h"),
        ("config", "show"),
        ("rehearse", "-q"),
        ("quarantine", "list"),
        ("fetch", "-h"),
    ):
        done = cli(*words)
        assert done.code == 0
        assert [line for line in done.out.splitlines() if line != line.rstrip()] == []
