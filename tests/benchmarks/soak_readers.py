"""Who reads in a soak: each subscriber looks whether every change came, once and in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import anyio
import numpy as np

from backbone import Backbone
from backbone.stream.messages import Update

__all__ = ["Reader", "stays", "visits"]

_VISIT, _PAUSE = 20.0, 1.0  # seconds


class Reader:
    """Reads quotes that are numbered from 0 within each symbol.

    Args:
        name: for the report.
        symbols: empty: all.
        pause: seconds that it takes for each update.
        told: called with symbol and number of each row.
    """

    def __init__(
        self,
        name: str,
        symbols: Sequence[str] = (),
        pause: float = 0.0,
        told: Callable[[str, int], object] = lambda _symbol, _number: None,
    ) -> None:
        self.name = name
        self.symbols = symbols
        self.pause = pause
        self.wrong = Counter[str]()
        self.rows = 0
        self._told = told
        self._next: defaultdict[str, int] = defaultdict(int)
        self._came = anyio.Event()

    def take(self, update: Update) -> None:
        """Look at an update."""
        numbers = update.frame.column("sequence")
        expected = self._next[update.symbol]
        if numbers[0] < expected:
            self.wrong["twice"] += 1
        elif numbers[0] > expected or (np.diff(numbers) != 1).any():
            self.wrong["left out, or not in order"] += 1
        self._next[update.symbol] = max(expected, int(numbers[-1]) + 1)
        self.rows += len(numbers)
        for number in numbers.tolist():
            self._told(update.symbol, number)
        self._came.set()
        self._came = anyio.Event()

    def lacks(self, sent: dict[str, int]) -> int:
        """Rows that are still to come, of as many as were sent of each symbol."""
        return sum(sent[symbol] - self._next[symbol] for symbol in self.symbols or sent)

    async def caught_up(self, sent: dict[str, int]) -> None:
        """Wait until nothing is to come."""
        while self.lacks(sent):
            await self._came.wait()


async def stays(backbone: Backbone, reader: Reader) -> None:
    """Subscribe, and read for ever."""
    async with backbone.subscribe("quotes", symbols=reader.symbols) as updates:
        async for update in updates:
            reader.take(update)
            if reader.pause:
                await anyio.sleep(reader.pause)


async def visits(backbone: Backbone, reader: Reader) -> None:
    """Read for a while, go, and come back to where it was."""
    start: str | None = None
    while True:
        async with backbone.subscribe("quotes", symbols=reader.symbols, start=start or "latest") as updates:
            with anyio.move_on_after(_VISIT):
                async for update in updates:
                    reader.take(update)
                    start = update.resume
        await anyio.sleep(_PAUSE)
