"""Blocks of lines into tables: plain lines columnwise, the others one by one, all in the order of the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain import Dimension
from backbone.domain.arrays import array_of, empty_of, scalar_of, table_of
from backbone.domain.schema import arrow_type
from backbone.sources.casting import Mask
from backbone.sources.corrections import kinds_read, settled
from backbone.sources.errors import InputInvalid
from backbone.sources.port import BadRow, excerpt
from backbone.sources.remarks import Remarks
from backbone.sources.repeated import RepeatedHours
from backbone.sources.text.columns import Columns, parse_columns
from backbone.sources.text.dialects import plain
from backbone.sources.text.heading import is_header, split
from backbone.sources.text.layout import Layout
from backbone.sources.text.lines import Block, Looked, are_even
from backbone.sources.text.rows import Row, RowError, read_row

__all__ = ["Reader"]

Places = NDArray[np.intp]


class _Rows(NamedTuple):
    """Rows, which lines they are, and whose time the clocks showed twice."""

    table: pa.Table
    places: Places
    repeated: Mask


class Reader:
    """Reads the blocks of one file, in their order.

    Attributes:
        remarks: what was done to cells of the rows so far.
    """

    def __init__(self, path: Path, layout: Layout, dimension: Dimension) -> None:
        self._path = path
        self._layout = layout
        self._dimension = dimension
        self._hours = RepeatedHours(dimension, layout.times.zone, layout.parts)
        self.remarks = Remarks()
        columns = {c: kind for c, kind in kinds_read(dimension).items() if c in layout.parts or c in layout.constants}
        self._schema = pa.schema([(c, arrow_type(kind)) for c, kind in columns.items()])

    def read(self, block: Block) -> tuple[pa.Table, list[BadRow]]:
        """The rows of a block in file order, and those that are bad."""
        looked = Looked(block, self._layout.delimiter, self._layout.fields, ends_empty=self._layout.trailing)
        (table, places, repeated), bad = self._rows(looked)
        if self._dimension is Dimension.TRADES:
            found = settled(table)
            bad += [self._bad(looked, places[row], reason) for row, reason in found.reasons.items()]
            if not found.kept.all():
                places, repeated = places[found.kept], repeated[found.kept]
            table = found.table
            self.remarks.settled(found.cancelled, found.corrected)
        table, unplaced = self._hours.settle(
            table, repeated, lambda rows, reason: [self._bad(looked, place, reason) for place in places[rows]]
        )
        return table, bad + unplaced

    def _rows(self, looked: Looked) -> tuple[_Rows, list[BadRow]]:
        """The rows that can be read, and the bad ones."""
        rows = self._even_rows(looked.block)
        if rows is not None and len(rows.places) == looked.block.lines:
            return rows, []
        rows = self._plain_rows(looked) if rows is None else rows
        single = ~looked.lines.empty
        single[rows.places] = False
        rescued, places, bad = self._single_rows(looked, np.flatnonzero(single))
        if not rescued:
            return rows, bad
        values = [row.values for row in rescued]
        table = pa.concat_tables([rows.table, table_of(values, self._schema)])
        places = np.concatenate((rows.places, places))
        repeated = np.concatenate((rows.repeated, [row.repeated for row in rescued]))
        order = np.argsort(places, kind="stable")
        return _Rows(table.take(array_of(order)), places[order], repeated[order]), bad

    def rest(self) -> tuple[pa.Table, list[BadRow]]:
        """The rows that waited until the end of the file; see `backbone.sources.repeated`."""
        table, bad = self._hours.rest()
        return self.none if table is None else table, bad

    @property
    def none(self) -> pa.Table:
        """No rows."""
        nothing = empty_of(self._schema)
        return settled(nothing).table if self._dimension is Dimension.TRADES else nothing

    def before_header(self, lines: Iterable[tuple[int, bytes]]) -> list[BadRow]:
        """Lines that look like rows and stand before the header, by their number."""
        return [
            BadRow(f"{self._path.name}:{number}", "stands before the header line", excerpt(line))
            for number, line in lines
        ]

    def _even_rows(self, block: Block) -> _Rows | None:
        """The rows of a block of which every line is plain, as nearly all are; None: look at its lines first."""
        layout, remarks = self._layout, Remarks()
        if layout.trailing or not are_even(block.data, layout.delimiter, layout.fields):
            return None
        try:
            parsed = parse_columns(block.data, layout, self._dimension, remarks)
        except pa.ArrowInvalid:  # a line has another number of fields
            return None
        if parsed.doubtful.size != block.lines:  # a line is empty
            return None
        self.remarks.add(remarks)
        return self._sure(parsed, np.arange(block.lines))

    def _plain_rows(self, looked: Looked) -> _Rows:
        """The rows that can be read columnwise."""
        data, lines = looked.block.data, looked.lines
        places = np.flatnonzero(lines.plain)
        if not places.size:
            return _Rows(empty_of(self._schema), places, np.zeros(0, dtype=np.bool_))
        if places.size < lines.ends.size:
            kept = np.repeat(lines.plain, lines.ends + 1 - lines.starts)
            data = np.frombuffer(data, dtype=np.uint8)[kept].tobytes()
        return self._sure(parse_columns(data, self._layout, self._dimension, self.remarks), places)

    def _sure(self, parsed: Columns, places: Places) -> _Rows:
        """The rows of which every value fits; the others are read line by line."""
        constants = {c: pa.repeat(scalar_of(v), places.size) for c, v in self._layout.constants.items()}
        arrays = {**parsed.arrays, **constants}
        table = pa.Table.from_arrays([arrays[c] for c in self._schema.names], schema=self._schema)
        if not parsed.doubtful.any():
            return _Rows(table, places, parsed.repeated)
        sure = ~parsed.doubtful
        return _Rows(table.filter(array_of(sure)), places[sure], parsed.repeated[sure])

    def _single_rows(self, looked: Looked, places: Places) -> tuple[list[Row], Places, list[BadRow]]:
        """Read lines one by one: rows that are good after all, which lines they are, and bad rows. Blank lines go."""
        rows, good, bad = [], [], []
        for place in places.tolist():
            line = looked.line(place)
            if not line.strip():
                continue
            try:
                rows.append(read_row(line, self._layout, self._dimension, self.remarks))
                good.append(place)
            except RowError as error:
                bad.append(self._bad(looked, place, self._header_again(looked.block, place, line) or str(error)))
        return rows, np.array(good, dtype=np.intp), bad

    def _header_again(self, block: Block, place: int, line: bytes) -> str:
        """Why a line is no row if it is a header, as in files put together; "" where it is none.

        Raises:
            InputInvalid: it has the columns in another order, so that the rows behind it would be taken for others.
        """
        text = line.decode("utf-8", "replace")
        if not is_header(text, self._layout.delimiter, self._dimension, self._layout.names):
            return ""
        names = [plain(name) for name in split(text, self._layout.delimiter)]
        if names[: len(self._layout.names)] == [plain(name) for name in self._layout.names]:
            return "is the header line again"
        raise InputInvalid(
            f"{self._path} has another header in line {block.first_line + place}: {excerpt(line)[:60]!r}; "
            "put each part into a file of its own"
        )

    def _bad(self, looked: Looked, place: int, reason: str) -> BadRow:
        location = f"{self._path.name}:{looked.block.first_line + place}"
        return BadRow(location, reason, excerpt(looked.line(place)))
