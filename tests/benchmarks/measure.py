"""Interleaved timing: every contestant once per round, so that a busy machine hits all of them alike."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timing:
    """Seconds per unit of work: medians of the rounds, elapsed and spent on a core, and the best round on a core."""

    wall: float
    cpu: float
    best: float

    @property
    def rate(self) -> float:
        """Units per second of processor time, median."""
        return 1.0 / self.cpu

    @property
    def best_rate(self) -> float:
        """Units per second of processor time in the round that the machine's other users disturbed least."""
        return 1.0 / self.best


class Watch:
    """Times what happens inside `with watch:`, so that opening and closing is left out."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.cpu += time.process_time() - self._began[1]
        self.wall += time.perf_counter() - self._began[0]


Work = Callable[[Watch], int]
"""Does some units of work, the measured part inside the watch; returns how many."""


def interleave(contestants: Mapping[str, Work], rounds: int) -> dict[str, Timing]:
    """Run each contestant once per round after one round of warming up."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            gc.collect()
            watch = Watch()
            units = work(watch)
            if number:
                samples[name].append((watch.wall / units, watch.cpu / units))
    return {name: _timing(taken) for name, taken in samples.items()}


def _timing(taken: Sequence[tuple[float, float]]) -> Timing:
    walls, cpus = [each[0] for each in taken], [each[1] for each in taken]
    return Timing(statistics.median(walls), statistics.median(cpus), min(cpus))


def resident_mib() -> float:
    """Memory of this process that is in use, in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
