"""Ingest: runs and live rows."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.sections.base import Count, Section, Text

__all__ = ["IngestSettings"]


class IngestSettings(Section, frozen=True, kw_only=True):
    """How rows come in."""

    chunk_rows: Annotated[int, Meta(ge=1, le=100_000, description="rows of one transaction at most")] = 100_000
    retries: Annotated[int, Meta(ge=0, le=100, description="attempts after a failed one")] = 3
    csv_zone: Annotated[Text | None, Meta(description="zone of csv times without an offset, such as UTC")] = None
    record_runs: Annotated[bool, Meta(description="journal what became of each run, for backbone runs")] = True
    record_batch_rows: Annotated[int, Meta(ge=1, le=100_000, description="live rows of one commit at most")] = 100_000
    record_batch_bytes: Annotated[Count, Meta(description="bytes of live rows of one commit at most")] = (
        16 * 1024 * 1024
    )
    record_waiting_calls: Annotated[
        int, Meta(ge=1, le=10_000_000, description="calls of record without an answer at most; more are refused")
    ] = 50_000
    record_waiting_rows: Annotated[Count, Meta(description="live rows that wait at most; more are refused")] = 200_000
    record_waiting_bytes: Annotated[Count, Meta(description="bytes of live rows that wait at most")] = 64 * 1024 * 1024
