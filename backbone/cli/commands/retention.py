"""`backbone retention`: what is covered, what lies beyond the cap, and, when told to, dropping that."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from backbone.cli.exits import DONE
from backbone.cli.failures import UsageError
from backbone.cli.options import COMMON, Common, Format, Output, moment, prepare

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.retention.report import RetentionReport

__all__ = ["retention"]


def retention(
    *,
    apply: bool = False,
    yes: bool = False,
    as_of: str | None = None,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Judge what is stored against the policies, and say what enforcement would drop; a dry run unless told to apply.

    An embedded store must not be in use by a running backbone, and is never dropped from.

    Args:
        apply: drop what lies beyond the cap, and prune; asks first.
        yes: do not ask.
        as_of: the moment it is judged at, for historical data; a date alone is midnight UTC; now unless given.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone.cli.process.opening import briefly
    from backbone.cli.process.running import run
    from backbone.cli.show.output import show
    from backbone.retention.policy import enforceable

    at = moment("--as-of", as_of)
    if apply and not yes and enforceable(settings):
        _confirm()
    report = run(lambda: briefly(settings, lambda backbone: backbone.retention(apply=apply, as_of=at)))
    show(report, lambda console: draw_findings(console, report), how, output, no_color=common.no_color)
    return DONE


def _confirm() -> None:
    """Rows that are dropped are gone: somebody has to say so."""
    if not sys.stdin.isatty():
        raise UsageError("--apply drops rows for good; look at the dry run, then add --yes")
    print("Rows beyond the cap will be dropped for good. Type drop to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "drop":
        raise UsageError("nothing was dropped")


def draw_findings(console: Console, report: RetentionReport) -> None:
    """One line a symbol, worst first."""
    from rich.text import Text

    from backbone.cli.show.page import heading, verdict

    kind = "applied" if report.applied else "a dry run"
    heading(console, "Retention", f"{kind} as of {report.as_of:%Y-%m-%d %H:%M} UTC")
    for each in report.findings:
        name = " ".join(filter(None, (str(each.dimension), each.symbol, each.interval)))
        verdict(console, each.status, f"{name}: {each.message}")
    if not report.findings:
        console.print(Text("  nothing is stored", style="dim"))
    done = "dropped" if report.applied else "to be dropped"
    for drop in report.drops:
        what = f"{drop.rows:,} rows {done}{f'; kept: {drop.kept}' if drop.kept else ''}"
        console.print(Text(f"  {drop.dimension}: {what if drop.rows else f'nothing {done}: {drop.kept}'}", style="dim"))
    done = "pruned" if report.applied else "to be pruned"
    for what, count in report.pruned.items():
        if count:
            console.print(Text(f"  {what}: {count:,} rows {done}", style="dim"))
