"""The names by which columns go in files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backbone.domain import Dimension
from backbone.sources.corrections import kinds_read
from backbone.sources.text.dialects import plain

__all__ = ["column_of", "fallback_of", "may_be_text", "rank", "spellings"]

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "ts": ("timestamp", "datetime", "time", "date"),
    "symbol": ("ticker", "instrument", "pair", "secid"),
    "interval": ("timeframe", "granularity"),
    "open": ("o", "openprice"),
    "high": ("h", "highprice"),
    "low": ("l", "lowprice"),
    "close": ("c", "closeprice", "closelast"),
    "volume": ("v", "vol"),
    "adj_close": ("adjustedclose", "closeadjusted"),
    "price": ("last", "lastprice", "tradeprice"),
    "size": ("quantity", "qty", "volume", "vol", "amount"),
    "sequence": ("seq", "sequencenumber", "tradeid", "aggtradeid", "updateid", "id", "tid"),
    "venue": ("exchange", "exch", "mic"),
    "conditions": ("condition", "cond", "salecondition"),
    "correction": ("corr", "trcorr", "tradecorrection", "tradecorrectionindicator", "correctionindicator", "update"),
    "bid": ("bidprice",),
    "bid_size": ("bidquantity", "bidqty", "bidvolume"),
    "ask": ("askprice", "offer", "offerprice"),
    "ask_size": ("askquantity", "askqty", "askvolume", "offersize"),
    "calendar": ("country", "region"),
    "event": ("eventname", "name", "title"),
    "currency": ("ccy",),
    "forecast": ("consensus", "expected"),
    "previous": ("prior",),
    "importance": ("impact",),
}
_NUMBERED: Final = frozenset({"id", "tid", "tradeid", "aggtradeid"})
_FALLBACKS: Final[Mapping[str, tuple[str, ...]]] = {
    "ts": (
        "opentime", "starttime", "windowstart", "tradetime", "transacttime", "createdtime", "unix", "unixtime", "epoch",
    ),
    "close": ("last", "lastprice"),
    "volume": ("totalvolume", "basevolume", "volumefrom", "tickvolume", "tickvol"),
}  # fmt: skip
"""Names that stand for a column where no other does: a file with `close` and `last` means `close`."""


def column_of(name: str, dimension: Dimension) -> str | None:
    """Which of our columns a name stands for, by itself."""
    wanted = plain(name)
    if not wanted:
        return None
    for column in kinds_read(dimension):
        if wanted == plain(column) or wanted in _ALIASES.get(column, ()):
            return column
    return None


def fallback_of(name: str, dimension: Dimension) -> str | None:
    """Which of our columns a name stands for where nothing else does."""
    wanted = plain(name)
    return next((column for column in dimension.columns if wanted in _FALLBACKS.get(column, ())), None)


def may_be_text(name: str) -> bool:
    """Whether what goes by this name is a sequence only where it is a number: ids may be letters, too."""
    return plain(name) in _NUMBERED


def rank(name: str, column: str) -> int:
    """How well a name fits a column that it stands for; less is better."""
    return (plain(column), *_ALIASES.get(column, ())).index(plain(name))


def spellings(column: str) -> tuple[str, ...]:
    """All names of a column."""
    return (column, *_ALIASES.get(column, ()), *_FALLBACKS.get(column, ()))
