"""What callers of `record` wait for: bounded here, since while ingest restarts nobody else counts it.

For example a feed that goes on giving rows while the ingest actor is away for 30 s: its calls wait, up to so many, of
so many rows and bytes; the next one is refused at once.
"""

from __future__ import annotations

from backbone.domain import Frame
from backbone.domain.dimension import Dimension
from backbone.settings.sections.ingest import IngestSettings
from backbone.store.errors import StoreBusy

__all__ = ["Unanswered"]

_WRITERS = len(Dimension)  # each may be writing a batch beside what waits


class Unanswered:
    """Calls without an answer, with their rows.

    Args:
        ingest: what may wait, and what is written at once.
    """

    def __init__(self, ingest: IngestSettings) -> None:
        self._most_calls = ingest.record_waiting_calls
        self._most_rows = ingest.record_waiting_rows + _WRITERS * ingest.record_batch_rows
        self._most_bytes = ingest.record_waiting_bytes + _WRITERS * ingest.record_batch_bytes
        self._calls = self._rows = self._bytes = 0

    def take(self, frame: Frame) -> int:
        """Count one more; a call that is larger than all that may wait is taken where none waits.

        Returns:
            Its bytes, to be given to `leave`.

        Raises:
            StoreBusy: there are as many as may be.
        """
        rows, size = self._rows + frame.num_rows, frame.nbytes
        over = rows > self._most_rows or self._bytes + size > self._most_bytes
        if self._calls >= self._most_calls or (self._calls and over):
            raise StoreBusy(
                f"{self._calls:,} calls of record have no answer yet, of {self._rows:,} rows and {self._bytes:,} "
                f"bytes; allowed are {self._most_calls:,} calls, {self._most_rows:,} rows, {self._most_bytes:,} bytes; "
                "none of the rows of this one was taken: record them again when others are in, or raise "
                "ingest.record_waiting_calls, ingest.record_waiting_rows, ingest.record_waiting_bytes"
            )
        self._calls, self._rows, self._bytes = self._calls + 1, rows, self._bytes + size
        return size

    def leave(self, frame: Frame, size: int) -> None:
        """It was answered, or given up."""
        self._calls, self._rows, self._bytes = self._calls - 1, self._rows - frame.num_rows, self._bytes - size
