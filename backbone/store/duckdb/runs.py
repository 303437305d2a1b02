"""Which chunks can't have been written before: those of runs that began since the store was opened."""

from __future__ import annotations

from collections import OrderedDict

from backbone.store.duckdb.sql import Connection, first

__all__ = ["Runs"]

_HORIZON = "04"
"""Run ids are UUIDs of version 7, in order of time; up to the year 2109 they are less than this."""

_MOST_RUNS = 4096
_MOST_CHUNKS = 4096


class Runs:
    """The chunks of the runs that began since, and the greatest id of a run of which that is not remembered.

    A chunk that is not written in the end only has to be looked up when it comes again.
    """

    def __init__(self) -> None:
        self._floor: str | None = None
        self._seen: OrderedDict[str, set[str]] = OrderedDict()

    def is_new(self, connection: Connection, run_id: str, ingest_id: str) -> bool:
        """Whether the journal can't have that chunk of that run; if so it is remembered."""
        if self._floor is None:
            row = first(
                connection, "SELECT coalesce(max(run_id), '') FROM telemetry.ingest_runs WHERE run_id < ?", [_HORIZON]
            )
            self._floor = str(row[0])
        if not self._floor < run_id < _HORIZON:
            return False
        seen = self._seen.setdefault(run_id, set())
        if ingest_id in seen:
            return False
        seen.add(ingest_id)
        if len(seen) > _MOST_CHUNKS:
            self._forget(run_id)
        elif len(self._seen) > _MOST_RUNS:
            self._forget(next(iter(self._seen)))
        return True

    def _forget(self, run_id: str) -> None:
        del self._seen[run_id]
        self._floor = max(self._floor or "", run_id)
