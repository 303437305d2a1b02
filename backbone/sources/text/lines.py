"""Text files in blocks of whole lines, and which of those lines are out of the ordinary.

A record is one line: a line break inside quotes ends the record all the same, so that one stray quote costs one line
and not the rest of the file. Looking at a block costs a few passes of numpy over its bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backbone.sources.text.opening import TextBytes

__all__ = ["MAX_LINE", "Block", "Lines", "Looked", "are_even", "blocks", "examine"]

MAX_LINE = 65_536
"""Bytes of the longest line that is read; longer ones are cut and count as bad."""

_BLOCK = 4 * 1024**2
_MOST_LINES = 100_000
_BOM = b"\xef\xbb\xbf"
_DOUBLED = b"\r\r\n"  # a line end of Windows that was written as text once more
_NEWLINE, _RETURN, _QUOTE, _NUL, _ASCII_END = 10, 13, 34, 0, 128

_NONE: Final = np.zeros(0, dtype=np.intp)

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines.

    Attributes:
        data: bytes that end with a line break.
        first_line: number of the first one, counted from 1.
        lines: how many there are.
    """

    data: bytes
    first_line: int
    lines: int


def blocks(text: TextBytes) -> Iterator[Block]:
    """Cut a text into blocks of whole lines; a byte order mark is dropped, old line ends (CR alone) become LF."""
    line, rest, dropping, old_mac = 1, b"", False, None
    while data := text.read(_BLOCK):
        if old_mac is None:
            data = data.removeprefix(_BOM)
            old_mac = b"\n" not in data and b"\r" in data
        if old_mac:
            data = data.replace(b"\r", b"\n")
        if dropping:
            end = data.find(b"\n")
            if end < 0:
                continue
            data, dropping = data[end:], False
        cut = data.rfind(b"\n") + 1
        if cut:
            data, rest = _undoubled(b"".join((rest, memoryview(data)[:cut]))), data[cut:]
        else:
            data, rest = b"", rest + data
        if len(rest) > MAX_LINE:
            rest, dropping = rest[: MAX_LINE + 1], True
        for part, lines in _parts(data):
            yield Block(part, line, lines)
            line += lines
    if rest:
        yield Block(rest + b"\n", line, 1)


def _undoubled(data: bytes) -> bytes:
    """Line ends that were written twice are line ends; most files have no CR at all, which is seen at once."""
    return data.replace(_DOUBLED, b"\r\n") if b"\r" in data else data


def _parts(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The same in parts of at most `_MOST_LINES` lines, and their number: each may be bad, and is an object then."""
    breaks = np.frombuffer(data, dtype=np.uint8) == _NEWLINE
    lines = int(np.count_nonzero(breaks))
    if lines <= _MOST_LINES:
        yield from [(data, lines)] if data else []
        return
    ends = np.flatnonzero(breaks)[_MOST_LINES - 1 :: _MOST_LINES] + 1
    edges = [0, *ends.tolist(), len(data)]
    for start, end in itertools.pairwise(edges):
        if end > start:
            yield data[start:end], min(_MOST_LINES, lines)
            lines -= _MOST_LINES


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a block: where each starts and ends (at its LF), which may be read columnwise, which are empty."""

    starts: Positions
    ends: Positions
    plain: Mask
    empty: Mask


class Looked:
    """A block whose lines are told apart once somebody wants to know: of most blocks nobody does.

    Args:
        block: the lines.
        delimiter: between fields.
        fields: that a line has.
        ends_empty: whether the last of them has to be empty.
    """

    def __init__(self, block: Block, delimiter: str, fields: int, *, ends_empty: bool) -> None:
        self.block = block
        self._told = partial(examine, block.data, delimiter, fields, ends_empty=ends_empty)

    @cached_property
    def lines(self) -> Lines:
        """Which of them are out of the ordinary."""
        return self._told()

    def line(self, place: int) -> bytes:
        """One of them, without its line break; they are counted from 0."""
        return self.block.data[self.lines.starts[place] : self.lines.ends[place]].removesuffix(b"\r")


def are_even(data: bytes, delimiter: str, fields: int) -> bool:
    """Whether lines are plain (see `examine`), provided that all of them have as many fields as the first one.

    That a reader of CSV sees for itself. What is looked for here costs next to nothing; most files have none of it.
    """
    first = data[: data.find(b"\n")]
    if fields < 2 or first.count(delimiter.encode()) != fields - 1 or b'"' in data or b"\0" in data:
        return False
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return False
    return not _has_long_line(data) and (data.isascii() or _is_utf8(data))


def _has_long_line(data: bytes) -> bool:
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + MAX_LINE + 1)
        if end < 0:
            return True
        start = end + 1
    return False


def examine(data: bytes, delimiter: str, fields: int, *, ends_empty: bool = False) -> Lines:
    """Tell the plain lines of a block from those that need a closer look.

    Plain is: the right number of fields, valid UTF-8, no NUL, no stray carriage return, not too long, and quotes, if
    any, only around whole fields that hold no quote.

    Args:
        data: whole lines.
        delimiter: between fields.
        fields: that a line has.
        ends_empty: whether the last of them has to be empty.
    """
    raw: Bytes = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(raw == _NEWLINE)
    starts = np.concatenate((np.zeros(1, dtype=ends.dtype), ends[:-1] + 1))
    delimiters = np.flatnonzero(raw == ord(delimiter))
    simple = None
    if b'"' in data:
        simple, delimiters = _quoted_simply(raw, ends, delimiters, ord(delimiter))
    plain = _has_delimiters(starts, ends, delimiters, fields - 1)
    plain &= ends - starts <= MAX_LINE
    if simple is not None:
        plain &= simple
    for strange in (_nuls(data, raw), _stray_returns(data, raw), _broken_utf8(data, raw, starts, ends)):
        plain[np.searchsorted(ends, strange)] = False
    if ends_empty:
        last = ends - 1 - ((ends - 2 >= starts) & (raw[np.maximum(ends - 1, 0)] == _RETURN))
        plain &= raw[np.maximum(last, 0)] == ord(delimiter)
    empty = (raw[starts] == _NEWLINE) | ((raw[starts] == _RETURN) & (ends - starts == 1))
    return Lines(starts, ends, plain, empty)


def _has_delimiters(starts: Positions, ends: Positions, delimiters: Positions, wanted: int) -> Mask:
    """Which lines have so many delimiters."""
    if wanted > 0 and delimiters.size == wanted * ends.size:
        by_line = delimiters.reshape(-1, wanted)
        if (by_line[:, 0] >= starts).all() and (by_line[:, -1] < ends).all():
            return np.ones(ends.size, dtype=np.bool_)
    found: Mask = np.diff(np.searchsorted(delimiters, ends), prepend=0) == wanted
    return found


def _nuls(data: bytes, raw: Bytes) -> Positions:
    return np.flatnonzero(raw == _NUL) if b"\0" in data else _NONE


def _stray_returns(data: bytes, raw: Bytes) -> Positions:
    if b"\r" not in data:
        return _NONE
    returns = np.flatnonzero(raw == _RETURN)
    stray: Positions = returns[raw[returns + 1] != _NEWLINE]
    return stray


def _broken_utf8(data: bytes, raw: Bytes, starts: Positions, ends: Positions) -> Positions:
    """One position in each line that is not UTF-8."""
    if data.isascii() or _is_utf8(data):
        return _NONE
    high = np.flatnonzero(raw >= _ASCII_END)
    suspects = np.unique(np.searchsorted(ends, high)).tolist()
    broken = [starts[n] for n in suspects if not _is_utf8(data[starts[n] : ends[n]])]
    return np.array(broken, dtype=np.intp)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _quoted_simply(raw: Bytes, ends: Positions, delimiters: Positions, delimiter: int) -> tuple[Mask, Positions]:
    """Lines without quotes, or with pairs of quotes that enclose one field each; and the delimiters outside of them."""
    is_quote = raw == _QUOTE
    quotes = np.flatnonzero(is_quote)
    line = np.searchsorted(ends, quotes)
    count = np.bincount(line, minlength=ends.size)
    first = np.cumsum(count) - count
    opening = (np.arange(quotes.size) - first[line]) % 2 == 0
    left = np.where(quotes > 0, raw[quotes - 1], _NEWLINE)
    right = raw[quotes + 1]
    at_start = (left == delimiter) | (left == _NEWLINE)
    at_end = (right == delimiter) | (right == _NEWLINE) | (right == _RETURN)
    simple: Mask = count % 2 == 0
    simple[line[~np.where(opening, at_start, at_end)]] = False
    is_quote[quotes[count[line] % 2 == 1]] = False  # these lines are looked at singly; no other begins inside quotes
    inside = np.logical_xor.accumulate(is_quote)
    return simple, delimiters[~inside[delimiters]]
