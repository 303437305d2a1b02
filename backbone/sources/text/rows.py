"""Reading one line by itself: slow, exact, and with words for what is wrong."""

from __future__ import annotations

import csv
from datetime import datetime
from typing import NamedTuple

from backbone.domain import Dimension
from backbone.domain.clock import parse_interval
from backbone.domain.spreadsheets import unescaped
from backbone.domain.text import LONGEST_TEXT, hidden
from backbone.sources.corrections import kinds_read
from backbone.sources.remarks import Remarks, may_be_lost
from backbone.sources.text.cells import number_form
from backbone.sources.text.layout import Layout, required_columns
from backbone.sources.text.lines import MAX_LINE
from backbone.sources.text.numbers import number, whole
from backbone.sources.text.times import moment

__all__ = ["Row", "RowError", "Value", "read_row"]

Value = str | float | int | datetime | None


class RowError(ValueError):
    """A line that can't be read; says why."""


class Row(NamedTuple):
    """The values of a line, and whether the clocks showed its time twice; it is the first of the two then."""

    values: dict[str, Value]
    repeated: bool


def read_row(line: bytes, layout: Layout, dimension: Dimension, remarks: Remarks | None = None) -> Row:
    """Read the values of one line.

    Args:
        line: its bytes without the line break.
        layout: of the file.
        dimension: what the row is.
        remarks: where cells are counted that could not be read and are missing, and times that were cut.

    Raises:
        RowError: the line is bad.
    """
    fields = _split(line, layout)
    required = required_columns(dimension)
    row: dict[str, Value] = dict(layout.constants)
    found, repeated = Remarks(), False
    for column, places in layout.parts.items():
        cells = [fields[place].strip() for place in places]
        text = _unescaped(column, " ".join(cells), layout) if all(cells) else ""
        try:
            _check_text(column, text, dimension)
            if kinds_read(dimension)[column] == "timestamp" and text:
                row[column], repeated = _moment(text, layout, found)
            else:
                row[column] = _value(column, text, layout, dimension) if text else None
        except RowError:
            if not may_be_lost(column, dimension):
                raise
            row[column] = None
            found.unread_cell(column, text)
        if row[column] is None and column in required:
            raise RowError(f"{column} is empty")
    if remarks is not None:
        remarks.add(found)
    return Row(row, repeated)


def _check_text(column: str, text: str, dimension: Dimension) -> None:
    if len(text.encode()) > LONGEST_TEXT:
        raise RowError(f"{column} is too long: {len(text.encode())} bytes, at most {LONGEST_TEXT}")
    if column in dimension.key and (found := hidden(text)):
        raise RowError(f"{column} holds the control or invisible character {found}")


def _unescaped(column: str, text: str, layout: Layout) -> str:
    if column not in layout.escaped or column == "interval":
        return text
    try:
        return unescaped(text)
    except ValueError as error:
        raise RowError(f"{column}: {error}") from error


def _split(line: bytes, layout: Layout) -> list[str]:
    if len(line) > MAX_LINE:
        raise RowError(f"the line is too long: over {MAX_LINE} bytes")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowError(f"not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}") from error
    if "\0" in text:
        raise RowError("holds a NUL character")
    if "\r" in text:
        raise RowError("holds a carriage return inside the line")
    try:
        fields = next(csv.reader([text], delimiter=layout.delimiter, strict=True), [])
    except csv.Error as error:
        raise RowError(f"misplaced quote: {error}") from error
    if len(fields) != layout.fields or (layout.trailing and fields[-1].strip()):
        raise RowError(f"wrong number of fields: {len(fields)}, the header has {layout.fields - layout.trailing}")
    return fields


def _moment(text: str, layout: Layout, remarks: Remarks) -> tuple[datetime, bool]:
    try:
        found = moment(text, layout.times)
    except ValueError as error:
        raise RowError(f"ts: {error}") from error
    if found.cut:
        remarks.cut_time(text)
    return found.at, found.repeated


def _value(column: str, text: str, layout: Layout, dimension: Dimension) -> Value:
    kind = kinds_read(dimension)[column]
    try:
        if column == "interval":
            return parse_interval(text)
        if kind == "string":
            return text
        return (number if kind == "double" else whole)(text, number_form(layout, column))
    except ValueError as error:
        raise RowError(f"{column}{':' if column == 'interval' else ''} {error}") from error
