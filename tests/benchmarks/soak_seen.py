"""What a soak has seen: times, how late the loop was, memory; little of it is kept, for memory is what it looks at."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import numpy as np

from tests.benchmarks.measure import resident_mib

__all__ = ["PERCENTILES", "Seen"]

PERCENTILES = (50, 90, 99, 100)

_STEP = 0.005  # seconds between two looks at the loop
_SAMPLED = 1.0  # seconds between two looks at memory


class Seen:
    """Milliseconds of each kind, MiB of memory, and what failed.

    Attributes:
        failed: how often, by what was tried and how it failed.
    """

    def __init__(self) -> None:
        self._times: dict[str, array[float]] = {}
        self._memory = array("d")
        self.failed = Counter[str]()

    def took(self, kind: str, seconds: float) -> None:
        """Note how long something took."""
        self._times.setdefault(kind, array("d")).append(1e3 * seconds)

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Note how long this takes; what the backbone says in place of an answer is counted as failed."""
        began = anyio.current_time()
        try:
            yield
        except Exception as error:
            self.failed[f"{kind}: {type(error).__name__}: {error}"[:200]] += 1
        else:
            self.took(kind, anyio.current_time() - began)

    def percentiles(self, kind: str) -> tuple[float, ...]:
        """Milliseconds, by `PERCENTILES`; infinite where there was none."""
        times = self._times.get(kind)
        return tuple(np.percentile(times, PERCENTILES).tolist()) if times else (float("inf"),) * len(PERCENTILES)

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """What was timed, and how often."""
        return [(kind, len(times)) for kind, times in self._times.items()]

    def memory(self) -> tuple[float, float, float]:
        """MiB: at the begin, at the end, and the most."""
        return self._memory[0], self._memory[-1], max(self._memory)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look at loop and memory all the time."""
        self._memory.append(resident_mib())
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch_loop)
            group.start_soon(self._watch_memory)
            yield
            group.cancel_scope.cancel()

    async def _watch_loop(self) -> None:
        while True:
            began = anyio.current_time()
            await anyio.sleep(_STEP)
            self.took("loop lag", max(0.0, anyio.current_time() - began - _STEP))

    async def _watch_memory(self) -> None:
        while True:
            await anyio.sleep(_SAMPLED)
            self._memory.append(resident_mib())
