"""What `make test` tries a part of can be had whole, by the target that says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.programs import ROOT

PROGRAM = "from tests.campaigns import so_many; print(so_many(300, part=100))"


@pytest.mark.parametrize(("given", "tried"), [({}, 100), ({"WHOLE_CAMPAIGNS": "1"}, 300)])
def test_a_part_is_tried_and_all_where_all_is_asked_for(given: dict[str, str], tried: int) -> None:
    left = {name: value for name, value in os.environ.items() if name != "WHOLE_CAMPAIGNS"}
    out = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env={**left, **given}, capture_output=True, text=True, check=True
    )
    assert int(out.stdout) == tried


def test_whoever_tries_a_part_is_found_by_the_target_for_all() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ntest-seeds:")[2].partition("\n\n")[0]
    assert "WHOLE_CAMPAIGNS := 1" in recipe
    assert "-m campaign" in recipe
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text()
        if " import so_many" in text and path.name != "test_campaigns.py":
            assert "@pytest.mark.campaign" in text, path.relative_to(ROOT)
