"""`backbone retention`: what is covered, and what lies beyond the cap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbone.cli.exits import DONE
from backbone.cli.options import COMMON, Common, Format, Output, moment, prepare

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.retention.report import RetentionReport

__all__ = ["retention"]


def retention(
    *, as_of: str | None = None, how: Format = "human", output: Output = None, common: Common = COMMON
) -> int:
    """Judge what is stored against the policies, and say what enforcement would drop; changes nothing.

    The store must not be in use by a running backbone.

    Args:
        as_of: the moment it is judged at, for historical data; a date alone is midnight UTC; now unless given.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone.cli.opening import briefly
    from backbone.cli.output import show
    from backbone.cli.running import run

    at = moment("--as-of", as_of)
    report = run(lambda: briefly(settings, lambda backbone: backbone.retention(as_of=at)))
    show(report, lambda console: draw_findings(console, report), how, output, no_color=common.no_color)
    return DONE


def draw_findings(console: Console, report: RetentionReport) -> None:
    """One line a symbol, worst first."""
    from rich.text import Text

    from backbone.cli.page import heading, verdict

    heading(console, "Retention", f"a dry run as of {report.as_of:%Y-%m-%d %H:%M} UTC")
    for each in report.findings:
        name = " ".join(filter(None, (str(each.dimension), each.symbol, each.interval)))
        verdict(console, each.status, f"{name}: {each.message}")
    if not report.findings:
        console.print(Text("  nothing is stored", style="dim"))
