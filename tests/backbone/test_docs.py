"""The Python examples of the guides run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import lean

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["how-to/test-with-a-backbone.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_example_runs(page: str) -> None:
    blocks = re.findall(r"(?<!-->\n)```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        command = [sys.executable, "-W", "error", "-c", block]
        done = subprocess.run(command, env=lean(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
