"""What an ingest run is to do, and what it has done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec.structs import force_setattr, replace

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.domain.periods import check_period, period_start
from backbone.domain.report import Report, cell, markdown_table
from backbone.quality.report import QualityReport
from backbone.sources.form import Decimal, Form, Stamps, TimeUnit
from backbone.sources.registry import built_in, reads_file

__all__ = ["IngestPlan", "IngestRun"]


class IngestPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to read from where. It is checked and brought into canonical form when it is made.

    Attributes:
        dimensions: what the rows are, by name or alias; a file holds one dimension. A plan of several, for providers,
            is carried out by `Backbone.run_market`.
        symbols: only these, whatever their case in the file; empty: all that the source has.
        interval: bar interval, such as "1h", where the dimension has one: of rows that do not say theirs; of the
            others only these.
        source: kind of the source: "csv", "parquet", "yahoo", "fred", "multi" or a plugin's name.
        path: the file, for sources that read files.
        zone: IANA zone of times that carry none; without it such times are refused.
        start: rows from this moment on (inclusive).
        end: rows up to this moment (inclusive).
        period: of a provider, instead of start and end: how far back from now, such as "30d", "6mo", "ytd" or "max".
            Without any of the three a provider goes on from what is stored.
        chunk_rows: rows in one transaction; None: as the settings say.
        columns: from the file's columns to ours, by header or by position, counted from 1; ``"A+B"`` joins two.
        time_format: of times, in the letters of `datetime.datetime.strptime`, such as "%d.%m.%Y".
        time_unit: of times that are numbers since 1970: "s", "ms", "us" or "ns".
        decimal: the decimal sign of numbers, "." or ",".
        encoding: of the text, such as "cp1252".
        stamps: whether the time of a bar is its "start" or its "end".
    """

    dimensions: Sequence[Dimension | str]
    symbols: Sequence[str] = ()
    interval: str | None = None
    source: str = "csv"
    path: str | Path | None = None
    zone: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    chunk_rows: int | None = None
    columns: Mapping[str, str] = {}
    time_format: str | None = None
    time_unit: TimeUnit | None = None
    decimal: Decimal | None = None
    encoding: str | None = None
    stamps: Stamps | None = None
    period: str | None = None

    def __post_init__(self) -> None:
        """Bring the plan into its canonical form, or refuse it where it is made.

        Dimensions are parsed, symbols in upper case and without repetition, the interval has its one name.

        Raises:
            TypeError, ValueError: says what was given, what is allowed, what to do.
        """
        dimensions = _dimensions(self.dimensions, one=self.path is not None or reads_file(str(self.source)))
        interval = arguments.interval(self.interval)
        if dimensions == (Dimension.DAILY_BARS,) and interval == "1d":
            interval = None
        if interval is not None and not any(each.has_interval for each in dimensions):
            raise ValueError(f"interval {interval!r} given; {', '.join(dimensions)} has none, leave it out")
        symbols = tuple(dict.fromkeys(each.strip().upper() for each in arguments.symbols(self.symbols)))
        arguments.text("source", self.source)
        arguments.window(self.start, self.end)
        _check_period(self)
        _check_path(self.path)
        _check_asked(self)
        _check_zone(self.zone)
        if self.chunk_rows is not None and not 1 <= arguments.count("chunk_rows", self.chunk_rows, 1) <= _MOST_ROWS:
            raise ValueError(f"chunk_rows={self.chunk_rows} given; allowed: 1 to {_MOST_ROWS}")
        Form(columns=self.columns, **self.form, zone=self.zone)
        for dimension in dimensions:
            _check_columns(self.columns, dimension)
            if self.stamps is not None and "close" not in dimension.columns:
                raise ValueError(f"stamps={self.stamps!r} given; {dimension} has no bars, leave it out")
        _check_texts(self)
        force_setattr(self, "dimensions", dimensions)
        force_setattr(self, "symbols", symbols)
        force_setattr(self, "interval", interval)

    def at(self, now: datetime) -> IngestPlan:
        """The plan with its period as the moment from which it reaches now; what is known of days to come is in it."""
        if self.period is None:
            return self
        return replace(self, start=period_start(self.period, now) or _EVER, period=None)

    @property
    def dimension(self) -> Dimension:
        """What the rows are; of several dimensions the first."""
        return Dimension(self.dimensions[0])

    def each(self) -> tuple[IngestPlan, ...]:
        """A plan for each dimension; what only some of them have, such as an interval, the others do without."""
        if len(self.dimensions) == 1:
            return (self,)
        return tuple(self._of(Dimension(each)) for each in self.dimensions)

    def _of(self, dimension: Dimension) -> IngestPlan:
        interval = self.interval if dimension.has_interval else None
        symbols = () if dimension is Dimension.MACRO_EVENTS else self.symbols  # those are calendars, not symbols
        return replace(self, dimensions=(dimension,), interval=interval, symbols=symbols)

    def require_one_dimension(self) -> None:
        """Refuse several where one run takes one.

        Raises:
            ValueError: says who takes several.
        """
        if len(self.dimensions) > 1:
            raise ValueError(f"{len(self.dimensions)} dimensions given; ingest takes one, run_market(plan) several")

    @property
    def form(self) -> dict[str, Any]:
        """How the input is written, as sources take it."""
        return {name: getattr(self, name) for name in ("time_format", "time_unit", "decimal", "encoding", "stamps")}

    def checked(self) -> IngestPlan:
        """The plan itself: it was checked when it was made."""
        return self


_MOST_ROWS = 100_000
_EVER = datetime(1, 1, 1, tzinfo=UTC)


def _dimensions(given: object, *, one: bool) -> tuple[Dimension, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"dimensions={arguments.shown(given)} given; give a list, such as ['intraday_bars']")
    dimensions = tuple(dict.fromkeys(Dimension.parse(each) for each in given))
    if not dimensions or (one and len(dimensions) > 1):
        raise ValueError(f"{len(dimensions)} dimensions given; a source of one file holds exactly one")
    return dimensions


def _check_period(plan: IngestPlan) -> None:
    period = check_period(plan.period)
    if period is None:
        return
    if plan.start is not None or plan.end is not None:
        raise ValueError(f"period={period!r} given beside start or end; leave one of them out")
    if plan.path is not None or reads_file(plan.source):
        raise ValueError(f"period={period!r} given; a file has the rows that it has, give start and end instead")
    force_setattr(plan, "period", period)


def _check_path(path: object) -> None:
    if path is None:
        return
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={arguments.shown(path)} given; allowed is a text or a pathlib.Path")
    if not os.fspath(path) or "\0" in os.fspath(path):
        raise ValueError(f"path={arguments.shown(path)} given, which names no file; give the path of one")


def _check_asked(plan: IngestPlan) -> None:
    """A provider is asked; nothing of what is said of a file says anything of it."""
    if not built_in(plan.source) or reads_file(plan.source):
        return
    said = {"path": plan.path, "zone": plan.zone, "columns": plan.columns or None, **plan.form}
    for name, value in said.items():
        if value is not None:
            raise ValueError(f"{name}={arguments.shown(value)} given; {plan.source} reads no file, leave it out")


def _check_columns(columns: Mapping[str, str], dimension: Dimension) -> None:
    for theirs, ours in columns.items():
        if ours not in dimension.columns:
            raise ValueError(f"columns={theirs!r} to {ours!r} given; {dimension} has {', '.join(dimension.columns)}")


def _check_texts(plan: IngestPlan) -> None:
    """What is said of texts is said of no Parquet file, which says it itself."""
    for name in ("encoding", "decimal"):
        if plan.source.strip().lower() == "parquet" and (given := getattr(plan, name)) is not None:
            raise ValueError(f"{name}={given!r} given; parquet says it itself, leave it out")


def _check_zone(zone: object) -> None:
    if zone is None:
        return
    from backbone.domain.zones import load_zone

    load_zone(arguments.text("zone", zone))


_COUNTS = ("rows_read", "quarantined", "filtered", "duplicates", "inserted", "changed", "unchanged")


class IngestRun(Report, frozen=True, kw_only=True):
    """What a run has done. Each row read was quarantined, filtered, a duplicate, inserted, changed or unchanged.

    Attributes:
        run_id: of the run; the journal and a retry know it by this.
        dimension: what the rows are.
        source: name of the source, with its file.
        rows_read: rows that the source gave, good and bad.
        quarantined: rows that are kept aside, with a reason each.
        filtered: good rows that the plan's symbols or times leave out.
        duplicates: rows after which another one with their key stood in the same chunk; the last one counts, of a file
            that is newest first the upper one.
        inserted, changed, unchanged: what became of the good rows in the store.
        chunks: transactions.
        position: newest outbox position of this run; a fetch of the same backbone is never older. 0: nothing changed.
        positions: the same for each symbol.
        symbols: of the rows that went in.
        quality: the judgement on the rows, None where there were none; 0 where none of them could be taken.
        duration_s: seconds.
        attempts: how often the run was begun: more than 1 after a crash.
        reasons: why rows were kept aside or left out, a few distinct ones.
        left_out: for which reason how many rows were not taken: all that were quarantined, filtered or duplicates.
        mended: how many rows each rule of ``quality.repair`` has mended; they are among those that went in.
        dialect: how the input was laid out, by the name of a dialect; "" where none was recognised.
        columns: from the input's columns to ours.
        ignored: the input's other columns, each with the reason.
        notes: what else is to be said of the input.
    """

    title: ClassVar[str] = "Ingest run"

    run_id: str
    dimension: Dimension
    source: str
    rows_read: int
    quarantined: int
    filtered: int
    duplicates: int
    inserted: int
    changed: int
    unchanged: int
    chunks: int
    position: int
    positions: Mapping[str, int]
    symbols: tuple[str, ...]
    quality: QualityReport | None
    duration_s: float
    attempts: int = 1
    reasons: tuple[str, ...] = ()
    left_out: Mapping[str, int] = {}
    mended: Mapping[str, int] = {}
    dialect: str = ""
    columns: Mapping[str, str] = {}
    ignored: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()

    @property
    def taken(self) -> int:
        """Rows that the store has because of this run, or had already."""
        return self.inserted + self.changed + self.unchanged

    @property
    def nothing(self) -> str:
        """Why not one row was taken, in a line; "" where one was."""
        if self.taken:
            return ""
        return f"not one row was taken of {self.rows_read:,} read: {', '.join(self.reasons[:1]) or 'there were none'}"

    def to_markdown(self) -> str:
        """The counts as a table, why rows were not taken, what became of the columns, then the quality findings."""
        names = (*_COUNTS, "chunks", "position", "duration_s", "attempts", "dialect")
        rows = [(name, getattr(self, name)) for name in ("run_id", "source", *names)]
        text = f"{self.heading()}\n{markdown_table(('field', 'value'), rows)}"
        if self.left_out:
            text += f"\n{markdown_table(('rows not taken, because', 'rows'), self.left_out.items())}"
        if self.mended:
            text += f"\n{markdown_table(('rows mended by the rule', 'rows'), self.mended.items())}"
        text += self._columns()
        if self.quality is None:
            return text
        return f"{text}\nQuality {cell(self.quality.score)} ({self.quality.status})\n"

    def _columns(self) -> str:
        """Each column of the input with what it became, or why it was ignored; then the notes."""
        rows = [(theirs, ours, "read") for theirs, ours in self.columns.items()]
        rows += [(theirs, "", f"ignored: {reason}") for theirs, reason in self.ignored.items()]
        table = f"\n{markdown_table(('column', 'read as', 'what became of it'), rows)}" if rows else ""
        return table + ("\n" if self.notes else "") + "".join(f"- {cell(note)}\n" for note in self.notes)
