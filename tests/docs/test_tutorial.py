"""The tutorial, typed line by line into a shell: every line is taken, and prints what the page says it prints."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import lean

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/tutorial/first-run.md").read_text(encoding="utf-8")
DEADLINE = 60.0
LONG = "backbone run"


def steps() -> list[tuple[str, list[str]]]:
    """Each command of the page and the lines that follow it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


def as_make_does(command: str) -> str:
    """The recipe in place of its target: everything is installed already."""
    if not command.startswith("make "):
        return command
    target = command.removeprefix("make ")
    (recipe,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return str(recipe).replace("\t@", "\t").replace("$(BIN)", ".venv/bin")


@pytest.mark.slow
def test_the_tutorial_works_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_START", "")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "bars.csv").write_text(re.findall(r"`bars.csv`:\n\n```text\n(.*?)```", TEXT, re.DOTALL)[0])
    running: subprocess.Popen[str] | None = None
    try:
        for command, printed in steps():
            if LONG in command:
                running = _started(command, tmp_path)
                continue
            shell = as_make_does(command)
            done = subprocess.run(
                ["bash", "-c", shell], cwd=tmp_path, env=lean(), capture_output=True, text=True, timeout=DEADLINE
            )
            assert done.returncode == (3 if running and "status" in command else 0), f"{command}: {done.stderr}"
            words = [" ".join(line.split()) for line in done.stdout.splitlines()]
            for line in printed:
                assert any(each.startswith(" ".join(line.split())) for each in words), f"{command}: {done.stdout}"
        assert running is not None
        running.send_signal(signal.SIGINT)
        assert running.wait(DEADLINE) == 130
    finally:
        if running is not None:
            running.kill()
            running.communicate(timeout=DEADLINE)
    assert {"report.json", "report.md"} <= {path.name for path in (tmp_path / "reports/rehearsal").iterdir()}


def _started(command: str, folder: Path) -> subprocess.Popen[str]:
    """The long-running command, once it says that it runs."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env=lean(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "running with" in line:
            return process
    raise AssertionError(f"{command} ended with {process.wait(DEADLINE)}")
