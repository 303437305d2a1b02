"""A run whose bars are mended: they lie in a file until all of a series is known, then they come chunk by chunk again.

So a repair does not depend on where chunks end. A series of which the run has few bars is looked at together with
those that are stored around them. In memory are half a million rows at a time, or one series where it is longer, and
what was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain import Dimension, Frame
from backbone.domain.arrays import array_of
from backbone.domain.clock import MAX_US, MIN_US, from_us, interval_duration
from backbone.domain.events import agreeing
from backbone.domain.values import numpy_of, python_of
from backbone.files import scratch
from backbone.quality.repair import Found, Remedies, find
from backbone.quality.repairs.bars import Truths
from backbone.quality.screening import STRICT, Rejected, Screening, impossible, rejected_row
from backbone.store.records import Query, RepairRow

__all__ = ["Asked", "Mended", "Mending"]

_AT_ONCE = 500_000
_FEW = 250  # bars, which are too few to look at them alone
_BARS_AROUND = 600
_US = timedelta(microseconds=1)
_LEAST_AROUND, _MOST_AROUND = timedelta(days=7), timedelta(days=180)


class Asked(NamedTuple):
    """What has to be known of the store before rows are mended.

    Attributes:
        queries: which rows.
        give: takes them.
    """

    queries: tuple[Query, ...]
    give: Callable[[Sequence[Frame]], None]


class Mended(NamedTuple):
    """The rows of a chunk after the rules have looked at them.

    Attributes:
        wanted: those that are not kept aside, in the order in which they were given.
        stacked: some may have one key.
        repairs: of those that were mended.
        aside: those that a rule wants kept aside.
    """

    wanted: Frame
    stacked: bool
    repairs: tuple[RepairRow, ...]
    aside: tuple[Rejected, ...]


class Mending:
    """Keeps the rows of a run and gives them back mended. It has to be closed.

    Args:
        dimension: what the rows are.
        remedies: which rules are on.
        screening: what can be true: a row that can't be takes no other one's place.
        at_once: how many rows are looked at together, unless a series is longer.

    Raises:
        OSError: there is no room for the rows, here and in the methods.
    """

    def __init__(
        self, dimension: Dimension, remedies: Remedies, screening: Screening = STRICT, *, at_once: int = _AT_ONCE
    ) -> None:
        self._dimension = dimension
        self._remedies = remedies
        self._screening = screening
        self._at_once = at_once
        self._file: IO[bytes] = scratch()
        self._writer: pa.RecordBatchFileWriter | None = None
        self._stacked: list[bool] = []
        self._rows_of: Counter[str] = Counter()
        self._intervals: set[str | None] = set()
        self._spans: list[tuple[int, int]] = []
        self._stored = Frame.empty(dimension)
        self._kept: pa.RecordBatchFileReader | None = None
        self._found: list[Found] = []

    def keep(self, wanted: Frame, *, stacked: bool) -> None:
        """Put the rows of a chunk aside until all are there."""
        if not wanted.num_rows:
            return
        table = wanted.to_arrow().combine_chunks()
        if self._writer is None:
            self._writer = pa.ipc.new_file(self._file, table.schema)
        [batch] = table.to_batches()
        self._writer.write_batch(batch)
        self._stacked.append(stacked)
        counts = pc.value_counts(batch.column(0))
        self._rows_of.update(dict(zip(*(field.to_pylist() for field in counts.flatten()), strict=True)))
        self._intervals.update(
            batch.column("interval").unique().to_pylist() if "interval" in table.schema.names else [None]
        )
        self._spans.append(wanted.span_us if not stacked else _span(batch))

    def asked(self) -> Asked | None:
        """What to look up when all are kept; None: nothing."""
        few = tuple(sorted(symbol for symbol, rows in self._rows_of.items() if rows < _FEW))
        if not few:
            return None
        first, last = min(first for first, _ in self._spans), max(last for _, last in self._spans)
        queries = []
        for interval in sorted(self._intervals, key=str):
            length = timedelta(days=1) if interval is None else interval_duration(interval)
            around = max(_LEAST_AROUND, min(_BARS_AROUND * length, _MOST_AROUND))
            start, end = (from_us(min(max(at, MIN_US), MAX_US)) for at in (first - around // _US, last + around // _US))
            queries.append(Query(self._dimension, few, interval, start, end, _AT_ONCE))
        return Asked(tuple(queries), self._give)

    def _give(self, stored: Sequence[Frame]) -> None:
        self._stored = Frame.concat(stored)

    def look(self) -> Iterator[None]:
        """Look for rows that are wrong when all are kept, a second or two at a time: between them it may be left."""
        if self._writer is None:
            return
        self._writer.close()
        self._file.seek(0)
        self._kept = pa.ipc.open_file(self._file)
        for symbols in self._groups():
            self._found.append(self._looked(self._kept, symbols))
            yield

    def parts(self) -> Iterator[Mended]:
        """The rows of one chunk after the other, when all are looked at."""
        if self._kept is None:
            return
        found, first = Found.joined(self._found), 0
        for n, stacked in enumerate(self._stacked):
            batch = self._kept.get_batch(n)
            yield self._mended(pa.Table.from_batches([batch]), stacked, found, first)
            first += batch.num_rows

    def close(self) -> None:
        """Forget all of it."""
        self._file.close()

    def _looked(self, kept: pa.RecordBatchFileReader, symbols: pa.Array) -> Found:
        """What the rules find of some symbols, by the place of rows among all of the run."""
        tables, places, first = [], [], 0
        for n in range(kept.num_record_batches):
            batch = kept.get_batch(n)
            own = np.flatnonzero(numpy_of(pc.is_in(batch.column(0), value_set=symbols)))
            if own.size:
                tables.append(pa.Table.from_batches([batch.take(array_of(own))]))
                places.append(own + first)
            first += batch.num_rows
        rows = pa.concat_tables(tables)
        beside = self._beside(rows, symbols)
        places.append(np.full(beside.num_rows, -1))
        frame = Frame.of_canonical(self._dimension, pa.concat_tables([rows, beside]).combine_chunks())
        return find(frame, self._remedies).moved(np.concatenate(places)).without_others()

    def _beside(self, rows: pa.Table, symbols: pa.Array) -> pa.Table:
        """The stored rows of some symbols whose keys are none of the run's."""
        stored = self._stored.to_arrow()
        stored = stored.filter(pc.is_in(stored.column(0), value_set=symbols))
        if not stored.num_rows:
            return stored
        keys = self._dimension.key
        same = agreeing(pa.concat_tables([stored.select(keys), rows.select(keys)]), keys)
        return stored.filter(array_of(~np.isin(same[: stored.num_rows], same[stored.num_rows :])))

    def _groups(self) -> Iterator[pa.Array]:
        """Symbols that are looked at together."""
        group, rows = list[str](), 0
        for symbol, count in sorted(self._rows_of.items()):
            if group and rows + count > self._at_once:
                yield array_of(group, pa.string())
                group, rows = [], 0
            group.append(symbol)
            rows += count
        yield array_of(group, pa.string())

    def _mended(self, table: pa.Table, stacked: bool, found: Found, first: int) -> Mended:
        given = Frame.of_canonical(self._dimension, table)
        within = slice(*np.searchsorted(found.rows, (first, first + table.num_rows)).tolist())
        rows, aside = found.rows[within] - first, found.aside[within]
        if not rows.size:
            return Mended(given, stacked, (), ())
        for name, values in found.values.items():
            mended = given.column(name).copy()
            mended[rows] = values[within]
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(at), array_of(mended, missing=np.isnan(mended)))
        told = list(zip(rows.tolist(), found.rules[within], found.why[within], aside.tolist(), strict=True))
        after = Frame.of_canonical(self._dimension, table)
        stays = self._stays(after) if stacked else np.ones(len(after), dtype=np.bool_)
        kept = [(row, rules, why) for row, rules, why, away in told if stays[row] and not away]
        repairs = _repairs(given, after, kept)
        rejected = tuple(rejected_row(given, row, why) for row, _, why, away in told if away)
        left = np.ones(table.num_rows, dtype=np.bool_)
        left[rows[aside]] = False
        return Mended(Frame.of_canonical(self._dimension, table.filter(array_of(left))), stacked, repairs, rejected)

    def _stays(self, after: Frame) -> Truths:
        """Of rows as they came, those that no later one with their key takes the place of."""
        stays = ~impossible(after, self._screening)
        last = dict[tuple[object, ...], int]()
        key = after.to_arrow().select(after.dimension.key)
        for row, own in enumerate(zip(*(python_of(column) for column in key.columns), strict=True)):
            if stays[row] and (earlier := last.get(own)) is not None:
                stays[earlier] = False
            if stays[row]:
                last[own] = row
        return stays


def _repairs(given: Frame, after: Frame, told: list[tuple[int, str, str]]) -> tuple[RepairRow, ...]:
    """What is kept of mended rows: of each the columns that were changed, before and after."""
    places = array_of([row for row, _, _ in told], pa.int64())
    key = given.to_arrow().select(given.dimension.key).take(places).combine_chunks()
    before, now = (frame.to_arrow().select(_numbers(given)).take(places).to_pylist() for frame in (given, after))
    symbols, stamps = key.column(0).to_pylist(), key.column("ts").cast(pa.int64()).to_pylist()
    intervals = key.column("interval").to_pylist() if "interval" in given.dimension.key else [""] * len(told)
    return tuple(
        RepairRow(
            dimension=given.dimension,
            symbol=symbol,
            interval=interval,
            ts=from_us(at),
            rules=rules,
            why=why,
            original={name: value for name, value in old.items() if value != new[name]},
            repaired={name: value for name, value in new.items() if value != old[name]},
        )
        for (_, rules, why), symbol, interval, at, old, new in zip(
            told, symbols, intervals, stamps, before, now, strict=True
        )
    )


def _span(batch: pa.RecordBatch) -> tuple[int, int]:
    """Earliest and latest moment of rows in any order, microseconds since 1970."""
    ends = pc.min_max(batch.column("ts").cast(pa.int64())).as_py()
    return ends["min"], ends["max"]


def _numbers(frame: Frame) -> list[str]:
    return [name for name, kind in frame.dimension.kinds.items() if kind == "double"]
