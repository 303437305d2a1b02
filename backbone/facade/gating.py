"""May I trade on this? The gate, and how fresh data is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.operations.gate.board import Board
from backbone.operations.gate.verdict import Gate
from backbone.operations.gate.watching import GateWatch

__all__ = ["Gating"]


class Gating:
    """The verbs of the trade gate."""

    _gates: Board
    _open: Callable[[], None]

    def gate(self, dimension: Dimension | str, symbol: str) -> Gate:
        """Whether data may be traded on, and what speaks against it; no await, for it is asked before each order.

        The first question about a symbol has it judged from then on, and is answered `blocked`, for nobody has looked
        at it yet: ask, or watch, before you trade. Of bars of several intervals counts which are freshest.

        Args:
            dimension: or one of its aliases.
            symbol: whatever its case, where only one is stored of that name.

        Returns:
            The answer as of the last look, see `gate.interval`; without looks for a while it is `blocked`.

        Raises:
            TypeError, ValueError: an argument is wrong.
            BackboneClosed: it was left.
        """
        self._open()
        return self._gates.gate(dimension, symbol)

    def watch_gate(self, dimension: Dimension | str | None = None, symbols: Sequence[str] = ()) -> GateWatch:
        """Iterate over changes of the gate, beginning with how each symbol stands; it ends with the backbone.

        Nobody is held up by who reads slowly: of each symbol the newest change stays. Close it with `aclose`, or use it
        in an `async with`, where you leave it earlier.

        Args:
            dimension: or one of its aliases; None: of whatever is asked about, by `gate` or otherwise.
            symbols: empty: all of the dimension that are asked about.

        Raises:
            TypeError, ValueError: an argument is wrong.
            BackboneClosed: it was left.
        """
        self._open()
        names = arguments.symbols(symbols)
        if dimension is None:
            if names:
                raise ValueError(f"symbols={arguments.shown(names)} given without their dimension; name it")
            return self._gates.watch(None, ())
        return self._gates.watch(Dimension.parse(dimension), names)
