"""What symbols are called in the store: one in another case is found, one that is only alike gets a word."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from typing import Protocol, TypeVar

import anyio
import msgspec

from actors import Request
from backbone.domain.arguments import shown
from backbone.domain.dimension import Dimension
from backbone.domain.text import written_out
from backbone.store.errors import StoreError
from backbone.store.messages import ReadSymbols

__all__ = ["Ask", "Names"]

R = TypeVar("R")

_log = logging.getLogger("backbone")

_KNOWN_FOR = 30.0  # seconds: a symbol that another process brings is noticed after so long
_MOST_SAID = 1000


class Ask(Protocol):
    """A question to an actor of the backbone, by its name."""

    async def __call__(self, name: str, request: Request[R], /) -> R:
        """The answer."""
        ...


class _Stored(msgspec.Struct, frozen=True):
    """The names of a dimension, in lower case each by itself; `until` then they are taken for what is stored."""

    until: float
    names: frozenset[str]
    by_case: dict[str, list[str]]


_NOTHING = _Stored(float("-inf"), frozenset(), {})


class Names:
    """The symbols of which rows are stored, as known for a while.

    Args:
        ask: asks an actor.
        clock: monotonic seconds.
    """

    def __init__(self, ask: Ask, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._stored: dict[Dimension, _Stored] = {}
        self._said: dict[tuple[Dimension, str], None] = {}

    def saw(self, dimension: Dimension, symbol: str) -> None:
        """Rows of a symbol were written by this backbone; a name that is new makes what is known out of date."""
        known = self._stored.get(dimension)
        if known is not None and symbol not in known.names:
            self._stored[dimension] = msgspec.structs.replace(known, until=float("-inf"))

    async def look(self, dimension: Dimension, patience: float) -> None:
        """Learn the names, unless they are known; whoever has rows in hand does not wait long for that.

        Where the store has no answer in time, what was known last has to do for a while.
        """
        known = self._stored.get(dimension, _NOTHING)
        if self._clock() < known.until:
            return
        names: list[str] | None = None
        with anyio.move_on_after(patience), suppress(StoreError):
            names = await self._ask("store", ReadSymbols(dimension))
        until = self._clock() + _KNOWN_FOR
        if names is None:
            self._stored[dimension] = msgspec.structs.replace(known, until=until)
            return
        by_case: dict[str, list[str]] = {}
        for name in names:
            by_case.setdefault(name.casefold(), []).append(name)
        self._stored[dimension] = _Stored(until, frozenset(names), by_case)

    def spelled(self, dimension: Dimension, symbol: str) -> str:
        """The name under which a symbol is stored, or the symbol itself, with a word in the log about what is near."""
        stored = self._stored.get(dimension, _NOTHING)
        if symbol in stored.names:
            return symbol
        same = stored.by_case.get(symbol.casefold(), ())
        if len(same) == 1:
            return same[0]
        # once for each symbol: a strategy asks for the same one again and again, and to find what is near takes time
        if (dimension, symbol) not in self._said and len(self._said) < _MOST_SAID:
            self._said[dimension, symbol] = None
            near = same or _near(symbol, stored.by_case)
            if near:
                names = written_out(" or ".join(near))
                _log.warning("%s: nothing is stored of %s; did you mean %s?", dimension, shown(symbol), names)
        return symbol


def _near(symbol: str, by_case: dict[str, list[str]]) -> list[str]:
    plain = "".join(char for char in symbol.casefold() if char.isalnum())
    names = {"".join(char for char in name if char.isalnum()): same for name, same in by_case.items()}
    return [name for close in get_close_matches(plain, names, n=3, cutoff=0.8) for name in names[close]]
