"""Values on the command line for the marks of a statement, as a program would give them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import msgspec

from backbone.cli.failures import UsageError

__all__ = ["value_of"]

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:?\d\d.*")


def value_of(text: str) -> Any:
    """What a text means: JSON where it is such, else a date or a moment where it reads as one, else itself.

    Raises:
        UsageError: it is an object of JSON, or lists in lists without end, or a moment without a time zone.
    """
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return _dated(text)
    except RecursionError:
        raise UsageError(f"--param {text[:20]}…: lists too deep; allowed is a list of plain values") from None
    if isinstance(value, dict):
        raise UsageError(
            f"--param {text}: an object can't be bound; allowed is a number, true, false, null, text, a list"
        )
    return value


def _dated(text: str) -> Any:
    """A date, a moment, or the text."""
    from backbone.domain.clock import parse_time

    if not _DATE.fullmatch(text) and not _MOMENT.fullmatch(text):
        return text
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else parse_time(text)
    except ValueError as error:
        raise UsageError(f"""--param {text}: {error}; as a text it is '"{text}"'""") from error
