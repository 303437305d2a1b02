"""Statements of SQL that people ask: how long, how much, how many at once."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.sections.base import Count, Identifier, Seconds, Section

__all__ = ["SqlSettings"]


class SqlSettings(Section, frozen=True, kw_only=True):
    """What a statement may take; one that needs more is refused."""

    timeout: Annotated[Seconds, Meta(description="a statement lasts at most, its wait included")] = 30.0
    max_rows: Annotated[Count, Meta(description="rows of one answer at most")] = 1_000_000
    max_bytes: Annotated[int, Meta(ge=65_536, le=2**30, description="bytes of one answer at most, as Arrow counts")] = (
        64 * 2**20
    )
    max_temp_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=2**50,
            description="embedded store: bytes on the disk while one runs, never over half of what is free",
        ),
    ] = 2 * 2**30
    at_once: Annotated[int, Meta(ge=1, le=4, description="statements at work at once")] = 2
    waiting: Annotated[int, Meta(ge=0, le=1000, description="that wait for their turn; further ones are refused")] = 8
    role: Annotated[
        Identifier | None,
        Meta(description="a role that only reads, taken for each statement where the store is a server"),
    ] = None
