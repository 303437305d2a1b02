"""What mypy refuses of what authors write, and what it must not; pyright reads the same files in `make lint`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TYPED = Path(__file__).parent / "typed"


def test_mypy_refuses_the_lines_that_say_so_and_no_others(tmp_path: Path) -> None:
    marked: set[str] = set()
    for source in TYPED.glob("*.py"):
        lines = source.read_text().splitlines()
        marked |= {f"{source.name}:{number}" for number, line in enumerate(lines, 1) if "# type: ignore[" in line}
        (tmp_path / source.name).write_text("\n".join(line.partition("  # type: ignore[")[0] for line in lines))
    assert marked
    options = ["--strict", "--follow-imports", "silent", "--config-file", "", "--cache-dir", "cache"]
    command = [sys.executable, "-m", "mypy", *options, "."]
    environment = {"MYPYPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    refused = set(re.findall(r"^(\S+\.py:\d+): error:", done.stdout, flags=re.MULTILINE))
    assert refused == marked, done.stdout + done.stderr
