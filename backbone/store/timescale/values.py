"""Values on their way into statements: moments with a zone, texts that PostgreSQL takes."""

from __future__ import annotations

from datetime import datetime
from typing import overload

from backbone.domain.clock import from_us, to_us
from backbone.domain.text import storable

__all__ = ["MAX_BIGINT", "moment", "plain"]

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
    if storable(text) != text:
        raise ValueError(f"{what} {text!r} given; NUL and lone surrogates are not allowed")
    return text
