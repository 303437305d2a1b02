"""`backbone export spark`: jobs of Spark over what was exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from backbone.cli.exits import DONE, FAILED
from backbone.cli.failures import UsageError, say
from backbone.cli.options import COMMON, Common, Format, Output, prepare

if TYPE_CHECKING:
    from backbone.export.spark.report import SparkReport
    from backbone.export.spark.wire import Reply

__all__ = ["spark"]


def spark(
    job: Literal["validate", "ohlc", "aggregates", "compact"],
    name: str | None = None,
    /,
    *,
    dimension: Annotated[str | None, Parameter(name="--dimension")] = None,
    interval: Annotated[str | None, Parameter(name="--interval")] = None,
    to: Annotated[Path | None, Parameter(name="--to")] = None,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Do a job of Spark over an export, in a process of its own; export.spark says where it runs and what it may take.

    The store is not asked, so that a backbone may run meanwhile. What is written goes into a folder below derived,
    beside the exports, with a manifest; the same job again finds it there.

    Args:
        job: validate (rows, keys, order, sums of every file), ohlc (bars of trades), aggregates (those of a day, in
            UTC), compact (few large files).
        name: as backbone export list has it; the current one unless given.
        dimension: only its rows.
        interval: of the bars of ohlc: one that divides a day; 1m unless given.
        to: the folder in which exports lie; as export.path says unless given.
        how: how the report is written.
        output: a file for the report instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone.cli.plans import dimension_of
    from backbone.cli.process.running import run
    from backbone.cli.show.exporting import draw_spark
    from backbone.cli.show.output import show as shown
    from backbone.export.errors import ExportMissing
    from backbone.export.messages import RunSpark
    from backbone.export.spark.run import run_spark

    wanted = None if dimension is None else dimension_of(dimension)
    try:
        asked = RunSpark(job, name, wanted, interval, None if to is None else str(to))
    except ValueError as error:
        raise UsageError(str(error)) from error

    async def work() -> SparkReport:
        return await run_spark(settings, asked, _quiet if common.quiet else _tell)

    try:
        report = run(work)
    except ExportMissing as error:
        if name is None:
            raise
        raise UsageError(str(error)) from error
    shown(report, lambda console: draw_spark(console, report), how, output, no_color=common.no_color)
    return FAILED if report.status == "failed" else DONE


def _tell(reply: Reply) -> None:
    from backbone.export.spark.wire import Started, Step

    if isinstance(reply, Step):
        say(f"spark: {reply.what}")
    elif isinstance(reply, Started):
        say(f"spark: {reply.version} runs after {reply.seconds:.1f} s")


def _quiet(_reply: Reply) -> None:
    pass
