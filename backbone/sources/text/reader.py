"""Blocks of lines into tables: plain lines columnwise, the others one by one, all in the order of the file."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain import Dimension
from backbone.domain.clock import parse_time
from backbone.domain.schema import arrow_type
from backbone.sources.errors import InputInvalid
from backbone.sources.port import BadRow, excerpt
from backbone.sources.text.columns import has_offset, parse_columns
from backbone.sources.text.layout import Layout
from backbone.sources.text.lines import Block, Lines, examine
from backbone.sources.text.rows import RowError, Value, read_row

__all__ = ["Reader"]

_SAMPLE = 1000

Places = NDArray[np.intp]


class Reader:
    """Reads the blocks of one file, in their order."""

    def __init__(self, path: Path, layout: Layout, dimension: Dimension, zone: ZoneInfo | None) -> None:
        self._path = path
        self._layout = layout
        self._dimension = dimension
        self._zone = zone
        columns = [c for c in dimension.columns if c in layout.positions or c in layout.constants]
        self._schema = pa.schema([(c, arrow_type(dimension.kinds[c])) for c in columns])

    def read(self, block: Block) -> tuple[pa.Table, list[BadRow]]:
        """The rows of a block in file order, and those that are bad."""
        lines = examine(block.data, self._layout.delimiter, self._layout.fields)
        table, places = self._plain_rows(block.data, lines)
        single = ~lines.empty
        single[places] = False
        rescued, rescued_places, bad = self._single_rows(block, lines, np.flatnonzero(single))
        if rescued:
            table = pa.concat_tables([table, pa.Table.from_pylist(rescued, schema=self._schema)])
            places = np.concatenate((places, rescued_places))
            order = np.argsort(places, kind="stable")
            table, places = table.take(pa.array(order)), places[order]
        return table, bad

    def refuse_times_without_zone(self, data: bytes) -> None:
        """Stop before anything is delivered when no time says its offset and no zone was given.

        Raises:
            InputInvalid: that is so, judged by the first thousand lines.
        """
        if self._zone is not None or self._dimension is Dimension.DAILY_BARS:
            return
        position = self._layout.positions["ts"]
        naive = None
        for line in data[: _SAMPLE * 200].split(b"\n")[:_SAMPLE]:
            fields = line.decode("utf-8", "replace").split(self._layout.delimiter)
            text = fields[position].strip('" \r') if position < len(fields) else ""
            if has_offset(text):
                return
            if naive is None and _is_time(text):
                naive = text
        if naive is not None:
            raise InputInvalid(
                f"{self._path} has times without an offset from UTC, such as {naive!r}; say which zone they are in "
                "(--zone UTC, --zone America/New_York)"
            )

    def _plain_rows(self, data: bytes, lines: Lines) -> tuple[pa.Table, Places]:
        """The rows that can be read columnwise, and which lines of the block they are."""
        places = np.flatnonzero(lines.plain)
        if not places.size:
            return self._schema.empty_table(), places
        if places.size < lines.ends.size:
            kept = np.repeat(lines.plain, lines.ends + 1 - lines.starts)
            data = np.frombuffer(data, dtype=np.uint8)[kept].tobytes()
        parsed = parse_columns(data, self._layout, self._dimension, self._zone)
        constants = {c: pa.repeat(pa.scalar(v), places.size) for c, v in self._layout.constants.items()}
        arrays = {**parsed.arrays, **constants}
        table = pa.Table.from_arrays([arrays[c] for c in self._schema.names], schema=self._schema)
        if not parsed.doubtful.any():
            return table, places
        return table.filter(pa.array(~parsed.doubtful)), places[~parsed.doubtful]

    def _single_rows(
        self, block: Block, lines: Lines, places: Places
    ) -> tuple[list[dict[str, Value]], Places, list[BadRow]]:
        """Read lines one by one: rows that are good after all, which lines they are, and bad rows. Blank lines go."""
        rows, good, bad = [], [], []
        for place in places.tolist():
            line = _line(block, lines, place)
            if not line.strip():
                continue
            try:
                rows.append(read_row(line, self._layout, self._dimension, self._zone))
                good.append(place)
            except RowError as error:
                bad.append(self._bad(block, lines, place, str(error)))
        return rows, np.array(good, dtype=np.intp), bad

    def _bad(self, block: Block, lines: Lines, place: int, reason: str) -> BadRow:
        location = f"{self._path.name}:{block.first_line + place}"
        return BadRow(location, reason, excerpt(_line(block, lines, place)))


def _line(block: Block, lines: Lines, place: int) -> bytes:
    return block.data[lines.starts[place] : lines.ends[place]].removesuffix(b"\r")


def _is_time(text: str) -> bool:
    try:
        parse_time(text, "UTC")
    except ValueError:
        return False
    return True
