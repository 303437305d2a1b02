"""`backbone runs`: the journal of runs, of a running backbone or of the store itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from backbone.cli.exits import DONE, FAILED
from backbone.cli.failures import CommandFailed, UsageError, note
from backbone.cli.options import COMMON, Common, Format, Limit, Output, prepare
from backbone.domain.arguments import LONGEST_PAGE

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.ingest.run_report import RunsReport
    from backbone.settings import Settings
    from backbone.store.run_records import RunRow

__all__ = ["list_runs", "show"]


def list_runs(
    *,
    limit: Annotated[int, Limit] = 20,
    dimension: str | None = None,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """What became of the last runs, newest first, also of those that failed, and which way each dimension goes.

    A running backbone is asked for it; where none runs, one is opened for it. Exits 1 where the last run of a
    dimension failed.

    Args:
        limit: so many at most, up to 10000; one for each dimension of each run.
        dimension: only of this one.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    if not 1 <= limit <= LONGEST_PAGE:
        raise UsageError(f"--limit {limit}: allowed are 1 to {LONGEST_PAGE} runs")
    report = _report(prepare(common), common, {"limit": limit, "dimension": _dimension(dimension)})
    from backbone.cli.show.output import show as shown

    shown(report, lambda console: _draw(console, report), how, output, no_color=common.no_color)
    return FAILED if report.status == "failed" else DONE


def show(run_id: str, /, *, how: Format = "human", output: Output = None, common: Common = COMMON) -> int:
    """One run: what it was asked for, and what became of each of its dimensions. Exits 1 where one failed.

    Args:
        run_id: as backbone runs list has it; its last letters do, as long as they tell one run.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    report = _report(settings, common, {"limit": LONGEST_PAGE, "run_id": run_id})
    if not report.runs:
        report = _report(settings, common, {"limit": LONGEST_PAGE, "run_id": _whole(settings, common, run_id)})
    from backbone.cli.show.output import show as shown

    shown(report, lambda console: _draw_one(console, report), how, output, no_color=common.no_color)
    return FAILED if any(row.status == "failed" for row in report.runs) else DONE


def _whole(settings: Settings, common: Common, ending: str) -> str:
    """The id of which the last letters were given.

    Raises:
        CommandFailed: there is none, or several.
    """
    known = {row.run_id for row in _report(settings, common, {"limit": LONGEST_PAGE}).runs}
    found = sorted(each for each in known if each.endswith(ending))
    if len(found) != 1:
        what = f"{len(found)} runs end with it" if found else "no run has that id"
        raise CommandFailed(f"{ending!r}: {what}; backbone runs list has their ids")
    return found[0]


def _dimension(text: str | None) -> str | None:
    from backbone.store.run_records import dimension_of

    try:
        return None if text is None else dimension_of(text)
    except ValueError as error:
        raise UsageError(f"--dimension: {error}") from error


def _report(settings: Settings, common: Common, wanted: dict[str, Any]) -> RunsReport:
    """What a running backbone says, or where none runs, the store."""
    from backbone.cli.process.asking import answer
    from backbone.cli.process.opening import briefly
    from backbone.cli.process.running import run
    from backbone.control.errors import NobodyRuns
    from backbone.ingest.run_report import RunsReport

    try:
        report, _ = answer(settings, "runs", RunsReport, arguments=wanted)
    except NobodyRuns as error:
        if not common.quiet:
            note(f"{error}; the store is asked")
        return run(lambda: briefly(settings, lambda backbone: backbone.runs(**wanted)))
    return report


def _draw(console: Console, report: RunsReport) -> None:
    from rich.text import Text

    from backbone.cli.show.page import heading, verdict
    from backbone.cli.show.text import count, one_line, seconds

    for row in report.runs:
        verdict(console, _status(row), _line(row))
    if not report.runs:
        console.print(Text("no run was journalled yet", style="dim"))
        return
    heading(console, "Trend", "of the runs above")
    for each in report.trends:
        went = f"{each.runs - each.failed} of {each.runs} went well"
        rows = "" if each.mean_rows is None else f", {count(round(each.mean_rows))} rows"
        took = "" if each.mean_duration_s is None else f" in {seconds(each.mean_duration_s)} on average"
        why = f"; last failure: {one_line(each.last_error)}" if each.last_error else ""
        verdict(console, each.status, f"{each.dimension}: {went}{rows}{took}{why}")


def _status(row: RunRow) -> str:
    from backbone.ingest.run_report import status_of

    return str(status_of(row.status))


def _line(row: RunRow) -> str:
    from backbone.cli.show.text import count, one_line, seconds

    what = f"{row.executed_at:%Y-%m-%d %H:%M:%S} {row.dimension} of {one_line(row.source)}"
    ended = f"run {row.run_id}, {seconds(row.duration_s)}"
    if row.status == "failed":
        return f"{what}: {one_line(row.error or '')} ({ended})"
    fresh = "" if row.freshness_s is None else f", newest {seconds(row.freshness_s)} old"
    new = f"{count(row.inserted)} new, {count(row.changed)} changed"
    return f"{what}: {count(row.rows)} rows, {new}{fresh} ({ended})"


def _draw_one(console: Console, report: RunsReport) -> None:
    from backbone.cli.show.page import heading, numbers, verdict
    from backbone.cli.show.text import count, one_line
    from backbone.domain.report import plain

    for row in report.runs:
        heading(console, row.dimension, f"run {row.run_id}")
        verdict(console, _status(row), _line(row))
        names = ("rows", "inserted", "changed", "unchanged", "quarantined")
        console.print(numbers("Rows", [(name, count(getattr(row, name))) for name in names]))
        facts = [("symbols", row.symbols), ("start", row.start), ("end", row.end), *row.metadata.items()]
        for name, value in facts:
            console.print(f"  {name}: {one_line(plain(value))}", style="dim")
