"""How much memory the pages of a Parquet file take up when they are unpacked, known before any of them is.

A file of some kilobytes may unfold to gigabytes: pages that compress well, one long text in a dictionary that a million
rows name, texts that share one long beginning. What the footer says of sizes nobody checks, so the pages are asked: a
page can't unpack to more than its header says.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812  it is a class
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from backbone.sources.errors import InputInvalid
from backbone.sources.thrift import DATA, DICTIONARY, HeaderCut, PageHeader, has_encrypted_columns, page_header

__all__ = [
    "MOST_BATCH_BYTES",
    "MOST_FOOTER_BYTES",
    "MOST_PAGE_BYTES",
    "Stretch",
    "footer_bytes",
    "refuse_encrypted",
    "stretches",
]

MOST_PAGE_BYTES: Final = 128 * 2**20
"""Bytes of the largest page, unpacked, and of the dictionary of each column that is read, together."""
MOST_BATCH_BYTES: Final = 8 * 2**20
"""Bytes of text that are unfolded at once. Reading takes up at most 512 MiB: the pages thrice, and some of these."""
MOST_FOOTER_BYTES: Final = 16 * 2**20
"""Bytes of the footer, which is unfolded about twentyfold."""

_MOST_ROWS: Final = 100_000
_MOST_HEADER: Final = 64 * 1024
_FIRST_LOOK: Final = 256
_INDICES: Final = frozenset({2, 8})  # PLAIN_DICTIONARY, RLE_DICTIONARY
_DELTA: Final = frozenset({6, 7})  # DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY
_SHARED: Final = 7  # each value may be as long as its page
_TEXTLIKE: Final = frozenset({"BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"})
_LENGTH: Final = Struct("<I")


class Stretch(NamedTuple):
    """Row groups that are read together, how many rows of them at once, and which columns stay dictionaries."""

    groups: list[int]
    rows: int
    coded: frozenset[int]


@dataclass(slots=True)
class _Weight:
    """What the pages of one column of a row group say.

    Attributes:
        page: bytes of the largest one that holds values.
        dictionary: bytes of the dictionary.
        spelled: bytes of all pages that spell their texts out.
        value: bytes of a text on average, on the page where it is largest.
        delta: whether texts are spelled in a way that can't be read into a dictionary.
        longest: bytes of the longest entry of the dictionary, at most.
    """

    page: int = 0
    dictionary: int = 0
    spelled: int = 0
    value: float = 0.0
    delta: bool = False
    longest: int = 0

    def add(self, head: PageHeader) -> None:
        """Look at one more page of a column of texts."""
        self.page = max(self.page, head.held)
        if head.encoding in _INDICES:
            return
        self.spelled += head.unpacked
        self.delta |= head.encoding in _DELTA
        self.value = max(self.value, head.unpacked / (1 if head.encoding == _SHARED else max(1, head.values)))


def footer_bytes(raw: int) -> int:
    """How long the footer of an open file is, by its own words."""
    size = os.fstat(raw).st_size
    return int.from_bytes(os.pread(raw, 4, max(0, size - 8)), "little")


def refuse_encrypted(path: Path, raw: int) -> None:
    """Refuse encrypted columns: at the first question about one, Arrow ends the process without an exception.

    Args:
        path: for messages.
        raw: descriptor of the open file.

    Raises:
        InputInvalid: there are some, or the footer is none.
    """
    size = footer_bytes(raw)
    try:
        encrypted = has_encrypted_columns(os.pread(raw, size, max(0, os.fstat(raw).st_size - 8 - size)))
    except HeaderCut as error:
        raise InputInvalid(f"{path} is damaged: its footer: {error}") from error
    if encrypted:
        raise InputInvalid(f"{path} has encrypted columns; decrypt it first")


def stretches(
    path: Path, raw: int, metadata: pq.FileMetaData, columns: Sequence[int], texts: Collection[int]
) -> Iterator[Stretch]:
    """The row groups, those of a kind together.

    Args:
        path: for messages.
        raw: descriptor of the open file.
        metadata: its footer.
        columns: those that are read, by place.
        texts: those of them that are texts.

    Raises:
        InputInvalid: pages of a row group unpack to more than `MOST_PAGE_BYTES`, or can't be read.
    """
    held = Stretch([], 0, frozenset())
    rows = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        at_once, coded = _planned(path, raw, group, columns, texts)
        if held.groups and (held[1:] != (at_once, coded) or rows >= _MOST_ROWS):
            yield held
            held, rows = Stretch([], 0, frozenset()), 0
        held = Stretch([*held.groups, number], at_once, coded)
        rows += group.num_rows
    if held.groups:
        yield held


def _planned(
    path: Path, raw: int, group: pq.RowGroupMetaData, columns: Sequence[int], texts: Collection[int]
) -> tuple[int, frozenset[int]]:
    """How many rows at once, and which columns stay dictionaries: Arrow gathers there all that pages spell out."""
    if max(columns, default=0) >= group.num_columns:
        raise InputInvalid(f"{path} is damaged: a row group has {group.num_columns} columns, fewer than the file")
    weights = {place: _weigh(path, raw, group.column(place)) for place in columns}
    pages = sum(weight.page + weight.dictionary for weight in weights.values())
    if pages > MOST_PAGE_BYTES:
        raise InputInvalid(
            f"{path} has pages that unpack to {pages:,} bytes together; at most {MOST_PAGE_BYTES:,} are unpacked at "
            "once: write it with smaller pages or row groups, and look at what makes it so large"
        )
    most = MOST_BATCH_BYTES // max(1, len(texts))
    coded = frozenset(at for at in texts if not weights[at].delta and weights[at].spelled <= most)
    values = sum(
        weight.value if place in coded else max(weight.value, weight.longest) for place, weight in weights.items()
    )
    return int(min(_MOST_ROWS, max(1, MOST_BATCH_BYTES // max(1.0, values)))), coded


def _weigh(path: Path, raw: int, column: pq.ColumnChunkMetaData) -> _Weight:
    weight = _Weight()
    textlike = column.physical_type in _TEXTLIKE
    dictionary = None
    for at, head in _pages(path, raw, column):
        if head.kind == DICTIONARY:
            weight.dictionary = max(weight.dictionary, head.held)
            dictionary = (at + head.header, head)
        elif head.kind in DATA and textlike:
            weight.add(head)
        elif head.kind in DATA:
            weight.page = max(weight.page, head.held)
    if textlike and dictionary is not None:
        weight.longest = _longest(raw, column, *dictionary) if weight.spelled else weight.dictionary
    return weight


def _longest(raw: int, column: pq.ColumnChunkMetaData, at: int, head: PageHeader) -> int:
    """Bytes of the longest entry of a dictionary; where it can't be read, those of all."""
    codec = _CODECS.get(column.compression)
    if codec is None or head.held > MOST_BATCH_BYTES or column.physical_type != "BYTE_ARRAY":
        return head.unpacked
    try:
        packed = os.pread(raw, head.packed, at)
        data = pa.decompress(packed, head.unpacked, codec=codec, asbytes=True) if codec else packed
        start = longest = 0
        for _ in range(head.values):
            (size,) = _LENGTH.unpack_from(data, start)
            longest = max(longest, size)
            start += _LENGTH.size + size
    except (pa.ArrowException, OSError, StructError):
        return head.unpacked
    return min(longest, head.unpacked)


_CODECS: Final = {"UNCOMPRESSED": "", "SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "BROTLI": "brotli"}


def _pages(path: Path, raw: int, column: pq.ColumnChunkMetaData) -> Iterator[tuple[int, PageHeader]]:
    """Where the pages of a column begin and their headers, as Arrow will come across them."""
    at: int = column.data_page_offset
    if column.has_dictionary_page and 0 < (column.dictionary_page_offset or 0) < at:
        at = column.dictionary_page_offset
    end, values = at + column.total_compressed_size, 0
    while at < end and values < column.num_values:
        head = _header(path, raw, at)
        yield at, head
        at += head.header + head.packed
        values += head.values if head.kind in DATA else 0


def _header(path: Path, raw: int, at: int) -> PageHeader:
    size = _FIRST_LOOK
    while True:
        try:
            return page_header(os.pread(raw, size, at) if at >= 0 else b"")
        except HeaderCut as error:
            if size >= _MOST_HEADER:
                raise InputInvalid(f"{path} is damaged: the header of a page at byte {at}: {error}") from error
        size *= 16
