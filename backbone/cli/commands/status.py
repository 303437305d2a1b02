"""`backbone status`: one screen, worst first; the exit code tells whether it is ready."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from backbone.cli.exits import DONE, NOT_READY
from backbone.cli.options import COMMON, Common, Format, Output, prepare

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from actors import RosterSnapshot
    from backbone.operations.probes.status import Problem, StatusReport

__all__ = ["status"]


def status(*, how: Format = "human", output: Output = None, common: Common = COMMON) -> int:
    """What is wrong with the running backbone, since when, what happens now, and what you can do; worst first.

    Exits 0 where all is ok, 3 where something is degraded or failed, 4 where no backbone runs with these settings.

    Args:
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone.cli.process.asking import standing
    from backbone.cli.show.output import show

    report = standing(settings)
    show(report, lambda console: _draw(console, report), how, output, no_color=common.no_color)
    return DONE if report.status == "ok" else NOT_READY


def _draw(console: Console, report: StatusReport) -> None:
    from rich.text import Text

    from backbone.cli.commands.connectors import draw_parts
    from backbone.cli.commands.symbols import STYLES, SYMBOLS

    state = str(report.status)
    line = Text().append(f"{SYMBOLS[state]} {state}", style=STYLES[state])
    line.append(f"  {_facts(report)}", style="dim")
    console.print(line)
    console.print()
    draw_parts(console, report.connectivity.probes)
    for lost in lost_of(report.roster):
        console.print(Text(f"  telemetry: {lost}", style="yellow"))
    for problem in report.problems:
        console.print()
        for text in _problem(problem, report, console.width):
            console.print(text)


def lost_of(roster: RosterSnapshot) -> Iterator[str]:
    """What telemetry has lost or could not do, in words; nothing where all is well."""
    from backbone.cli.show.text import count, one_line

    for entry in roster.entries:
        if not entry.path.endswith("/watch/telemetry"):
            continue
        told = entry.detail or {}
        for name, words in _LOST.items():
            number = told.get(name)
            if isinstance(number, int) and number:
                why = f": {one_line(told['last_refusal'])}" if name == "refused" and "last_refusal" in told else ""
                yield f"{count(number)} {words}{why}"


_LOST = {
    "dropped": "events gave way to newer ones",
    "refused": "events stay on the bus, their topics do not take them",
    "handler_errors": "calls of listeners failed",
}


def _facts(report: StatusReport) -> str:
    roster = report.roster
    actors = sum(entry.kind == "actor" for entry in roster.entries)
    restarts = sum(entry.restarts for entry in roster.entries)
    facts = [roster.system, f"{actors} actors", f"{len(report.problems)} not well", f"orphans {len(roster.orphans)}"]
    facts += [f"restarts {restarts}"] if restarts else []
    facts += [f"dead letters {roster.dead_letters}"] if roster.dead_letters else []
    return " · ".join([*facts, f"loop lag {roster.loop_lag_s * 1000:.1f} ms"])


def _problem(problem: Problem, report: StatusReport, width: int) -> Iterator[Text]:
    from rich.text import Text

    from backbone.cli.commands.symbols import STYLES, SYMBOLS
    from backbone.cli.show.text import ago, one_line

    state = str(problem.status)
    line = Text().append(f"{SYMBOLS[state]} {one_line(problem.path)}", style=STYLES[state])
    facts = [state] if problem.state == "running" else [state, problem.state]
    if problem.since is not None:
        facts.append(f"for {ago((report.roster.captured_at - problem.since).total_seconds())}")
    if problem.restarts:
        facts.append(f"{problem.restarts} restarts")
    line.append(f"  {', '.join(facts)}")
    yield line
    for name, text in (("why", problem.why), ("now", problem.now), ("do", problem.action)):
        for place, piece in enumerate(wrap(one_line(text), max(width - 8, 20))):
            row = Text("  ")
            row.append(("" if place else name).ljust(5), style="dim")
            row.append(piece)
            yield row
