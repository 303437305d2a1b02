"""Values on their way into statements: moments with a zone, texts that PostgreSQL takes."""

from __future__ import annotations

from datetime import datetime
from typing import overload

from backbone.domain.clock import from_us, to_us

__all__ = ["MAX_BIGINT", "moment", "plain", "storable"]

MAX_BIGINT = 2**63 - 1


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
    if "\0" in text or not _encodes(text):
        raise ValueError(f"{what} {text!r} given; NUL and lone surrogates are not allowed")
    return text


def storable(text: str) -> str:
    """The text with what the server refuses written out; for what has to be kept whatever it holds."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
