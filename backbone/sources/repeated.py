"""The hour that the clocks show twice: which of the two a row means is told by the order of the rows, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain import Dimension
from backbone.domain.arrays import array_of, combined
from backbone.domain.values import numpy_of
from backbone.domain.zones import second_pass
from backbone.sources.casting import Mask
from backbone.sources.port import BadRow

__all__ = ["RepeatedHours"]

Places = NDArray[np.intp]
Stamps = NDArray[np.int64]

_REASON: Final = (
    "ts is ambiguous (the clocks show it twice), and the order of the rows does not tell which is meant; "
    "give it with its offset"
)
_SERIES: Final = ("symbol", "interval", "calendar", "event")
_DAY_US: Final = 86_400_000_000
_LEAST_STEP_US: Final = 60_000_000
"""Events that come late step back too, but not by a minute."""


@dataclass(slots=True)
class _Run:
    """Rows of one key in the hour that comes twice, one after the other, until a row of another hour follows.

    Attributes:
        table: them.
        stamps: their times, each the first of the two.
        places: where they stand in the batch at hand; -1 in one before.
        bad: as bad rows, should it come to that.
    """

    table: pa.Table
    stamps: Stamps
    places: Places
    bad: list[BadRow]


@dataclass(slots=True)
class _Key:
    """What is known of the rows of one key: the time of the last one outside the hour, and those inside that wait."""

    last: int | None = None
    waiting: list[_Run] = field(default_factory=list)


@dataclass(slots=True)
class _Settled:
    """What a batch came to."""

    tables: list[pa.Table] = field(default_factory=list)
    places: list[Places] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


class RepeatedHours:
    """Tells the first pass of a repeated hour from the second, batch by batch of one file.

    Rows of the hour wait until one of another hour follows or the file ends. Then they count as the first pass up to
    where the clock steps back, and as the second from there on; in files that are newest first the other way round.
    Where it does not step back, or more than once, all of them are bad.
    """

    def __init__(self, dimension: Dimension, zone: ZoneInfo | None, columns: Collection[str]) -> None:
        """Nothing has been read yet.

        Args:
            dimension: what the rows are.
            zone: of their times; None: all have an offset.
            columns: that the file has; the others are the same in all rows.
        """
        self._dimension = dimension
        self._series = [name for name in _SERIES if name in dimension.key and name in columns]
        # a zone whose offset does not hang on the moment shows no hour twice
        self._zone = zone if zone is not None and zone.utcoffset(None) is None else None
        self._keys: dict[tuple[object, ...], _Key] = {}

    def settle(
        self, table: pa.Table, repeated: Mask, as_bad: Callable[[Places, str], list[BadRow]]
    ) -> tuple[pa.Table, list[BadRow]]:
        """The rows of a batch, less those that wait, with those of earlier ones that do no longer.

        Args:
            table: rows in the order of the file.
            repeated: which of them lie in an hour that comes twice; their times are the first of the two.
            as_bad: gives rows of the table as bad ones, for a reason.
        """
        if self._zone is None or not table.num_rows:
            return table, []
        stamps = numpy_of(combined(table.column("ts")).cast(pa.int64()))
        settled = _Settled()
        for key, rows in self._by_key(table):
            if repeated[rows].any() or key.waiting:
                self._walk(key, rows, stamps, repeated, settled, lambda at: _run(table, stamps, at, as_bad))
            else:
                key.last = int(stamps[rows[-1]])
        if not settled.tables and not repeated.any():
            return table, settled.bad
        for key in self._keys.values():
            for run in key.waiting:
                run.places = np.full(run.places.size, -1)
        others = np.flatnonzero(~repeated)
        return _in_order([*settled.tables, table.take(array_of(others))], [*settled.places, others]), settled.bad

    def rest(self) -> tuple[pa.Table | None, list[BadRow]]:
        """The rows that waited until the end of the file, and those that are bad."""
        settled = _Settled()
        for key in self._keys.values():
            self._resolve(key, None, settled)
        return (pa.concat_tables(settled.tables) if settled.tables else None), settled.bad

    def _by_key(self, table: pa.Table) -> Iterator[tuple[_Key, Places]]:
        """The rows of each key, in the order of the file."""
        if not self._series:
            yield self._keys.setdefault((), _Key()), np.arange(table.num_rows)
            return
        columns = [combined(table.column(name)).dictionary_encode() for name in self._series]
        codes = np.zeros(table.num_rows, dtype=np.int64)
        for column in columns:
            codes = codes * len(column.dictionary) + numpy_of(column.indices)
        order = np.argsort(codes, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
            name = tuple(column[int(rows[0])].as_py() for column in columns)
            yield self._keys.setdefault(name, _Key()), rows

    def _walk(
        self,
        key: _Key,
        rows: Places,
        stamps: Stamps,
        repeated: Mask,
        settled: _Settled,
        run: Callable[[Places], _Run],
    ) -> None:
        """Let the rows of one key pass by: those inside the hour wait, each outside of it ends the waiting."""
        others = np.diff(repeated[rows]) | (np.abs(np.diff(stamps[rows])) > _DAY_US)
        for part in np.split(rows, np.flatnonzero(others) + 1):
            first = int(stamps[part[0]])
            if not repeated[part[0]]:
                self._resolve(key, first, settled)
                key.last = int(stamps[part[-1]])
                continue
            if key.waiting and abs(first - int(key.waiting[-1].stamps[-1])) > _DAY_US:
                self._resolve(key, first, settled)
            key.waiting.append(run(part))

    def _resolve(self, key: _Key, following: int | None, settled: _Settled) -> None:
        """Say of the rows that wait which pass they belong to, now that what follows is known."""
        runs, key.waiting = key.waiting, []
        if not runs or self._zone is None:
            return
        stamps = np.concatenate([run.stamps for run in runs])
        second = self._second(stamps, key.last, following)
        if second is None:
            settled.bad.extend(row for run in runs for row in run.bad)
            return
        later = second_pass(stamps.astype("datetime64[us]"), self._zone).astype(np.int64)
        told = array_of(np.where(second, later, stamps)).cast(pa.timestamp("us", tz="UTC"))
        table = pa.concat_tables([run.table for run in runs])
        settled.tables.append(table.set_column(table.schema.get_field_index("ts"), table.schema.field("ts"), told))
        settled.places.append(np.concatenate([run.places for run in runs]))

    def _second(self, stamps: Stamps, before: int | None, after: int | None) -> Mask | None:
        """Which rows are of the second pass; None where their order does not tell."""
        steps = [*([int(stamps[0]) - before] if before is not None else []),
                 *([after - int(stamps[-1])] if after is not None else [])]  # fmt: skip
        rising, falling = self._stepping_back(stamps), self._stepping_back(stamps[::-1])
        if steps and all(step > 0 for step in steps):
            return rising
        if steps and all(step < 0 for step in steps):
            return None if falling is None else falling[::-1]
        if steps or (rising is None) == (falling is None):
            return None
        return rising if falling is None else falling[::-1]

    def _stepping_back(self, stamps: Stamps) -> Mask | None:
        """The rows from the one on at which the clock steps back; None where it does not do so once."""
        steps = np.diff(stamps)
        back = steps < 0 if "sequence" in self._dimension.key else steps <= 0
        if np.count_nonzero(back) != 1 or ("sequence" in self._dimension.key and steps[back][0] > -_LEAST_STEP_US):
            return None
        second: Mask = np.arange(stamps.size) > np.flatnonzero(back)[0]
        return second


def _run(table: pa.Table, stamps: Stamps, at: Places, as_bad: Callable[[Places, str], list[BadRow]]) -> _Run:
    return _Run(table.take(array_of(at)), stamps[at], at, as_bad(at, _REASON))


def _in_order(tables: list[pa.Table], places: list[Places]) -> pa.Table:
    order = np.argsort(np.concatenate(places), kind="stable")
    return pa.concat_tables(tables).take(array_of(order))
