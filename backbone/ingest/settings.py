"""What the settings say about ingest, in the form in which runs need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from backbone.quality.sessions import Calendar, calendar

__all__ = ["IngestRules"]


class IngestRules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of all runs.

    Attributes:
        chunk_rows: rows of one transaction at most.
        csv_zone: zone of times without an offset; None: refused.
        session: trading calendar of symbols that name no other.
        sessions: trading calendar by symbol.
        warn_score, fail_score: quality below is degraded, has failed.
        batch_rows, linger: live rows of one chunk, and how many seconds they wait for company.
        inline: work on the event loop instead of in worker threads, for deterministic tests.
        settings_hash: of the settings, for reports.
    """

    chunk_rows: int = 100_000
    csv_zone: str | None = None
    session: str = "fx"
    sessions: Mapping[str, str] = {}
    warn_score: float = 0.85
    fail_score: float = 0.60
    batch_rows: int = 500
    linger: float = 0.05
    inline: bool = False
    settings_hash: str = "missing"

    def calendar_of(self, symbols: Sequence[str]) -> Calendar:
        """The calendar of these symbols: their common one, or the default."""
        names = {self.sessions.get(symbol, self.session) for symbol in symbols}
        return calendar(names.pop() if len(names) == 1 else self.session)
