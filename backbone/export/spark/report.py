"""What a job of Spark did."""

from __future__ import annotations

from typing import ClassVar

from backbone.domain.report import Report, cell, markdown_table
from backbone.domain.status import Status

__all__ = ["SparkReport"]


class SparkReport(Report, frozen=True, kw_only=True):
    """One job of Spark.

    Attributes:
        status: failed where it could not be done, or found anything wrong.
        job: validate, ohlc, aggregates or compact.
        export: the export that it read.
        master: where it ran.
        spark: the version of Spark; "" where it did not come to run.
        rows, files: looked at, or written.
        folder: of what was written; "" where nothing is.
        kept: the same job had written it before.
        seconds: from the beginning to the end.
        start_s: of these, until Spark ran.
        problems: a line for each thing that is wrong.
        why: it could not be done, in words.
        log: the last lines that Spark printed, where it failed.
    """

    title: ClassVar[str] = "Job of Spark"

    status: Status
    job: str
    export: str
    master: str
    spark: str = ""
    rows: int = 0
    files: int = 0
    folder: str = ""
    kept: bool = False
    seconds: float = 0.0
    start_s: float = 0.0
    problems: tuple[str, ...] = ()
    why: str = ""
    log: tuple[str, ...] = ()

    def to_markdown(self) -> str:
        """The facts, and the problems."""
        facts = f"- status: {self.status}\n- job: {self.job}\n- export: {cell(self.export)}\n"
        facts += f"- master: {cell(self.master)}\n- rows: {self.rows}\n- files: {self.files}\n"
        facts += f"- seconds: {self.seconds:.3f}, of which {self.start_s:.3f} until Spark ran\n"
        facts += f"- folder: {cell(self.folder)}\n" if self.folder else ""
        facts += f"- why: {cell(self.why)}\n" if self.why else ""
        tables = [(("problem",), self.problems), (("printed last",), self.log)]
        return (
            self.heading()
            + facts
            + "".join(f"\n{markdown_table(headers, [(line,) for line in lines])}" for headers, lines in tables if lines)
        )
