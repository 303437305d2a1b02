"""What an ingest run is to do, and what it has done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import msgspec

from backbone.domain.clock import parse_interval
from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, cell, markdown_table
from backbone.quality.report import QualityReport

__all__ = ["IngestPlan", "IngestRun"]


class IngestPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to read from where.

    Attributes:
        dimensions: what the rows are; a file holds one dimension.
        symbols: only these; empty: all that the source has.
        interval: bar interval, such as "1h", where the dimension has one.
        source: kind of the source: "csv", "parquet" or a plugin's name.
        path: the file, for sources that read files.
        zone: IANA zone of times that carry none; without it such times are refused.
        start: rows from this moment on (inclusive).
        end: rows up to this moment (inclusive).
        chunk_rows: rows in one transaction; None: as the settings say.
        columns: renames, from the file's column to ours.
    """

    dimensions: Sequence[Dimension]
    symbols: Sequence[str] = ()
    interval: str | None = None
    source: str = "csv"
    path: str | Path | None = None
    zone: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    chunk_rows: int | None = None
    columns: Mapping[str, str] = {}

    def checked(self) -> IngestPlan:
        """The plan in canonical form: dimensions parsed, symbols in upper case without repetition, start before end.

        Raises:
            ValueError: says what was given and what is allowed.
        """
        dimensions = tuple(Dimension.parse(each) for each in self.dimensions)
        if len(dimensions) != 1:
            raise ValueError(f"{len(dimensions)} dimensions given; a source of one file holds exactly one")
        symbols = tuple(dict.fromkeys(each.strip().upper() for each in self.symbols))
        if "" in symbols:
            raise ValueError("an empty symbol given; name it or leave it out")
        interval = None if self.interval is None else parse_interval(self.interval)
        if interval is not None and not dimensions[0].has_interval:
            raise ValueError(f"interval {interval!r} given; {dimensions[0]} has none, leave it out")
        start, end = self.start, self.end
        for moment in (start, end):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{moment} given without a zone; give an aware time")
        if start is not None and end is not None and start > end:
            start, end = end, start
        if self.chunk_rows is not None and not 1 <= self.chunk_rows <= 100_000:
            raise ValueError(f"chunk_rows={self.chunk_rows} given; allowed: 1 to 100000")
        return msgspec.structs.replace(
            self, dimensions=dimensions, symbols=symbols, interval=interval, start=start, end=end
        )


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
        duplicates: rows whose key stood in the same chunk again; the last one counts.
        inserted, changed, unchanged: what became of the good rows in the store.
        chunks: transactions.
        position: newest outbox position of this run; a fetch of the same backbone is never older. 0: nothing changed.
        positions: the same for each symbol.
        symbols: of the rows that went in.
        quality: the judgement on the rows, None where there were none.
        duration_s: seconds.
        attempts: how often the run was begun: more than 1 after a crash.
        reasons: why rows were kept aside or left out, a few distinct ones.
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
        """The counts as a table, then the quality findings."""
        names = (*_COUNTS, "chunks", "position", "duration_s", "attempts")
        rows = [(name, getattr(self, name)) for name in ("run_id", "source", *names)]
        text = f"{self.heading()}\n{markdown_table(('field', 'value'), rows)}"
        if self.quality is None:
            return text
        return f"{text}\nQuality {cell(self.quality.score)} ({self.quality.status})\n"
