"""Reading one line by itself: slow, exact, and with words for what is wrong."""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from backbone.domain import Dimension
from backbone.domain.clock import parse_interval, parse_time
from backbone.domain.spreadsheets import unescaped
from backbone.domain.text import LONGEST_TEXT, hidden
from backbone.sources.text.layout import Layout, required_columns
from backbone.sources.text.lines import MAX_LINE

__all__ = ["RowError", "read_row"]

Value = str | float | int | datetime | None


class RowError(ValueError):
    """A line that can't be read; says why."""


def read_row(line: bytes, layout: Layout, dimension: Dimension, zone: ZoneInfo | None) -> dict[str, Value]:
    """Read the values of one line.

    Args:
        line: its bytes without the line break.
        layout: of the file.
        dimension: what the row is.
        zone: of times without an offset.

    Raises:
        RowError: the line is bad.
    """
    fields = _split(line, layout)
    required = required_columns(dimension)
    row: dict[str, Value] = dict(layout.constants)
    for column, position in layout.positions.items():
        text = _unescaped(column, fields[position].strip(), layout)
        if not text and column in required:
            raise RowError(f"{column} is empty")
        if len(text.encode()) > LONGEST_TEXT:
            raise RowError(f"{column} is too long: {len(text.encode())} bytes, at most {LONGEST_TEXT}")
        if column in dimension.key and (found := hidden(text)):
            raise RowError(f"{column} holds the control or invisible character {found}")
        row[column] = _value(column, text, dimension, zone) if text else None
    return row


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
    if len(fields) != layout.fields:
        raise RowError(f"wrong number of fields: {len(fields)}, the header has {layout.fields}")
    return fields


def _value(column: str, text: str, dimension: Dimension, zone: ZoneInfo | None) -> Value:
    kind = dimension.kinds[column]
    try:
        if kind == "timestamp":
            return _session_date(text, zone) if dimension is Dimension.DAILY_BARS else parse_time(text, zone)
        if column == "interval":
            return parse_interval(text)
    except ValueError as error:
        raise RowError(f"{column}: {error}") from error
    if kind == "double":
        return _number(column, text)
    return _whole(column, text) if kind == "int64" else text


def _number(column: str, text: str) -> float:
    try:
        number = float(text.replace("_", "?"))
    except ValueError as error:
        raise RowError(f"{column} is not a number: {text[:40]!r}") from error
    if not math.isfinite(number):
        raise RowError(f"{column} is not a finite number: {text[:40]!r}")
    return number


def _whole(column: str, text: str) -> int:
    number = _number(column, text)
    if not number.is_integer() or abs(number) >= 2**63:
        raise RowError(f"{column} is not a whole number of 64 bits: {text[:40]!r}")
    return int(text) if text.lstrip("+-").isdecimal() else int(number)


def _session_date(text: str, zone: ZoneInfo | None) -> datetime:
    """The date of a daily bar as written; a time of day other than midnight would leave open which session is meant."""
    written = _wall(text)
    for moment in [written] if zone is None or written.tzinfo is None else [written, written.astimezone(zone)]:
        if moment.time() == datetime.min.time():
            return moment.replace(tzinfo=UTC)
    raise ValueError(f"{text!r} has a time of day; daily bars bear the session's date, such as {written:%Y-%m-%d}")


def _wall(text: str) -> datetime:
    parse_time(text, UTC)
    return datetime.fromisoformat(text.strip())
