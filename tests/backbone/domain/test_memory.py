"""Memory that is given back to the system; what stands behind it is asked of the kernel."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pyarrow as pa
import pytest

from backbone.domain.memory import give_back, give_back_own


def resident() -> int:
    """Bytes of memory of this process that are in use or kept."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux, and glibc, what a process keeps")
def test_what_was_freed_between_what_is_still_in_use_goes_back() -> None:
    made = [np.ones(1000) for _ in range(10_000)]
    used = made[::50]
    del made
    kept = resident()
    give_back()
    assert kept - resident() > 40_000_000
    assert all(each[0] == 1 for each in used)


def test_it_may_be_called_again_and_again() -> None:
    for _ in range(3):
        give_back()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what a process keeps")
def test_what_arrow_keeps_of_a_thread_that_has_ended_goes_back() -> None:
    made: list[pa.Array] = []
    ones = np.ones(1000)

    def work() -> None:
        made.extend(pa.array(ones).take(pa.array(range(1000))) for _ in range(10_000))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    kept = resident()
    made.clear()
    give_back()
    assert kept - resident() > 60_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what a process keeps")
def test_a_thread_gives_its_own_back() -> None:
    ones = pa.array(np.ones(1000))
    every = pa.array(range(1000))
    made = [ones.take(every) for _ in range(10_000)]
    kept = resident()
    made.clear()
    give_back_own()
    assert kept - resident() > 60_000_000
