"""What a child holds is told apart from what its parent held, and the begin of something from its end."""

from __future__ import annotations

import os
import subprocess
import sys
from array import array

from tests.peaks import Halves, peak
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


def test_memory_is_looked_at_while_something_goes_on_and_told_by_halves() -> None:
    memory = Halves()
    with memory.watched(step=0.001):
        while len(memory.samples) < 4:
            os.sched_yield()
    assert all(2**20 < each <= peak() for each in memory.most())
    memory.samples = array("q", [1, 3, 2, 5, 4])
    assert memory.most() == (3, 5)
