"""Delimited text files: comma, semicolon, tab or bar; plain or gzip; with a header."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from backbone.domain import Dimension
from backbone.domain.clock import parse_interval
from backbone.domain.zones import load_zone
from backbone.sources.errors import InputInvalid
from backbone.sources.port import BadRow, Progress, SourceChunk
from backbone.sources.text.chunking import Chunker
from backbone.sources.text.layout import Layout, find_layout
from backbone.sources.text.lines import Block, blocks
from backbone.sources.text.opening import TextBytes, open_text
from backbone.sources.text.reader import Reader

__all__ = ["CsvSource"]


class CsvSource:
    """Rows of one delimited text file.

    Delimiter and gzip are told by content; a header is needed, its names are read in any case and by common aliases
    (``Date``, ``Adj Close``, ``ticker``, …). Bars need open, high, low and close, trades a price; volume and the like
    may be empty. Lines that can't be read are quarantined with their number, the rest goes in.

    Times are ISO-8601. Those without an offset need ``zone``; daily bars need none, they bear the session's date.
    Trades and quotes without a sequence number are numbered in file order within (symbol, ts).
    """

    name = "csv"

    def __init__(
        self,
        path: str | Path,
        dimension: Dimension | str,
        *,
        interval: str | None = None,
        symbol: str | None = None,
        zone: str | None = None,
        chunk_rows: int = 100_000,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        """Name the file; it is opened when chunks are asked for.

        Args:
            path: of the file.
            dimension: what the rows are.
            interval: of bars, when the file has no such column.
            symbol: of all rows, when the file has no such column (the calendar, of macro events).
            zone: IANA name of the zone of times without an offset.
            chunk_rows: rows per chunk.
            columns: the file's column names to ours, where they are unusual; numbers mean positions, counted from 1,
                in a file without a header.

        Raises:
            ValueError: an argument is not allowed.
        """
        if chunk_rows < 1:
            raise ValueError(f"chunk_rows={chunk_rows} given; give 1 or more")
        self.path = Path(path)
        self.dimension = Dimension.parse(dimension)
        self._zone = None if zone is None else load_zone(zone)
        self._chunk_rows = chunk_rows
        self._columns = dict(columns or {})
        given = {self.dimension.partition_column: symbol, "interval": interval and parse_interval(interval)}
        self._constants = {column: value.strip() for column, value in given.items() if value}

    def describe(self) -> str:
        """File and dimension."""
        interval = self._constants.get("interval")
        return f"csv {self.path.name} ({self.dimension}{f', {interval}' if interval else ''})"

    def chunks(self, *, progress: Callable[[Progress], None] | None = None) -> Iterator[SourceChunk]:
        """Read the file; see `backbone.sources.port.Source.chunks`.

        Raises:
            InputMissing: there is no such file.
            InputInvalid: it is empty, damaged, of another format or with other columns, or no time has an offset and
                no zone was given.
        """
        with open_text(self.path) as text:
            chunker = Chunker(self.dimension, self._chunk_rows, self.path.name)
            for table, bad in self._batches(text):
                yield from chunker.add(table, bad)
                if progress is not None:
                    progress(Progress(chunker.rows_read, text.position, text.size))
            if not chunker.rows_read:
                raise InputInvalid(f"{self.path} has a header but no rows; rows are needed")
            yield from chunker.rest()

    def _batches(self, text: TextBytes) -> Iterator[tuple[pa.Table, list[BadRow]]]:
        parts = blocks(text)
        head = next(parts, None)
        if head is None:
            raise InputInvalid(f"{self.path} is empty; a header line and rows are needed")
        layout = self._layout(head.data)
        reader = Reader(self.path, layout, self.dimension, self._zone)
        first = _without_header(head, layout)
        reader.refuse_times_without_zone(first.data)
        for block in itertools.chain([first], parts):
            if block.data:
                yield reader.read(block)

    def _layout(self, data: bytes) -> Layout:
        head = data[: data.rfind(b"\n", 0, 65_536) + 1] or data[: data.find(b"\n")]
        return find_layout(
            str(self.path),
            head.decode("utf-8", "replace"),
            self.dimension,
            renames=self._columns,
            constants=self._constants,
        )


def _without_header(block: Block, layout: Layout) -> Block:
    start = 0
    for _ in range(layout.first_row - block.first_line):
        start = block.data.find(b"\n", start) + 1
    return Block(block.data[start:], layout.first_row)
