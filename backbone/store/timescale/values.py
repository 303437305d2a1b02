"""Values on their way into statements: moments with a zone, texts that PostgreSQL takes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import overload

from backbone.domain.clock import from_us, to_us
from backbone.domain.text import storable

__all__ = ["MAX_BIGINT", "NotPlain", "literal", "moment", "plain"]

MAX_BIGINT = 2**63 - 1

_PLAIN = re.compile(r"[A-Za-z0-9 ._:/=^+-]{1,64}", re.ASCII)
"""Texts in which nothing can end a literal, whatever the server takes for a quote or an escape."""
_YEARS = range(1800, 2200)


class NotPlain(Exception):
    """A value that has to be a parameter."""


@overload
def moment(at: datetime) -> datetime: ...
@overload
def moment(at: datetime | None) -> datetime | None: ...
def moment(at: datetime | None) -> datetime | None:
    """The moment in UTC; the client would take one without a zone for local time.

    Raises:
        ValueError: it has no time zone.
    """
    return None if at is None else from_us(to_us(at))


def plain(what: str, text: str) -> str:
    """The text, if the server takes it.

    Raises:
        ValueError: it holds NUL or a lone surrogate.
    """
    if storable(text) != text:
        raise ValueError(f"{what} {text!r} given; NUL and lone surrogates are not allowed")
    return text


def literal(value: object) -> str:
    """A value as it stands in a statement: a whole number, a moment, or texts of harmless characters.

    Raises:
        NotPlain: it is anything else.
    """
    if type(value) is int and abs(value) <= MAX_BIGINT:
        return f"{value}::bigint"
    if type(value) is str and _PLAIN.fullmatch(value):
        return f"'{value}'"
    if type(value) is list:
        return f"ARRAY[{', '.join(map(literal, value))}]"
    if type(value) is datetime and value.utcoffset() is not None and value.year in _YEARS:
        return f"'{moment(value).isoformat()}'::timestamptz"
    raise NotPlain(type(value).__name__)
