"""What the export actor is asked, and what it tells."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, get_args

from msgspec.structs import force_setattr

from actors import Event, Request
from backbone.domain import arguments
from backbone.domain.clock import INTERVALS
from backbone.domain.dimension import Dimension
from backbone.export.report import ExportReport
from backbone.export.spark.report import SparkReport
from backbone.export.spark.wire import Job, JobKind

__all__ = ["ExportProgress", "Form", "RunExport", "RunSpark", "SparkProgress"]

Form = Literal["parquet", "csv", "jsonl"]

_DAY = timedelta(days=1)


class RunExport(Request[ExportReport], frozen=True):
    """Write rows of one moment into files, and let CURRENT name them.

    Attributes:
        dimensions: empty: all that have rows.
        symbols: symbols (or calendars), empty: all.
        start: first moment, inclusive; None is open.
        end: last moment, inclusive; None is open.
        to: the folder; None: as the settings say.
        form: of the files; None: as the settings say.
        anew: write every file, whatever earlier exports hold.
    """

    dimensions: tuple[Dimension, ...] = ()
    symbols: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    to: str | None = None
    form: Form | None = None
    anew: bool = False

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        for dimension in arguments.instance("dimensions", self.dimensions, tuple):
            arguments.instance("dimensions", dimension, Dimension, "Dimension.parse reads a name")
        force_setattr(self, "symbols", arguments.symbols(self.symbols))
        start, end = arguments.window(self.start, self.end)
        force_setattr(self, "start", start)
        force_setattr(self, "end", end)
        if self.to is not None:
            arguments.text("to", self.to)
        if self.form is not None and self.form not in ("parquet", "csv", "jsonl"):
            raise ValueError(f"file_format={self.form!r} given; allowed: parquet, csv, jsonl")
        arguments.flag("anew", self.anew)


class ExportProgress(Event, frozen=True, kw_only=True):
    """How far an export is: rows and files that are done, and that there are; those of earlier exports are done."""

    rows_done: int
    rows_total: int
    files_done: int
    files_total: int


class RunSpark(Request[SparkReport], frozen=True):
    """Do a job of Spark over an export, in a child process of its own.

    Attributes:
        job: validate, ohlc (bars of trades), aggregates (of trades, by day) or compact.
        export: the name of the export; None: the current one.
        dimension: only its rows; None: all, or trades where bars are made.
        interval: of the bars: one that divides a day, which begins at midnight UTC; None: a minute.
        to: the folder in which exports lie; None: as the settings say.
    """

    job: JobKind
    export: str | None = None
    dimension: Dimension | None = None
    interval: str | None = None
    to: str | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        if self.job not in get_args(JobKind):
            raise ValueError(f"job={self.job!r} given; allowed: {', '.join(get_args(JobKind))}")
        if self.dimension is not None:
            arguments.instance("dimension", self.dimension, Dimension, "Dimension.parse reads a name")
        if self.job in ("ohlc", "aggregates") and self.dimension not in (None, Dimension.TRADES):
            raise ValueError(f"dimension={self.dimension} given with {self.job}; it is made of trades: leave it out")
        if self.interval is not None and self.job != "ohlc":
            raise ValueError(f"interval={self.interval!r} given with {self.job}; ohlc alone takes one")
        force_setattr(self, "interval", arguments.interval(self.interval))
        length = INTERVALS[self.interval or "1m"]
        if length is None or _DAY % length:
            allowed = ", ".join(name for name, each in INTERVALS.items() if each is not None and not _DAY % each)
            raise ValueError(f"interval={self.interval!r} given; allowed: {allowed}")
        for name, value in (("export", self.export), ("to", self.to)):
            if value is not None:
                arguments.text(name, value)

    def of(self, root: str, export: str) -> Job:
        """The same over an export that is known, for the child."""
        bars = self.job in ("ohlc", "aggregates")
        spelled = ("1d" if self.job == "aggregates" else self.interval or "1m") if bars else ""
        length = INTERVALS[spelled] if bars else None
        return Job(
            kind=self.job,
            root=root,
            export=export,
            dimension=Dimension.TRADES if bars else self.dimension,
            interval=0 if length is None else int(length.total_seconds()),
            spelled=spelled,
        )


class SparkProgress(Event, frozen=True, kw_only=True):
    """How far a job of Spark is, in words."""

    job: str
    what: str
