"""May I trade on this? The gate, and how fresh data is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from actors import ActorSystem, Request
from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.facade.fresh import Fresh
from backbone.facade.reading import Reader
from backbone.operations.freshness import FreshnessReport
from backbone.operations.gate.board import Board
from backbone.operations.gate.verdict import Gate
from backbone.operations.gate.watching import GateWatch
from backbone.settings import Settings

__all__ = ["Gating"]

R = TypeVar("R")


class Gating:
    """The verbs of the trade gate."""

    settings: Settings
    system: ActorSystem
    _gates: Board
    _reader: Reader

    if TYPE_CHECKING:

        def _open(self) -> None: ...

        async def _ask(self, name: str, request: Request[R], timeout: float = ..., /) -> R: ...

    @cached_property
    def _fresh(self) -> Fresh:
        return Fresh(self.settings, self._ask, self._reader.spelled, self.system.clock.now)

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

    async def freshness(
        self,
        dimensions: Sequence[Dimension | str] = (),
        *,
        symbols: Sequence[str] = (),
        as_of: datetime | None = None,
    ) -> FreshnessReport:
        """How fresh the rows of each symbol and interval are, by the sessions of its market; worst first.

        Args:
            dimensions: by name or alias; empty: all.
            symbols: empty: all; those of which nothing is stored are `unknown`.
            as_of: judged as of this moment, by the rows up to it; None: now.

        Raises:
            TypeError, ValueError: an argument is wrong.
            StoreUnavailable: the store does not say how far rows go.
        """
        self._open()
        chosen = tuple(dict.fromkeys(map(Dimension.parse, arguments.texts("dimensions", dimensions))))
        return await self._fresh.report(chosen, arguments.symbols(symbols), arguments.moment("as_of", as_of))
