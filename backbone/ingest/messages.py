"""What the ingest actor is asked, and what it says of its runs."""

from __future__ import annotations

import msgspec
from msgspec.structs import force_setattr

from actors import Event, Request
from backbone.domain import arguments
from backbone.domain.frame import Frame
from backbone.ingest.plan import IngestPlan, IngestRun

__all__ = ["IngestProgress", "RecordResult", "RecordRows", "RunIngest"]


class RunIngest(Request[IngestRun], frozen=True):
    """Carry out a plan. The same run_id again continues a run that was cut off: its committed chunks count once."""

    plan: IngestPlan
    run_id: str

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("plan", self.plan, IngestPlan)
        arguments.text("run_id", self.run_id)


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
    """How far a run is: rows read, committed and, of these, known before; bytes of the file read and its size."""

    run_id: str
    rows_read: int
    rows_committed: int
    bytes_read: int
    bytes_total: int
    rows_known: int = 0
