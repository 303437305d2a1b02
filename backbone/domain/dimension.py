"""The kinds of market data the backbone carries, and the shape of each."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Dimension", "Kind"]

Kind = Literal["string", "timestamp", "double", "int64"]
"""The four column kinds: UTF-8 text, ``timestamp[us, UTC]``, 64-bit float, 64-bit integer."""


class _Shape(NamedTuple):
    """What one dimension looks like: its key, its further columns, and how much time one chunk holds."""

    key: tuple[str, ...]
    values: tuple[str, ...]
    chunk: timedelta


class Dimension(StrEnum):
    """One kind of market data.

    A dimension names its key (what makes a row unique, in sort order), its value columns and the kind of each column.
    Everything here is plain Python: no Arrow is loaded by asking a dimension for its columns.
    """

    DAILY_BARS = "daily_bars"
    INTRADAY_BARS = "intraday_bars"
    TRADES = "trades"
    QUOTES = "quotes"
    ORDER_BOOK = "order_book"
    MACRO_EVENTS = "macro_events"

    @classmethod
    def parse(cls, text: str | Dimension) -> Dimension:
        """Read a dimension from its name or an alias, whatever the case; ``-`` and ``_`` are the same.

        Raises:
            ValueError: the name is unknown; the message lists the names and aliases that are allowed.
        """
        if isinstance(text, cls):
            return text
        found = _BY_NAME.get(text.strip().lower().replace("-", "_")) if isinstance(text, str) else None
        if found is None:
            aliases = ", ".join(f"{alias} ({target})" for alias, target in _ALIASES.items())
            raise ValueError(
                f"unknown dimension {text!r}; use one of: {', '.join(cls)}; "
                f"aliases also accepted: {aliases}{_near(text)}"
            )
        return found

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that make a row unique, in sort order."""
        return _SHAPES[self].key

    @property
    def values(self) -> tuple[str, ...]:
        """The columns besides the key; any of them may be null."""
        return _SHAPES[self].values

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in canonical order: the key, then the values."""
        return _COLUMNS[self]

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of each column, in canonical order."""
        return _KINDS[self]

    @property
    def chunk(self) -> timedelta:
        """How much time one chunk of the store holds."""
        return _SHAPES[self].chunk

    @property
    def partition_column(self) -> str:
        """The column that rows are ordered, sharded and published by: ``calendar`` of macro events, else ``symbol``."""
        return self.key[0]

    @property
    def may_lack_sequence(self) -> bool:
        """Whether a row may come without a ``sequence``, which the store gives it then."""
        return self.key == _TICK_KEY

    @property
    def has_interval(self) -> bool:
        """Whether rows belong to a bar interval that a query has to name."""
        return "interval" in self.key


_YEAR = timedelta(days=365)
_DAY = timedelta(days=1)
_TICK_KEY = ("symbol", "ts", "sequence")

_SHAPES: Mapping[Dimension, _Shape] = {
    Dimension.DAILY_BARS: _Shape(("symbol", "ts"), ("open", "high", "low", "close", "volume", "adj_close"), _YEAR),
    Dimension.INTRADAY_BARS: _Shape(
        ("symbol", "interval", "ts"), ("open", "high", "low", "close", "volume"), timedelta(days=30)
    ),
    Dimension.TRADES: _Shape(_TICK_KEY, ("price", "size", "venue", "conditions"), _DAY),
    Dimension.QUOTES: _Shape(_TICK_KEY, ("bid", "bid_size", "ask", "ask_size", "venue"), _DAY),
    Dimension.ORDER_BOOK: _Shape((*_TICK_KEY, "side", "level"), ("price", "size"), _DAY),
    Dimension.MACRO_EVENTS: _Shape(
        ("calendar", "event", "ts"), ("currency", "actual", "forecast", "previous", "importance", "category"), _YEAR
    ),
}

_COLUMNS: Mapping[Dimension, tuple[str, ...]] = {d: (*shape.key, *shape.values) for d, shape in _SHAPES.items()}

_TEXT = frozenset(
    {"symbol", "interval", "side", "venue", "conditions", "calendar", "event", "currency", "importance", "category"}
)
_WHOLE = frozenset({"sequence", "level"})


def _kind(column: str) -> Kind:
    if column == "ts":
        return "timestamp"
    if column in _TEXT:
        return "string"
    return "int64" if column in _WHOLE else "double"


_KINDS: Mapping[Dimension, Mapping[str, Kind]] = {
    d: MappingProxyType({column: _kind(column) for column in columns}) for d, columns in _COLUMNS.items()
}

_ALIASES: Mapping[str, Dimension] = {
    "daily": Dimension.DAILY_BARS,
    "daily_bar": Dimension.DAILY_BARS,
    "intraday": Dimension.INTRADAY_BARS,
    "intraday_bar": Dimension.INTRADAY_BARS,
    "intraday_trades": Dimension.TRADES,
    "ticks": Dimension.TRADES,
    "macro": Dimension.MACRO_EVENTS,
    "macro_event": Dimension.MACRO_EVENTS,
}

_BY_NAME: Mapping[str, Dimension] = {**{str(d): d for d in Dimension}, **_ALIASES}


def _near(text: object) -> str:
    """Words that propose the name that is spelled alike, if there is one."""
    from difflib import get_close_matches

    close = get_close_matches(str(text).strip().lower().replace("-", "_"), list(_BY_NAME), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
