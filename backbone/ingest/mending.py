"""A run whose bars are mended: they lie in a file until all of a series is known, then they come chunk by chunk again.

So a repair does not depend on where chunks end. In memory are a million rows at a time, or one series where it is
longer, and what was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain import Dimension, Frame
from backbone.domain.clock import from_us
from backbone.files import scratch
from backbone.quality.repair import Found, Remedies, find
from backbone.quality.repairs.bars import Truths
from backbone.quality.screening import Rejected, Screening, impossible, rejected_row
from backbone.store.records import RepairRow

__all__ = ["Mended", "Mending"]

_AT_ONCE = 1_000_000


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

    Raises:
        OSError: there is no room for the rows, here and in the methods.
    """

    def __init__(self, dimension: Dimension, remedies: Remedies, screening: Screening) -> None:
        self._dimension = dimension
        self._remedies = remedies
        self._screening = screening
        self._file: IO[bytes] = scratch()
        self._writer: pa.RecordBatchFileWriter | None = None
        self._stacked: list[bool] = []
        self._rows_of: Counter[str] = Counter()

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

    def parts(self) -> Iterator[Mended]:
        """The rows of one chunk after the other, when all are kept."""
        if self._writer is None:
            return
        self._writer.close()
        self._file.seek(0)
        with pa.ipc.open_file(self._file) as kept:
            found = self._found(kept)
            first = 0
            for n, stacked in enumerate(self._stacked):
                batch = kept.get_batch(n)
                yield self._mended(pa.Table.from_batches([batch]), stacked, found, first)
                first += batch.num_rows

    def close(self) -> None:
        """Forget all of it."""
        self._file.close()

    def _found(self, kept: pa.RecordBatchFileReader) -> Found:
        """What the rules find, by the place of rows among all of the run."""
        parts = []
        for symbols in self._groups():
            tables, places, first = [], [], 0
            for n in range(kept.num_record_batches):
                batch = kept.get_batch(n)
                own = np.flatnonzero(pc.is_in(batch.column(0), value_set=symbols).to_numpy(zero_copy_only=False))
                if own.size:
                    tables.append(pa.Table.from_batches([batch.take(pa.array(own))]))
                    places.append(own + first)
                first += batch.num_rows
            frame = Frame.of_canonical(self._dimension, pa.concat_tables(tables).combine_chunks())
            parts.append(find(frame, self._remedies).moved(np.concatenate(places)))
        return Found.joined(parts)

    def _groups(self) -> Iterator[pa.Array]:
        """Symbols that are looked at together."""
        group, rows = list[str](), 0
        for symbol, count in sorted(self._rows_of.items()):
            if group and rows + count > _AT_ONCE:
                yield pa.array(group)
                group, rows = [], 0
            group.append(symbol)
            rows += count
        yield pa.array(group)

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
            table = table.set_column(at, table.schema.field(at), pa.array(mended, from_pandas=True))
        told = list(zip(rows.tolist(), found.rules[within], found.why[within], aside.tolist(), strict=True))
        after = Frame.of_canonical(self._dimension, table)
        stays = self._stays(after) if stacked else np.ones(len(after), dtype=np.bool_)
        kept = [(row, rules, why) for row, rules, why, away in told if stays[row] and not away]
        repairs = _repairs(given, after, kept)
        rejected = tuple(rejected_row(given, row, why) for row, _, why, away in told if away)
        left = np.ones(table.num_rows, dtype=np.bool_)
        left[rows[aside]] = False
        return Mended(Frame.of_canonical(self._dimension, table.filter(pa.array(left))), stacked, repairs, rejected)

    def _stays(self, after: Frame) -> Truths:
        """Of rows as they came, those that no later one with their key takes the place of."""
        stays = ~impossible(after, self._screening)
        last = dict[tuple[object, ...], int]()
        key = after.to_arrow().select(after.dimension.key)
        for row, own in enumerate(zip(*(column.to_pylist() for column in key.columns), strict=True)):
            if stays[row] and (earlier := last.get(own)) is not None:
                stays[earlier] = False
            if stays[row]:
                last[own] = row
        return stays


def _repairs(given: Frame, after: Frame, told: list[tuple[int, str, str]]) -> tuple[RepairRow, ...]:
    """What is kept of mended rows: of each the columns that were changed, before and after."""
    places = pa.array([row for row, _, _ in told], pa.int64())
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


def _numbers(frame: Frame) -> list[str]:
    return [name for name, kind in frame.dimension.kinds.items() if kind == "double"]
