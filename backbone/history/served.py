"""What reads came to: rows out of files, and out of the store."""

from __future__ import annotations

import msgspec

from backbone.store.records import Query

__all__ = ["Served"]


class Served(msgspec.Struct):
    """Counters since the backbone was opened.

    Attributes:
        history_rows: rows that were taken out of files of exports.
        store_rows: rows that the store was read for; windows that the cache had count nowhere.
        reads: windows of which some or all came out of files.
        unknown: windows that the store would not vouch for: it does not know the export, or knows that too much of the
            window has changed.
        passed_by: windows that were read from the store because a file was damaged.
        last: what was read last out of files.
    """

    history_rows: int = 0
    store_rows: int = 0
    reads: int = 0
    unknown: int = 0
    passed_by: int = 0
    last: str = ""

    def note(self, export: str, query: Query, *, held: int) -> None:
        """Count a window."""
        self.reads += 1
        self.history_rows += held
        self.last = f"{held} rows of {query.dimension} {', '.join(query.symbols[:3])} from {export}"
