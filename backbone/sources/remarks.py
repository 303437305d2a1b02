"""What was done to cells of rows that go in: counted, with an example of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from backbone.domain import Dimension
from backbone.domain.text import excerpt
from backbone.sources.casting import Mask

__all__ = ["Remarks", "may_be_lost"]

_PRICES: Final = frozenset({"open", "high", "low", "close", "price", "bid", "ask", "actual", "forecast", "previous"})
_EXAMPLE: Final = 60


def may_be_lost(column: str, dimension: Dimension) -> bool:
    """Whether a cell that can't be read costs no more than itself: no row is lost over its volume."""
    return column not in dimension.key and column not in _PRICES


@dataclass(slots=True)
class Remarks:
    """What one file gave cause to remark.

    Attributes:
        unread: for each column how many cells could not be read and are missing now, and the first.
        cut: how many times were finer than a microsecond and were cut to it, and the first.
        cancelled, corrected: how many trades are marked so, see `backbone.sources.corrections`.
    """

    unread: dict[str, tuple[int, str]] = field(default_factory=dict)
    cut: tuple[int, str] = (0, "")
    cancelled: int = 0
    corrected: int = 0

    def settled(self, cancelled: int, corrected: int) -> None:
        """Count trades that are marked."""
        self.cancelled += cancelled
        self.corrected += corrected

    def unread_cell(self, column: str, text: str, count: int = 1) -> None:
        """Count a cell, or several of which this is the first."""
        before, first = self.unread.get(column, (0, ""))
        self.unread[column] = (before + count, first if before else _shown(text))

    def cut_time(self, text: str, count: int = 1) -> None:
        """Count a time, or several of which this is the first."""
        before, first = self.cut
        self.cut = (before + count, first if before else _shown(text))

    def unread_cells(self, column: str, texts: pa.Array, rows: Mask) -> None:
        """Count the cells of these rows."""
        if rows.any():
            self.unread_cell(column, _first(texts, rows), int(np.count_nonzero(rows)))

    def cut_times(self, texts: pa.Array, rows: Mask) -> None:
        """Count the times of these rows."""
        if rows.any():
            self.cut_time(_first(texts, rows), int(np.count_nonzero(rows)))

    def add(self, other: Remarks) -> None:
        """Count what another one counted after this."""
        for column, (count, first) in other.unread.items():
            before, kept = self.unread.get(column, (0, ""))
            self.unread[column] = (before + count, kept if before else first)
        if other.cut[0]:
            self.cut = (self.cut[0] + other.cut[0], self.cut[1] if self.cut[0] else other.cut[1])
        self.settled(other.cancelled, other.corrected)

    def words(self) -> tuple[str, ...]:
        """One sentence for each kind."""
        said = [
            f"{column} of {_rows(count)} could not be read and is missing there, such as {first}"
            for column, (count, first) in self.unread.items()
        ]
        count, first = self.cut
        fine = f"ts of {_rows(count)} was finer than a microsecond and was cut to microseconds, such as {first}"
        return (*said, *([fine] if count else []), *self._fates())

    def _fates(self) -> Iterator[str]:
        if self.cancelled:
            yield f"{_trades(self.cancelled)} cancelled: kept, and marked so by the last word of the conditions"
        if self.corrected:
            yield f"{_trades(self.corrected)} corrected: what is stored is the correction, marked so"


def _first(texts: pa.Array, rows: Mask) -> str:
    value = texts[int(np.argmax(rows))].as_py()
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _shown(text: str) -> str:
    return repr(excerpt(text, _EXAMPLE))


def _trades(count: int) -> str:
    return f"{count:,} trade{' was' if count == 1 else 's were'}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
