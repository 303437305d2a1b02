"""What is asked of the journal of runs."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from msgspec.structs import force_setattr

from backbone.domain import arguments
from backbone.store.port import Store
from backbone.store.request import StoreRequest
from backbone.store.run_records import RunRow, dimension_of

__all__ = ["ReadLatestRuns", "ReadRuns", "RecordRun"]


class RecordRun(StoreRequest[None], frozen=True):
    """Journal one dimension of a run; the same one again takes the place of what was said of it."""

    row: RunRow

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("row", self.row, RunRow)

    def on(self, store: Store) -> Coroutine[Any, Any, None]:
        """Ask a store."""
        return store.record_run(self.row)


class ReadRuns(StoreRequest[list[RunRow]], frozen=True):
    """The newest runs, of a dimension or of all, or the dimensions of one run."""

    limit: int = 50
    dimension: str | None = None
    run_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        force_setattr(self, "limit", arguments.page("limit", self.limit))
        if self.dimension is not None:
            force_setattr(self, "dimension", dimension_of(self.dimension))
        if self.run_id is not None:
            arguments.text("run_id", self.run_id)

    def on(self, store: Store) -> Coroutine[Any, Any, list[RunRow]]:
        """Ask a store."""
        return store.runs(self.limit, self.dimension, self.run_id)


class ReadLatestRuns(StoreRequest[list[RunRow]], frozen=True):
    """The newest run of each dimension."""

    def on(self, store: Store) -> Coroutine[Any, Any, list[RunRow]]:
        """Ask a store."""
        return store.latest_runs()
