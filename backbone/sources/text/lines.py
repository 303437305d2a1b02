"""Text files in blocks of whole lines, and which of those lines are out of the ordinary.

A record is one line: a line break inside quotes ends the record all the same, so that one stray quote costs one line
and not the rest of the file. Looking at a block costs a few passes of numpy over its bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backbone.sources.text.opening import TextBytes

__all__ = ["MAX_LINE", "Block", "Lines", "blocks", "examine"]

MAX_LINE = 65_536
"""Bytes of the longest line that is read; longer ones are cut and count as bad."""

_BLOCK = 4 * 1024**2
_MOST_LINES = 100_000
_BOM = b"\xef\xbb\xbf"
_NEWLINE, _RETURN, _QUOTE, _NUL, _ASCII_END = 10, 13, 34, 0, 128

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: bytes that end with a line break, and the number of the first line, counted from 1."""

    data: bytes
    first_line: int


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
        data = rest + data
        cut = data.rfind(b"\n") + 1
        data, rest = data[:cut], data[cut:]
        if len(rest) > MAX_LINE:
            rest, dropping = rest[: MAX_LINE + 1], True
        for part in _parts(data):
            yield Block(part, line)
            line += part.count(b"\n")
    if rest:
        yield Block(rest + b"\n", line)


def _parts(data: bytes) -> Iterator[bytes]:
    """The same in parts of at most `_MOST_LINES` lines: each may be bad, and is then an object by itself."""
    if data.count(b"\n") <= _MOST_LINES:
        yield from [data] if data else []
        return
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE)[_MOST_LINES - 1 :: _MOST_LINES] + 1
    edges = [0, *ends.tolist(), len(data)]
    yield from (data[start:end] for start, end in itertools.pairwise(edges) if end > start)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a block: where each starts and ends (at its LF), which may be read columnwise, which are empty."""

    starts: Positions
    ends: Positions
    plain: Mask
    empty: Mask


def examine(data: bytes, delimiter: str, fields: int) -> Lines:
    """Tell the plain lines of a block from those that need a closer look.

    Plain is: the right number of fields, valid UTF-8, no NUL, no stray carriage return, not too long, and quotes, if
    any, only around whole fields that hold neither quote nor delimiter.
    """
    raw: Bytes = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(raw == _NEWLINE)
    starts = np.concatenate((np.zeros(1, dtype=ends.dtype), ends[:-1] + 1))
    delimiters = np.flatnonzero(raw == ord(delimiter))
    before = np.searchsorted(delimiters, ends)
    plain = np.diff(before, prepend=0) == fields - 1
    plain &= ends - starts <= MAX_LINE
    for strange in (np.flatnonzero(raw == _NUL), _stray_returns(raw), _broken_utf8(data, raw, starts, ends)):
        plain[np.searchsorted(ends, strange)] = False
    quotes = np.flatnonzero(raw == _QUOTE)
    if quotes.size:
        plain &= _quoted_simply(raw, quotes, ends, delimiters, ord(delimiter))
    empty = (raw[starts] == _NEWLINE) | ((raw[starts] == _RETURN) & (ends - starts == 1))
    return Lines(starts, ends, plain, empty)


def _stray_returns(raw: Bytes) -> Positions:
    returns = np.flatnonzero(raw == _RETURN)
    stray: Positions = returns[raw[returns + 1] != _NEWLINE]
    return stray


def _broken_utf8(data: bytes, raw: Bytes, starts: Positions, ends: Positions) -> Positions:
    """One position in each line that is not UTF-8."""
    high = np.flatnonzero(raw >= _ASCII_END)
    if not high.size or _is_utf8(data):
        return high[:0]
    suspects = np.unique(np.searchsorted(ends, high)).tolist()
    broken = [starts[n] for n in suspects if not _is_utf8(data[starts[n] : ends[n]])]
    return np.array(broken, dtype=np.intp)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _quoted_simply(raw: Bytes, quotes: Positions, ends: Positions, delimiters: Positions, delimiter: int) -> Mask:
    """Lines without quotes, or with pairs of quotes that enclose one field each."""
    line = np.searchsorted(ends, quotes)
    count = np.bincount(line, minlength=ends.size)
    first = np.cumsum(count) - count
    opening = (np.arange(quotes.size) - first[line]) % 2 == 0
    left = np.where(quotes > 0, raw[quotes - 1], _NEWLINE)
    right = raw[quotes + 1]
    at_start = (left == delimiter) | (left == _NEWLINE)
    at_end = (right == delimiter) | (right == _NEWLINE) | (right == _RETURN)
    fits = np.where(opening, at_start, at_end)
    simple: Mask = count % 2 == 0
    simple[line[~fits]] = False
    outer = np.searchsorted(delimiters, quotes)
    # Between an opening quote and the next quote no delimiter may stand.
    inner = np.append(outer[1:] != outer[:-1], False) & opening
    simple[line[inner]] = False
    return simple
