"""Where the rows of a text file begin, and what stands before them.

Disclaimers, addresses, comments and `sep=` are passed over; a header may have several lines, as that of yfinance; a
file without a header is known by its dialect, or by the positions that the caller gives.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backbone.domain import Dimension
from backbone.domain.text import hidden
from backbone.sources.errors import InputInvalid
from backbone.sources.text.aliases import column_of, fallback_of
from backbone.sources.text.dialects import Dialect, by_header, by_shape, dialects, plain
from backbone.sources.text.naming import missing_columns, places_given

__all__ = ["DELIMITERS", "Head", "find_head", "is_header", "is_row", "split"]

DELIMITERS: Final = ",;\t|"

_COMMENT: Final = "#"
_IN_FIELDS: Final = "\"'.+-_\r\0"
_SEPARATOR: Final = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_MOST_LINES: Final = 100  # of which one may be the header
_SAMPLE: Final = 20
_NUMBER: Final = re.compile(r"[+-]?[\d.,'  ]*\d[\d.,]*([eE][+-]?\d+)?")
_BROKEN: Final = "\ufffd"


@dataclass(frozen=True, slots=True)
class Head:
    """What the first lines of a file say.

    Attributes:
        delimiter: between fields.
        names: of the columns; "1", "2", … where the file has no header.
        line: place of the last line of the header among the lines, counted from 0; that before the first row.
        dialect: of the file, where it is known.
        constants: what further header lines say of all rows, such as the symbol.
        passed: places of lines before the header that hold something.
        bare: whether there is no header.
    """

    delimiter: str
    names: tuple[str, ...]
    line: int
    dialect: Dialect | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    passed: tuple[int, ...] = ()
    bare: bool = False


@dataclass(frozen=True, slots=True)
class _Header:
    """A line, or several, that may be a header: its names, further labels, and how many of our columns it names."""

    delimiter: str
    names: tuple[str, ...]
    line: int
    labels: tuple[str, ...]
    symbols: tuple[str, ...]
    dialect: Dialect | None
    known: int
    complete: bool


def split(line: str, delimiter: str) -> list[str]:
    """The fields of a line; none where it is no line of CSV, such as one with a bare carriage return in it."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def find_head(
    path: str,
    lines: Sequence[str],
    dimension: Dimension,
    *,
    renames: Mapping[str, str],
    constants: Mapping[str, str],
) -> Head:
    """Find the header, or the first row of a file that has none.

    Args:
        path: for messages.
        lines: from the start of the file, without line ends.
        dimension: what the rows are.
        renames: what the caller says of its columns.
        constants: columns that the file may lack.

    Raises:
        InputInvalid: there is no line that could be one, or it is not text.
    """
    filled = [n for n, line in enumerate(lines) if line.strip()]
    told = _SEPARATOR.fullmatch(lines[filled[0]]) if filled else None
    delimiters = _told(path, told.group(1)) if told else DELIMITERS
    filled = filled[1:] if told else filled
    candidates = [n for n in filled if not lines[n].startswith(_COMMENT)][:_MOST_LINES]
    if not candidates:
        raise InputInvalid(f"{path} has no header line; a header and rows are needed")
    if "\0" in lines[candidates[0]]:
        raise InputInvalid(f"{path} is not text: there is a NUL character in its first line; give a CSV file")
    best: _Header | None = None
    known = dialects()
    for n in (*candidates, *(n for n in filled[:_MOST_LINES] if lines[n].startswith(_COMMENT))):
        found = max(
            (_header(lines, n, each, dimension, renames, constants, known) for each in delimiters),
            key=lambda header: (header.complete, header.known, len(header.names)),
        )
        if found.complete:
            return _named(path, found, candidates)
        if best is None or found.known > best.known:
            best = found
    rows = [lines[n] for n in candidates]
    bare = _positions(rows, candidates, delimiters, renames, dimension, known)
    bare = bare or _shaped(rows, candidates, delimiters, dimension, known)
    if bare is not None:
        return bare
    _refuse_broken(path, lines, candidates)
    assert best is not None  # noqa: S101  there is a candidate
    return _named(path, best, candidates)


def _told(path: str, delimiter: str) -> str:
    """What stands between fields as the line ``sep=`` says.

    Raises:
        InputInvalid: no reader could tell it from what stands in the fields.
    """
    if not delimiter.isascii() or delimiter.isalnum() or delimiter in _IN_FIELDS:
        raise InputInvalid(
            f"{path} says {'sep=' + delimiter!r}, which can't stand between fields; allowed are signs of ASCII such as "
            ", ; and | and the tab: write the file with one of them"
        )
    return delimiter


def _header(
    lines: Sequence[str],
    n: int,
    delimiter: str,
    dimension: Dimension,
    renames: Mapping[str, str],
    constants: Mapping[str, str],
    among: Sequence[Dialect],
) -> _Header:
    """What a line would say as a header."""
    names, labels, symbols, last = _stacked(lines, n, delimiter)
    dialect = by_header(names, dimension, labels, among) if len(names) > 1 else None
    columns = (column_of(name, dimension) or fallback_of(name, dimension) for name in names)
    known = {column for column in columns if column is not None}
    placed: set[str] = set()
    for key, column in renames.items():
        if places_given(key, names) is not None:
            (placed if key.replace("+", "").isdecimal() else known).add(column)
    have = {*known, *placed, *constants, *({"symbol"} if len(symbols) == 1 else ())}
    complete = dialect is not None or (bool(known) and not missing_columns(dimension, have))
    return _Header(delimiter, names, last, labels, symbols, dialect, len(known), complete)


def _stacked(
    lines: Sequence[str], n: int, delimiter: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], int]:
    """The names of a header line, and where it has several lines their labels, the symbols, and which is the last.

    The last of several names the index, as pandas writes it: ``Date,,,,``.
    """
    first = _trimmed(lines[n].removeprefix(_COMMENT), delimiter)
    stack = [first]
    for line in lines[n + 1 : n + 3]:
        fields = _trimmed(line, delimiter)
        if len(fields) != len(first) or len(fields) < 2:
            break
        stack.append(fields)
        if fields[0] and not any(fields[1:]):
            break
    index = stack[-1]
    if len(stack) < 2 or any(index[1:]) or column_of(index[0], Dimension.TRADES) != "ts":
        return first, (), (), n
    names = max(stack[:-1], key=lambda row: sum(column_of(name, Dimension.DAILY_BARS) is not None for name in row[1:]))
    others = [row for row in stack[:-1] if row is not names]
    symbols = tuple(dict.fromkeys(name for row in others for name in row[1:]))
    labels = tuple(row[0] for row in others)
    return (index[0], *names[1:]), labels or ("",), symbols, n + len(stack) - 1


def _trimmed(line: str, delimiter: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in split(line, delimiter))


def _named(path: str, found: _Header, candidates: Sequence[int]) -> Head:
    if len(found.symbols) > 1:
        listed = ", ".join(found.symbols[:5])
        raise InputInvalid(
            f"{path} has several symbols side by side ({listed}); write one file for each, or the symbol as a column"
        )
    for symbol in found.symbols:
        if (character := hidden(symbol)) or not symbol:
            raise InputInvalid(f"{path} names a symbol in its header that holds {character or 'nothing'}; mend it")
    passed = tuple(n for n in candidates if n < found.line)
    passed = passed[: len(passed) - len(found.labels) - (1 if found.labels else 0)] if found.labels else passed
    constants = {"symbol": found.symbols[0]} if found.symbols else {}
    return Head(found.delimiter, found.names, found.line, found.dialect, constants, passed)


def _shaped(
    rows: Sequence[str],
    candidates: Sequence[int],
    delimiters: str,
    dimension: Dimension,
    among: Sequence[Dialect],
) -> Head | None:
    """The head of a file without a header whose fields look like those of exactly one dialect."""
    found = []
    for delimiter in delimiters:
        fields = [split(row, delimiter) for row in rows[:_SAMPLE]]
        dialect = by_shape(fields, dimension, among)
        if dialect is not None:
            found.append(Head(delimiter, _numbered(len(fields[0])), candidates[0] - 1, dialect, bare=True))
    return found[0] if len(found) == 1 else None


def _positions(
    rows: Sequence[str],
    candidates: Sequence[int],
    delimiters: str,
    renames: Mapping[str, str],
    dimension: Dimension,
    among: Sequence[Dialect],
) -> Head | None:
    """The head of a file whose columns the caller names by position; lines without a number there are no rows."""
    if not renames or not all(key.replace("+", "").replace(" ", "").isdecimal() for key in renames):
        return None
    numeric = [key for key, column in renames.items() if dimension.kinds.get(column) in ("double", "int64")]

    def merit(delimiter: str) -> tuple[int, int]:
        fields = [split(row, delimiter) for row in rows[:_SAMPLE]]
        return sum(_has_numbers(each, numeric) for each in fields), max(map(len, fields))

    delimiter = max(delimiters, key=merit)
    fields = [split(row, delimiter) for row in rows]
    first = next((n for n, each in enumerate(fields) if _has_numbers(each, numeric)), 0)
    first = next((n for n in range(first) if _has_digits(fields[n], numeric)), first)
    passed = tuple(candidates[:first])
    dialect = by_shape(fields[first : first + _SAMPLE], dimension, among)
    return Head(delimiter, _numbered(len(fields[first])), candidates[first] - 1, dialect, passed=passed, bare=True)


def _has_numbers(fields: Sequence[str], keys: Sequence[str]) -> bool:
    return bool(keys) and all(_NUMBER.fullmatch(text.strip()) for text in _at(fields, keys))


def _has_digits(fields: Sequence[str], keys: Sequence[str]) -> bool:
    """Whether it may be a row all the same, a bad one: it has something of a number where one belongs."""
    return any(any(map(str.isdecimal, text)) for text in _at(fields, keys) if text)


def _at(fields: Sequence[str], keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        places = places_given(key, fields)
        yield fields[places[0]] if places else ""


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(n) for n in range(1, count + 1))


def _refuse_broken(path: str, lines: Sequence[str], candidates: Sequence[int]) -> None:
    """Say what is needed where the header, of which too few names are known, is not UTF-8."""
    shown = next((lines[n] for n in candidates[:3] if _BROKEN in lines[n]), None)
    if shown is not None:
        raise InputInvalid(
            f"{path} is not UTF-8: its first lines have bytes that are none ({shown[:40]!r}); name its encoding "
            "(--encoding cp1252), then which header is which column where they are foreign "
            '(--columns "Datum=ts,Schluss=close"), the order of the date (--time-format %d.%m.%Y) and a decimal comma '
            "(--decimal ,)"
        )


def is_row(line: str, delimiter: str, fields: int) -> bool:
    """Whether a line before the header may be a row: it has as many fields, and most of them are numbers or times."""
    found = split(line, delimiter)
    return len(found) == fields and _mostly_digits(found)


def _mostly_digits(fields: Sequence[str]) -> bool:
    return 2 * sum(text.rstrip()[-1:].isdecimal() for text in fields) > len(fields)


def is_header(line: str, delimiter: str, dimension: Dimension, names: Sequence[str]) -> bool:
    """Whether a line among the rows is a header: the same again, or another that names the needed columns."""
    fields = _trimmed(line, delimiter)
    if _mostly_digits(fields):
        return False
    if [plain(name) for name in fields] == [plain(name) for name in names]:
        return any(fields)
    known = {column for column in (column_of(name, dimension) for name in fields) if column is not None}
    return len(known) > 1 and not missing_columns(dimension, {*known, "symbol", "calendar", "interval"})
