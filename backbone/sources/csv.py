"""Delimited text files: comma, semicolon, tab or bar; plain or gzip; with a header."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pyarrow as pa

from backbone.sources.errors import InputInvalid
from backbone.sources.file import FileSource
from backbone.sources.port import BadRow, Progress, SourceChunk
from backbone.sources.text.chunking import Chunker
from backbone.sources.text.layout import Layout, find_layout
from backbone.sources.text.lines import Block, blocks
from backbone.sources.text.opening import TextBytes, open_text
from backbone.sources.text.reader import Reader

__all__ = ["CsvSource"]


class CsvSource(FileSource):
    """Rows of one delimited text file.

    Delimiter and gzip are told by content; a header is needed, its names are read in any case and by common aliases
    (``Date``, ``Adj Close``, ``ticker``, …). Bars need open, high, low and close, trades a price; volume and the like
    may be empty. Lines that can't be read are quarantined with their number, the rest goes in.

    Times are ISO-8601. Those without an offset need ``zone``; daily bars need none, they bear the session's date.
    Trades and quotes without a sequence number have none: the store tells them apart by what they say.
    """

    name = "csv"

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
