"""How a delimited file is laid out: its delimiter, its header, and which column is what."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backbone.domain import Dimension
from backbone.domain.spreadsheets import MARK
from backbone.sources.errors import InputInvalid

__all__ = ["DELIMITERS", "Layout", "find_layout", "match_columns", "required_columns"]

DELIMITERS = ",;\t|"

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "ts": ("date", "datetime", "time", "timestamp"),
    "symbol": ("ticker", "instrument", "pair", "secid"),
    "interval": ("timeframe", "granularity"),
    "open": ("o", "openprice"),
    "high": ("h", "highprice"),
    "low": ("l", "lowprice"),
    "close": ("c", "closeprice"),
    "volume": ("v", "vol"),
    "adj_close": ("adjustedclose", "closeadjusted"),
    "price": ("last", "lastprice", "tradeprice"),
    "size": ("quantity", "qty", "volume", "vol", "amount"),
    "sequence": ("seq", "sequencenumber"),
    "venue": ("exchange", "exch", "mic"),
    "conditions": ("condition", "cond", "salecondition"),
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
_PRICES: Mapping[Dimension, tuple[str, ...]] = {
    Dimension.DAILY_BARS: ("open", "high", "low", "close"),
    Dimension.INTRADAY_BARS: ("open", "high", "low", "close"),
    Dimension.TRADES: ("price",),
    Dimension.QUOTES: (),
    Dimension.ORDER_BOOK: ("price",),
    Dimension.MACRO_EVENTS: (),
}
_QUOTE_SIDES = ("bid", "ask")
_COMMENT = "#"
_EXCERPT = 40  # characters of a file that is not what was meant: it may be anything, a file of passwords too


@dataclass(frozen=True, slots=True)
class Layout:
    """Where to find what in each line.

    Attributes:
        delimiter: between fields.
        fields: number of fields in a line.
        positions: field of each column, counted from 0.
        constants: columns that the file lacks and the caller gave, such as the symbol.
        ignored: names of the file's columns that are of no use.
        first_row: number of the first line after the header, counted from 1.
        escaped: columns of texts that the header marks as escaped; see `backbone.domain.spreadsheets`.
    """

    delimiter: str
    fields: int
    positions: Mapping[str, int]
    constants: Mapping[str, str]
    ignored: tuple[str, ...]
    first_row: int
    escaped: frozenset[str] = frozenset()


def required_columns(dimension: Dimension) -> tuple[str, ...]:
    """Columns without which a row means nothing; the others may be absent or empty."""
    key = [name for name in dimension.key if name != "sequence" or not dimension.may_lack_sequence]
    return (*key, *_PRICES[dimension])


def find_layout(
    path: str,
    head: str,
    dimension: Dimension,
    *,
    renames: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Layout:
    """Read the layout off the first lines of a file.

    Args:
        path: for messages.
        head: whole lines from the start of the file.
        dimension: what the rows are.
        renames: the file's column name to ours. Names that are numbers mean positions, counted from 1, of a file
            without a header.
        constants: values of columns that the file may lack.

    Raises:
        InputInvalid: the header does not fit; the message lists what was found and what is needed.
    """
    lines = [line.rstrip("\r") for line in head.split("\n")]
    first = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith(_COMMENT)), None)
    if first is None:
        raise InputInvalid(f"{path} has no header line; a header and rows are needed")
    if "\0" in lines[first]:
        raise InputInvalid(f"{path} is not text: there is a NUL character in its first line; give a CSV file")
    renamed = {_plain(name): column for name, column in (renames or {}).items()}
    positional = bool(renamed) and all(name.isdecimal() for name in renamed)
    delimiter, names = _split_header(lines[first], dimension, renamed)
    if positional:
        names = [str(n) for n in range(1, len(names) + 1)]
    marked = {n for n, name in enumerate(names) if _is_marked(name, dimension, renamed)}
    names = [name.removesuffix(MARK) if n in marked else name for n, name in enumerate(names)]
    positions, filled = match_columns(path, names, dimension, renames=renames, constants=constants)
    used = set(positions.values())
    ignored = tuple(name for n, name in enumerate(names) if n not in used)
    escaped = frozenset(column for column, n in positions.items() if n in marked)
    return Layout(delimiter, len(names), positions, filled, ignored, first + (1 if positional else 2), escaped)


def match_columns(
    path: str,
    names: Iterable[str],
    dimension: Dimension,
    *,
    renames: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> tuple[dict[str, int], dict[str, str]]:
    """Match the names found in a file with the columns of a dimension.

    Returns:
        The place of each column among the names, and the constants that are needed beside them.

    Raises:
        InputInvalid: a column is missing, or is there twice.
    """
    found = list(names)
    renamed = {_plain(name): column for name, column in (renames or {}).items()}
    _check_renames(path, found, renamed, dimension)
    positions: dict[str, int] = {}
    for place, name in enumerate(found):
        column = _column(name, dimension, renamed)
        if column is None:
            continue
        if column in positions:
            raise InputInvalid(
                f"{path} has two columns for {column}: {found[positions[column]]!r} and {name!r}; "
                "rename or drop one of them"
            )
        positions[column] = place
    filled = {c: v for c, v in (constants or {}).items() if c in dimension.columns and c not in positions}
    _check_complete(path, found, dimension, {*positions, *filled})
    return positions, filled


def _fields(line: str, delimiter: str) -> list[str]:
    """The fields of a line; none where it is no line of CSV, such as one with a bare carriage return in it."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _split_header(line: str, dimension: Dimension, renamed: Mapping[str, str]) -> tuple[str, list[str]]:
    """The delimiter under which most names are known, and those names."""

    def merit(names: list[str]) -> tuple[int, int]:
        return sum(_column(name, dimension, renamed) is not None for name in names), len(names)

    choices = {d: _fields(line, d) for d in DELIMITERS}
    best = max(choices, key=lambda d: merit(choices[d]))
    return best, [name.strip() for name in choices[best]]


def _is_marked(name: str, dimension: Dimension, renamed: Mapping[str, str]) -> bool:
    """Whether it is the name that we give to a column of escaped texts, and nobody says that it means another thing."""
    if not name.endswith(MARK) or _plain(name) in renamed:
        return False
    column = _column(name.removesuffix(MARK), dimension, renamed)
    return column is not None and dimension.kinds[column] == "string"


def _plain(name: str) -> str:
    """Lower case, letters and digits only: ``<Adj. Close>`` becomes ``adjclose``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _column(name: str, dimension: Dimension, renamed: Mapping[str, str]) -> str | None:
    plain = _plain(name)
    if plain in renamed:
        return renamed[plain]
    for column in dimension.columns:
        if column not in renamed.values() and (plain == _plain(column) or plain in _ALIASES.get(column, ())):
            return column
    return None


def _check_renames(path: str, found: list[str], renamed: Mapping[str, str], dimension: Dimension) -> None:
    for name, column in renamed.items():
        if column not in dimension.columns:
            raise InputInvalid(f"columns= names {column!r}; {dimension} has {', '.join(dimension.columns)}")
        if name not in {_plain(given) for given in found}:
            raise InputInvalid(f"{path} has no column {name!r}, which columns= names; it has {_listed(found)}")


def _check_complete(path: str, found: list[str], dimension: Dimension, have: set[str]) -> None:
    needed = required_columns(dimension)
    missing = [column for column in needed if column not in have]
    if dimension is Dimension.QUOTES and not have.intersection(_QUOTE_SIDES):
        missing.extend(_QUOTE_SIDES)
    if not missing:
        return
    if not set(have).intersection(required_columns(dimension)) - {"symbol", "calendar", "interval"}:
        raise InputInvalid(
            f"the first line of {path} names no column that {dimension} needs ({', '.join(needed)}): "
            f"it begins with {','.join(found)[:_EXCERPT]!r}; give the file a header line with these names"
        )
    hints = {"symbol": "--symbols EURUSD names it for all rows", "interval": "--interval 1h names it for all rows"}
    help_ = [hint for column in missing for hint in [_near(column, found) or hints.get(column)] if hint]
    raise InputInvalid(
        f"{path} lacks {', '.join(missing)}: found {_listed(found)}; {dimension} needs {', '.join(needed)}"
        + (f"; {'; '.join(help_)}" if help_ else "; read as: " + _aliases(missing[0]))
    )


def _near(column: str, found: list[str]) -> str | None:
    close = difflib.get_close_matches(_plain(column), [_plain(name) for name in found], n=1, cutoff=0.7)
    return f"is {close[0]!r} meant to be {column}? then rename it" if close else None


def _aliases(column: str) -> str:
    return f"{column} = " + "|".join((column, *_ALIASES.get(column, ())))


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")
