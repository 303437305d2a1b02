"""Programs that run in processes of their own, on each Python that is there and has what they import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds; what hangs, hangs for ever


class Ended(NamedTuple):
    """How a program ended, and what it wrote."""

    code: int
    out: str
    err: str


def lean(**more: str) -> dict[str, str]:
    """The environment of a process as somebody has it who installed the product and nothing else.

    pyarrow imports pandas, which is no dependency, wherever it finds it: half a second of each process.

    Args:
        more: variables to add.
    """
    path = os.pathsep.join(filter(None, (str(ROOT / "tests" / "lean"), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **more}


@cache
def pythons(*modules: str) -> tuple[str, ...]:
    """The running interpreter, and others that have these modules.

    Looked for on the PATH, and in BACKBONE_TEST_PYTHONS: their paths, separated as in PATH.
    """
    named = os.environ.get("BACKBONE_TEST_PYTHONS", "").split(os.pathsep)
    found = [shutil.which(f"python3.{minor}") for minor in range(11, 15) if minor != sys.version_info.minor]
    probe = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {', '.join(modules)}; print(sys.version_info[:2])"
    usable = {f"{sys.version_info[:2]}": sys.executable}
    for path in [*named, *filter(None, found)]:
        if path:
            done = subprocess.run([path, "-c", probe], capture_output=True, text=True, check=False, timeout=PATIENCE)
            if done.returncode == 0:
                usable.setdefault(done.stdout.strip(), path)
    return tuple(usable.values())


def end_of(text: str, python: str = sys.executable, *, module: str | None = None, timeout: float = PATIENCE) -> Ended:
    """Run a program to its end, by `-c` or as the input of a module; fails where it does not end."""
    text = textwrap.dedent(text)
    command = [python, "-c", text] if module is None else [python, "-m", module]
    environment = lean(PYTHONPATH=f"{ROOT / 'tests' / 'lean'}{os.pathsep}{ROOT}")
    try:
        done = subprocess.run(
            command,
            input="" if module is None else text,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"it does not end; so far: {error.stdout!r} {error.stderr!r}") from None
    return Ended(done.returncode, done.stdout, done.stderr)
