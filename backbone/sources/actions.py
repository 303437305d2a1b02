"""Corporate actions: splits and dividends by their days, which prices alone do not show.

They come from a file that the settings name, or from a source that knows them. The file is text with a header:

    symbol,date,split,dividend
    AAPL,2020-08-31,4:1,
    AAPL,2020-11-06,,0.205

`date` is the ex-date, the first day that trades without; `split` is the new shares for the old ones ("4:1", "1:20", or
a number); `dividend` is money for one share, in the unit and the share of the closes that it belongs to: where these
are adjusted for a later split, so is the dividend.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from backbone.sources.errors import SourceError

__all__ = ["Action", "Actions", "read_actions"]

_HEADER: Final = ("symbol", "date", "split", "dividend")
_MOST_BYTES: Final = 64 * 2**20
_DAY_US: Final = 86_400_000_000


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A split, a dividend, or both on one day.

    Attributes:
        symbol: whose.
        day: the first day that trades without it.
        split: new shares for one old share; None: no split.
        dividend: money for one share; None: no dividend.
    """

    symbol: str
    day: date
    split: float | None = None
    dividend: float | None = None

    @property
    def begins_us(self) -> int:
        """When its day begins in UTC, microseconds since 1970."""
        return (self.day.toordinal() - _EPOCH) * _DAY_US


_EPOCH = date(1970, 1, 1).toordinal()


class Actions:
    """Actions by symbol, whatever the case.

    Args:
        actions: in any order; one that repeats another is the same one.
    """

    def __init__(self, actions: Iterable[Action] = ()) -> None:
        self._of: dict[str, list[Action]] = {}
        for action in sorted(set(actions), key=lambda each: (each.day, each.split or 1, each.dividend or 0)):
            self._of.setdefault(action.symbol.casefold(), []).append(action)

    def of(self, symbol: str) -> list[Action]:
        """Those of a symbol, the oldest first."""
        return self._of.get(symbol.casefold(), [])


def read_actions(path: Path) -> list[Action]:
    """The actions of a file.

    Raises:
        SourceError: it can't be read, or a line of it can't; the message says which and what is allowed.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SourceError(f"{path}: over {_MOST_BYTES:,} bytes, which is no list of splits and dividends; name one")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path}: splits and dividends can't be read: {error}; mend quality.repair.actions"
        ) from error
    rows = csv.reader(text.splitlines())
    header = tuple(name.strip().lower() for name in next(rows, []))
    if set(header) - set(_HEADER) or not {"symbol", "date"} <= set(header):
        raise SourceError(f"{path}: its first line is {','.join(header)!r}; allowed is {','.join(_HEADER)}")
    return [_action(path, rows.line_num, dict(zip(header, row, strict=False))) for row in rows if any(row)]


def _action(path: Path, line: int, row: dict[str, str]) -> Action:
    try:
        given = {name: value.strip() for name, value in row.items()}
        found = Action(
            symbol=given["symbol"],
            day=date.fromisoformat(given["date"]),
            split=_ratio(given["split"]) if given.get("split") else None,
            dividend=_positive(given["dividend"]) if given.get("dividend") else None,
        )
    except (KeyError, ValueError, ZeroDivisionError) as error:
        allowed = "a symbol, a date such as 2020-08-31, a split such as 4:1 or a dividend above 0"
        raise SourceError(f"{path}:{line}: {error}; allowed is {allowed}") from error
    if not found.symbol or (found.split is None and found.dividend is None):
        raise SourceError(f"{path}:{line}: neither split nor dividend of a symbol; give one, or leave the line out")
    return found


def _ratio(text: str) -> float:
    new, _, old = text.partition(":")
    return _positive(new) / (_positive(old) if old else 1.0)


def _positive(text: str) -> float:
    value = float(text)
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{text!r} given, which is no number above 0")
    return value
