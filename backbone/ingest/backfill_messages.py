"""What a backfill is asked to do, what it says meanwhile, and what it has done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import msgspec
from msgspec.structs import force_setattr

from actors import Event
from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, cell, markdown_table
from backbone.domain.status import Status
from backbone.ingest.plan import IngestPlan

__all__ = ["BackfillProgress", "BackfillReport", "BackfillRequest", "PieceFailed", "SeriesGaps"]


class BackfillRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which gaps are to be filled from where. It is checked and brought into canonical form when it is made.

    Attributes:
        dimension: or one of its aliases; of macro events no gaps can be told.
        source: kind of the source: a provider, or "csv" and "parquet" with a path.
        symbols: only these; empty: all that are stored. One that is not stored needs `start`.
        interval: of intraday bars only these; one that is not stored is all missing, and needs symbols and `start`.
        start: from this moment on (inclusive); None: the earliest row of each series.
        end: up to this moment (inclusive); None: now, but for bars and sessions that are still under way.
        path: the file, for sources that read files.
        dry_run: only say what is missing.
    """

    dimension: Dimension | str
    source: str
    symbols: Sequence[str] = ()
    interval: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    path: str | Path | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse what can't be meant.

        Raises:
            TypeError, ValueError: says what was given, what is allowed, what to do.
        """
        dimension = Dimension.parse(self.dimension)
        if dimension is Dimension.MACRO_EVENTS:
            raise ValueError("macro_events given, of which no calendar tells when they are to come; ingest them anew")
        arguments.flag("dry_run", self.dry_run)
        start, end = arguments.window(self.start, self.end)
        symbols = arguments.symbols(self.symbols)
        plan = IngestPlan(dimensions=[dimension], source=self.source, interval=self.interval, path=self.path)
        force_setattr(self, "dimension", dimension)
        force_setattr(self, "interval", plan.interval)
        force_setattr(self, "symbols", symbols)
        force_setattr(self, "start", start)
        force_setattr(self, "end", end)

    @property
    def of(self) -> Dimension:
        """What the rows are."""
        return Dimension(self.dimension)


class SeriesGaps(msgspec.Struct, frozen=True, kw_only=True):
    """One series: what a calendar expects of it, what was missing, and what is missing still.

    Attributes:
        symbol, interval: which; None where the dimension has no interval.
        unit: "bars" or "sessions", which are counted.
        calendar: by which it was judged; "" where none is known.
        expected: in the window.
        missing: before.
        left: afterwards; None: it was not looked at again.
        note: why it was not judged, or not from where it was to be.
    """

    symbol: str
    interval: str | None
    unit: str
    calendar: str
    expected: int = 0
    missing: int = 0
    left: int | None = None
    note: str = ""


class PieceFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A piece that could not be filled, and why; the next backfill begins with it."""

    symbol: str
    interval: str | None
    start: datetime
    end: datetime
    error: str


class BackfillReport(Report, frozen=True, kw_only=True):
    """What a backfill found and did.

    Attributes:
        dimension: of the rows.
        source: from where.
        dry_run: nothing was done.
        series: each with what was missing.
        pieces: stretches that were to be asked for.
        done: those that were filled, as far as the source had rows.
        resumed: of all pieces, those that an earlier backfill had begun and not ended.
        failed: those that could not be filled.
        given_up: pieces that were not tried, since too many had failed in a row.
        inserted, changed, unchanged, quarantined: what became of the rows.
        stretches: of a dry run what would be asked for, each with how much is missing in it.
        position: newest outbox position; 0: nothing changed.
        duration_s: seconds.
    """

    title: ClassVar[str] = "Backfill"

    dimension: Dimension
    source: str
    dry_run: bool
    series: tuple[SeriesGaps, ...]
    pieces: int
    done: int = 0
    resumed: int = 0
    failed: tuple[PieceFailed, ...] = ()
    given_up: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    stretches: tuple[str, ...] = ()
    position: int = 0
    duration_s: float = 0.0

    @property
    def status(self) -> Status:
        """Failed where nothing could be filled, degraded where some pieces could not."""
        if not self.failed:
            return Status.OK
        return Status.DEGRADED if self.done else Status.FAILED

    @property
    def missing(self) -> int:
        """Bars (or sessions) that were missing before."""
        return sum(each.missing for each in self.series)

    def to_markdown(self) -> str:
        """The counts, then the series that lacked something, then what failed."""
        names = ["source", "dry_run", "pieces", "done", "resumed", "given_up"]
        names += ["inserted", "changed", "unchanged", "quarantined", "position", "duration_s"]
        text = (
            f"{self.heading()}\n{markdown_table(('field', 'value'), [(name, getattr(self, name)) for name in names])}"
        )
        head = ("symbol", "interval", "calendar", "expected", "missing", "left", "unit", "note")
        rows = [[getattr(each, name) for name in head] for each in self.series if each.missing or each.note]
        if rows:
            text += f"\n{markdown_table(head, rows)}"
        text += ("\n" if self.stretches else "") + "".join(f"- missing: {cell(each)}\n" for each in self.stretches)
        for each in self.failed:
            of = " ".join(filter(None, (each.symbol, each.interval)))
            text += f"\n- failed: {cell(of)} {cell(each.start)} to {cell(each.end)}: {cell(each.error)}"
        return text + ("\n" if self.failed else "")


class BackfillProgress(Event, frozen=True, kw_only=True):
    """How far a backfill is.

    Attributes:
        pieces_done, pieces: stretches asked for already, and all of them.
        missing_done, missing: bars (or sessions) of these.
        rows: that went in or were there.
        rate: rows a second, over all the time; None at the beginning.
        eta_s: seconds that are left if it goes on so; None at the beginning.
        piece: what was asked for last.
    """

    pieces_done: int
    pieces: int
    missing_done: int
    missing: int
    rows: int
    rate: float | None
    eta_s: float | None
    piece: str
