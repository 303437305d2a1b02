"""Clean environments: commands in them, bounded in time, and the interpreters that this machine has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = [
    "LOCKED",
    "MAKEFILE",
    "ROOT",
    "constraints",
    "each_python",
    "found",
    "interpreters",
    "make",
    "part_of",
    "run",
    "typed",
]

ROOT = Path(__file__).parents[2]
MAKEFILE = ROOT / "Makefile"
LOCKED = re.findall(r"^LOCKED := (.*)$", MAKEFILE.read_text(), flags=re.MULTILINE)[0].split()
"""How the Makefile has pip install a lock."""
_MINORS = (11, 12, 13)
_OURS = ("BACKBONE_", "MAKE", "MFLAGS", "PYTHON", "VIRTUAL_ENV")
_FASTER = {"PIP_NO_COMPILE": "no"}
"""pip then compiles nothing, most of which nobody would import: what is negated is asked for by a negation."""


def run(*command: str | Path, cwd: Path, path: Path | None = None, timeout: float = 300, **variables: str) -> str:
    """What a command prints to stdout; nothing of our own environment reaches it.

    Args:
        command: the program and its arguments.
        cwd: where it runs.
        path: a folder to look for programs in first.
        timeout: seconds, after which it is killed.
        variables: of its environment.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    environment = ours | _FASTER | variables
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{command} exits {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def make(*arguments: str, cwd: Path) -> str:
    """What a target of our Makefile prints in a folder."""
    return run("make", "-f", MAKEFILE, f"PYTHON={sys.executable}", *arguments, cwd=cwd)


def interpreters() -> dict[str, str]:
    """By version, such as "3.12": one interpreter that can make environments, where this machine has it."""
    found = {f"3.{minor}": next((place for place in _places(minor) if _is(place, minor)), "") for minor in _MINORS}
    return {version: place for version, place in found.items() if place}


def each_python() -> list[Any]:
    """Parameters of a fixture: each version here, whose tests one process of the run does, beside the others."""
    return [pytest.param(each, id=each) for each in interpreters()]


def found() -> str:
    """With which interpreters it was done, and which of those that the package names this machine lacks."""
    here = interpreters()
    lacking = [f"3.{minor}" for minor in _MINORS if f"3.{minor}" not in here]
    return f"done on Python {', '.join(here)}" + (f"; not found here: {', '.join(lacking)}" if lacking else "")


def _places(minor: int) -> Iterator[str]:
    if sys.version_info[:2] == (3, minor):
        yield sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(map(str, pyenv.glob(f"versions/3.{minor}.*/bin/python3")))
    on_path = shutil.which(f"python3.{minor}")
    if on_path:
        yield on_path


def _is(place: str, minor: int) -> bool:
    code = f"import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, {minor}))"
    return subprocess.run([place, "-c", code], capture_output=True, timeout=30, check=False).returncode == 0


def constraints(lock: Path) -> str:
    """The versions of a lock for those who install without it, so that no later release changes the outcome."""
    pins = re.findall(r"^([\w.-]+)(?:\[.*?\])?(==.*?) \\$", lock.read_text(), flags=re.MULTILINE)
    return "".join(f"{name}{pin}\n" for name, pin in pins)


def part_of(lock: Path, requirements: Iterable[str]) -> str:
    """The part of a lock that these requirements need, with what those need: the lock says who wants what."""
    blocks = {_name(block): block for block in re.split(r"\n(?=\S)", lock.read_text().strip())}
    via = re.compile(r"^    #(?: via)? +([\w.-]+)", flags=re.MULTILINE)
    wanted_by = {name: set(via.findall(block)) for name, block in blocks.items()}
    part = {_name(each) for each in requirements}
    while more := {name for name, by in wanted_by.items() if by & part} - part:
        part |= more
    return "".join(f"{blocks[name]}\n" for name in sorted(part))


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def typed(page: Path, sources: Path, folder: Path, version: str) -> Path:
    """The sources, in which a reader has typed the commands of a page where Python has this version.

    The packages come in the versions of our lock; they stand in `pins.txt` beside the sources.
    """
    project = Path(shutil.copytree(sources, folder / "project"))
    pins = folder / "pins.txt"
    pins.write_text(constraints(ROOT / "requirements-dev.lock"))
    python3 = folder / "bin" / "python3"
    python3.parent.mkdir()
    python3.write_text(f'#!/bin/sh\nexec {interpreters()[version]} "$@"\n')
    python3.chmod(0o755)
    for line in _console_lines(page):
        run("bash", "-c", line, cwd=project, path=python3.parent, PIP_CONSTRAINT=str(pins))
    assert run(project / "env/bin/python", "-V", cwd=folder).startswith(f"Python {version}.")
    return project


def _console_lines(page: Path) -> list[str]:
    """What a reader types: the lines after a prompt in the console blocks of a page."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), flags=re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
