"""What an export did, what a look at one found, and what a stress run measured."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, cell, markdown_table
from backbone.domain.status import Status
from backbone.export.manifest import Job

__all__ = ["ExportReport", "ExportsReport", "Kept", "VerifyReport"]


class ExportReport(Report, frozen=True, kw_only=True):
    """One export.

    Attributes:
        status: failed where a job has; degraded where one has no rows, or exports that may go can't be removed.
        folder: of the export.
        current: the folder that CURRENT names now; "" where it names none.
        format: parquet, csv or jsonl.
        position: the newest outbox position that it includes.
        rows, bytes: of all files.
        written, linked, kept: files that were written, that are those of an earlier export, and that an earlier attempt
            had left.
        restarts: how often it began again under another snapshot.
        seconds: from the beginning to the end; the next three are summed over files written side by side.
        write_s, sums_s, verify_s: for writing, for the store's sums, for those of the files.
        removed: exports that were too many or too old, and results of jobs over such, as `derived/…`.
        note: what else there is to say.
    """

    title: ClassVar[str] = "Export"

    status: Status
    id: str
    folder: str
    current: str
    format: str
    position: int
    jobs: tuple[Job, ...]
    rows: int = 0
    bytes: int = 0
    written: int = 0
    linked: int = 0
    kept: int = 0
    restarts: int = 0
    seconds: float = 0.0
    write_s: float = 0.0
    sums_s: float = 0.0
    verify_s: float = 0.0
    removed: tuple[str, ...] = ()
    note: str = ""

    def to_markdown(self) -> str:
        """The facts, and a table of the jobs."""
        facts = f"- status: {self.status}\n- folder: {cell(self.folder)}\n- current: {cell(self.current or 'none')}\n"
        facts += f"- files: {self.written} written, {self.linked} linked, {self.kept} kept\n"
        facts += f"- {self.rows} rows in {self.seconds:.3f} s\n"
        if self.note:
            facts += f"- note: {cell(self.note)}\n"
        headers = ("dimension", "status", "rows", "files", "bytes", "issues", "why")
        rows = [(j.dimension, j.status, j.rows, j.files, j.bytes, j.issues, j.why) for j in self.jobs]
        return f"{self.heading()}{facts}\n{markdown_table(headers, rows)}"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An export that lies in the folder.

    Attributes:
        state: current, whole, empty (no rows were found), failed (a job has), or unfinished.
        generated_at: None where it is unfinished.
    """

    id: str
    state: str
    format: str = ""
    generated_at: datetime | None = None
    files: int = 0
    rows: int = 0
    bytes: int = 0
    jobs: tuple[Job, ...] = ()


class ExportsReport(Report, frozen=True, kw_only=True):
    """All exports of a folder, the newest first."""

    title: ClassVar[str] = "Exports"

    folder: str
    exports: tuple[Kept, ...]

    def to_markdown(self) -> str:
        """A table of them."""
        headers = ("export", "state", "made at", "format", "files", "rows", "bytes")
        rows = [(e.id, e.state, e.generated_at, e.format, e.files, e.rows, e.bytes) for e in self.exports]
        return f"{self.heading()}- folder: {cell(self.folder)}\n\n{markdown_table(headers, rows)}"


class VerifyReport(Report, frozen=True, kw_only=True):
    """Whether an export is what its manifest says.

    Attributes:
        status: failed where anything is wrong, or where there is nothing to look at.
        files, rows: looked at.
        dimensions: of these; what else was asked for had no rows.
        problems: a line for each file that is missing, differs, or does not belong there.
    """

    title: ClassVar[str] = "Verification of an export"

    status: Status
    folder: str
    id: str
    files: int
    rows: int
    dimensions: tuple[Dimension, ...] = ()
    problems: tuple[str, ...] = ()

    def to_markdown(self) -> str:
        """The facts, and the problems."""
        facts = f"- status: {self.status}\n- export: {cell(self.id)}\n- files: {self.files}\n- rows: {self.rows}\n"
        facts += f"- dimensions: {', '.join(self.dimensions) or 'none'}\n"
        return self.heading() + facts + ("\n" + markdown_table(("problem",), [(p,) for p in self.problems]))
