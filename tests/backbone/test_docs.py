"""The Python examples of the guides run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["how-to/test-with-a-backbone.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_example_runs(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        done = subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in DOCS.rglob("*.md"):
        if "api" in page.parts:
            continue
        for target in re.findall(r"\]\(([^)#]+\.md)[^)]*\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).resolve().exists(), f"{page.name} links to {target}"
