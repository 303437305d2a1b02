"""Delimited text files: comma, semicolon, tab or bar; plain or packed; in UTF-8 or what the caller says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing

import pyarrow as pa

from backbone.sources.errors import InputInvalid
from backbone.sources.file import FileSource
from backbone.sources.port import Account, BadRow, Progress, SourceChunk
from backbone.sources.stamps import shifted
from backbone.sources.text.chunking import Chunker
from backbone.sources.text.layout import Layout, find_layout
from backbone.sources.text.lines import Block, blocks
from backbone.sources.text.opening import TextBytes, open_text
from backbone.sources.text.placing import TimeForm
from backbone.sources.text.reader import Reader

__all__ = ["CsvSource"]


class CsvSource(FileSource):
    """Rows of one delimited text file.

    Delimiter, packing and the layouts of well-known vendors are told by content; see `backbone.sources.text.dialects`.
    Names of a header are read in any case and by common aliases (``Date``, ``Adj Close``, ``ticker``, …). Bars need
    open, high, low and close, trades a price; volume and the like may be empty. Lines that can't be read are
    quarantined with their number, the rest goes in.

    Times without an offset need ``zone``; daily bars need none, they bear the session's date. Trades and quotes without
    a sequence number have none: the store tells them apart by what they say.
    """

    name = "csv"

    def chunks(self, *, progress: Callable[[Progress], None] | None = None) -> Iterator[SourceChunk]:
        """Read the file; see `backbone.sources.port.Source.chunks`.

        Raises:
            InputMissing: there is no such file.
            InputInvalid: it is empty, damaged, of another format or with other columns, or no time has an offset and
                no zone was given.
        """
        self.account = Account()
        with (
            open_text(self.path, self.form.encoding) as text,
            closing(Chunker(self.dimension, self._chunk_rows, self.path.name)) as chunker,
        ):
            self.account.note(*text.notes)
            for table, bad in self._batches(text):
                yield from chunker.add(shifted(table, self.form.stamps), bad)
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
        reader = Reader(self.path, layout, self.dimension)
        first, stray = _from_row(head, layout)
        yield reader.none, reader.before_header(stray)
        for block in itertools.chain([first], parts):
            if block.data:
                yield reader.read(block)
        yield reader.rest()
        self.account.note(*reader.remarks.words())

    def _layout(self, data: bytes) -> Layout:
        head = data[: data.rfind(b"\n", 0, 65_536) + 1] or data[: data.find(b"\n")]
        found = find_layout(
            str(self.path),
            head.decode("utf-8", "replace"),
            self.dimension,
            form=self.form,
            constants=self._constants,
            times=TimeForm(earliest=self._years[0], latest=self._years[1]),
        )
        self.account.dialect = found.dialect
        self.account.columns = dict(found.mapped)
        self.account.ignored = dict(found.ignored)
        self.account.note(*found.notes)
        return found


def _from_row(block: Block, layout: Layout) -> tuple[Block, list[tuple[int, bytes]]]:
    """The block from the first row on, and the lines before it that look like rows, by their number."""
    start, stray = 0, []
    for number in range(block.first_line, layout.first_row):
        end = block.data.find(b"\n", start) + 1
        if number in layout.stray:
            stray.append((number, block.data[start:end].rstrip(b"\r\n")))
        start = end
    return Block(block.data[start:], layout.first_row, block.lines - layout.first_row + block.first_line), stray
