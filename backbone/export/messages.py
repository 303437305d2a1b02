"""What the export actor is asked, and what it tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec.structs import force_setattr

from actors import Event, Request
from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.export.report import ExportReport

__all__ = ["ExportProgress", "Form", "RunExport"]

Form = Literal["parquet", "csv", "jsonl"]


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
