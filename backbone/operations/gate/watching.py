"""Who watches gates: an iterator of changes that holds nobody up, and ends with the backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

import anyio

from backbone.domain.dimension import Dimension
from backbone.operations.gate.verdict import Gate

__all__ = ["GateWatch"]


class GateWatch:
    """Iterate over it for a `Gate` of each symbol as it stands, and again each time that its level or reasons change.

    Who reads slowly is not waited for, and gets what holds by then: of each symbol one change waits at most.

    Args:
        leave: called once, when it is over.
        lapse: tells watches where answers do not hold any more; gives the seconds until it is to be called again.
        dimension: whose changes; None: of all.
        symbols: whose changes; none: of all.

    Attributes:
        coalesced: changes that a later one of the same symbol took the place of before they were read.
    """

    policy = "of each symbol the newest change stays"

    def __init__(
        self,
        leave: Callable[[GateWatch], None],
        lapse: Callable[[], float],
        dimension: Dimension | None = None,
        symbols: Sequence[str] = (),
    ) -> None:
        self.coalesced = 0
        self._dimension = dimension
        self._symbols = frozenset(symbols)
        self._leave = leave
        self._lapse = lapse
        self._waiting: dict[tuple[Dimension, str], Gate] = {}
        self._filled = anyio.Event()
        self._closed = False

    def wants(self, key: tuple[Dimension, str]) -> bool:
        """Whether it is about a dimension and symbol."""
        dimension, symbol = key
        return self._dimension in (None, dimension) and (not self._symbols or symbol in self._symbols)

    def put(self, gate: Gate) -> None:
        """Have the reader learn of it."""
        key = (gate.dimension, gate.symbol)
        self.coalesced += self._waiting.pop(key, None) is not None
        self._waiting[key] = gate
        self._filled.set()

    def __aiter__(self) -> GateWatch:
        return self

    async def __anext__(self) -> Gate:
        pause = self._lapse()
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            if self._filled.is_set():  # another reader may wait for the one that is not
                self._filled = anyio.Event()
            with anyio.move_on_after(pause):
                await self._filled.wait()
            pause = self._lapse()
        return self._waiting.pop(next(iter(self._waiting)))

    async def aclose(self) -> None:
        """Watch no longer; who waits for a change is sent home, after what there was."""
        self.close()

    def close(self) -> None:
        """The same at once."""
        if not self._closed:
            self._closed = True
            self._leave(self)
            self._filled.set()

    async def __aenter__(self) -> GateWatch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
