"""What the ingest actor is asked, and what it says of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from msgspec.structs import force_setattr

from actors import Event, Request
from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.report import Report
from backbone.ingest.plan import IngestPlan, IngestRun

__all__ = ["IngestEnded", "IngestProgress", "RecordResult", "RecordRows", "ReplayReport", "ReplayRows", "RunIngest"]


class RunIngest(Request[IngestRun], frozen=True):
    """Carry out a plan. The same run_id again continues a run that was cut off: its committed chunks count once.

    Several plans of one run share its id, each with a dimension of its own. `metadata` is journalled with the run.
    """

    plan: IngestPlan
    run_id: str
    metadata: Mapping[str, Any] = {}

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("plan", self.plan, IngestPlan)
        self.plan.require_one_dimension()
        arguments.text("run_id", self.run_id)
        arguments.instance("metadata", self.metadata, dict)


class RecordResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows of one `record` call: inserted, changed, unchanged, quarantined or superseded.

    Attributes:
        position: the outbox position by which the rows are published; 0: nothing new was among them.
        inserted: rows whose key was new.
        changed: rows whose key was known with other values.
        unchanged: rows that were there already.
        quarantined: rows that can't be true; they are kept aside, `backbone quarantine list` shows them.
        reasons: why, each reason once.
        superseded: rows of which another caller gave a later version in the same commit; that one is stored.
    """

    position: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    reasons: tuple[str, ...] = ()
    superseded: int = 0


class RecordRows(Request[RecordResult], frozen=True):
    """Live rows, committed together with those of others; answered once they are."""

    frame: Frame

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("frame", self.frame, Frame, "Frame.from_records and others make one")

    def take_back(self) -> None:
        """Ask for nothing any more: rows that were not taken up to now would lie in the mailbox, counted by nobody."""
        force_setattr(self, "frame", Frame.empty(self.frame.dimension))


class IngestProgress(Event, frozen=True, kw_only=True):
    """How far a run is: rows read, committed and, of these, known before; bytes of the file read and its size.

    Of a provider there are symbols instead of bytes; `of` says which it is.
    """

    run_id: str
    rows_read: int
    rows_committed: int
    bytes_read: int
    bytes_total: int
    rows_known: int = 0
    of: str = "file"


class ReplayReport(Report, frozen=True, kw_only=True):
    """What was sent again; the span is that of the rows.

    Attributes:
        dimension: of the rows.
        topic: where they went.
        rows, records: how many; a record holds rows of one symbol.
        symbols: of which there were rows.
        freshness_s: seconds from the newest row to the end of the replay; None without rows.
        run: the how-manieth time that just this was asked for and done.
        resumed: it went on where an earlier attempt was cut off: what that had sent is not counted here.
        requested: what was asked for.
    """

    title: ClassVar[str] = "Replay"

    dimension: Dimension
    topic: str
    rows: int
    records: int
    symbols: tuple[str, ...]
    freshness_s: float | None
    run: int
    resumed: bool
    requested: Mapping[str, Any]


class ReplayRows(Request[ReplayReport], frozen=True):
    """Send stored rows to a topic again; None: that of their dimension. `limit` means the newest so many."""

    dimension: Dimension
    symbols: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    limit: int | None = None
    topic: str | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension, "Dimension.parse reads a name")
        force_setattr(self, "symbols", arguments.symbols(self.symbols))
        start, end = arguments.window(self.start, self.end)
        force_setattr(self, "start", start)
        force_setattr(self, "end", end)
        if self.limit is not None:
            limit = arguments.count("limit", self.limit, 1, default="None for all")
            if limit > _MOST_REPLAYED:
                text = f"allowed: 1 to {_MOST_REPLAYED}, or None for all; give a start instead"
                raise ValueError(f"limit={limit} given; {text}")
            force_setattr(self, "limit", limit)
        if self.topic is not None:
            arguments.text("topic", self.topic)


_MOST_REPLAYED = 1_000_000  # rows that are read at once, since only then it is known which are the newest


class IngestEnded(Event, frozen=True, kw_only=True):
    """A run has ended: with its report, or refused for a reason, of which `code` names the kind."""

    run_id: str
    plan: IngestPlan
    run: IngestRun | None = None
    code: str = ""
    error: str = ""
