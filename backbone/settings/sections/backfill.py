"""Backfill: how gaps are filled."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.sections.base import Count, Section

__all__ = ["BackfillSettings"]


class BackfillSettings(Section, frozen=True, kw_only=True):
    """How much is asked of a source at once, and when it is given up."""

    chunk_bars: Annotated[Count, Meta(description="missing bars that are asked of a source at once, at most")] = 5_000
    chunk_sessions: Annotated[
        Count,
        Meta(description="missing sessions of trades, quotes and order books that are asked for at once, at most"),
    ] = 1
    failures: Annotated[Count, Meta(description="after so many failed pieces in a row the others are not tried")] = 3
