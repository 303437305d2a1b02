"""Every Python example in the pages about actors runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    "explanation/why-actors.md",
    "explanation/runtime-semantics.md",
    "how-to/embed-actors.md",
    "how-to/test-actors.md",
]
_BLOCK = re.compile(r"(?:<!-- (?P<key>raises|file): (?P<value>\S+) -->\n)?```python\n(?P<code>.*?)```\n", re.DOTALL)


def blocks(page: str) -> list[tuple[str | None, str | None, str]]:
    """The page's fenced Python blocks: what is said of each (raises or file), and the code."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = [(match["key"], match["value"], match["code"]) for match in _BLOCK.finditer(text)]
    assert len(found) == text.count("```python"), "a block is not in the form that this test reads"
    return found


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run_in_order(page: str) -> None:
    space: dict[str, object] = {"__name__": "example"}
    for key, value, code in blocks(page):
        if key == "file":
            continue
        program = compile(code, page, "exec")
        if key == "raises":
            with pytest.raises(BaseException) as info:
                exec(program, space)  # noqa: S102 - the documentation's own code
            assert type(info.value).__name__ == value
        else:
            exec(program, space)  # noqa: S102 - the documentation's own code


@pytest.mark.parametrize("page", PAGES)
def test_the_files_of_a_page_are_a_green_test_suite(page: str, tmp_path: Path) -> None:
    files = [(value, code) for key, value, code in blocks(page) if key == "file"]
    for name, code in files:
        (tmp_path / str(name)).write_text(code, encoding="utf-8")
    if files:
        command = [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider", "."]
        environment = {**os.environ, "COVERAGE_PROCESS_START": ""}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout
        assert "3 passed" in done.stdout


def test_embedding_takes_ten_lines() -> None:
    code = next(code for _, _, code in blocks("how-to/embed-actors.md") if "start_server" in code)
    lines = [line for line in code.splitlines() if line.strip() and "listening" not in line]
    assert len(lines) <= 10
