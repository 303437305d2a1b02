"""What a child holds is told apart from what its parent held."""

from __future__ import annotations

import subprocess
import sys

from tests.peaks import peak
from tests.programs import ROOT

LARGE = 256 * 2**20
PROGRAM = "from tests.peaks import peak; before = peak(); held = b'x' * (64 * 2**20); print(before, peak() - before)"


def test_the_peak_of_a_child_is_its_own_however_large_its_parent_is() -> None:
    held = bytearray(b"x" * LARGE)
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True)
    before, grown = map(int, done.stdout.split())
    assert peak() > len(held)
    assert before < LARGE / 2
    assert grown >= 60 * 2**20
