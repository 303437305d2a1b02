"""`backbone config`: what the settings are, where each comes from, and what is questionable about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from backbone.cli.exits import DONE, USAGE
from backbone.cli.options import COMMON, Common, Format, Output, settings_of

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.settings import Finding, SettingRow

__all__ = ["check", "show", "template"]


def show(
    *,
    changed: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Every setting with its value and where it comes from; secrets are masked.

    Args:
        changed: only those that are not at their default.
        how: how it is written; JSON also has the environment names and what each is for.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = settings_of(common)
    from backbone.cli.show.output import page, write, write_json
    from backbone.domain.report import cell, markdown_table
    from backbone.settings import show as rows_of

    rows = [row for row in rows_of(settings) if not changed or row.origin != "default"]
    if how == "json":
        write_json({"profile": settings.profile, "hash": settings.hash, "settings": rows}, output)
    elif how == "markdown":
        table = markdown_table(("setting", "value", "origin"), [(row.path, row.value, row.origin) for row in rows])
        write(f"# Settings {cell(settings.profile)} ({settings.hash})\n\n{table}", output)
    else:
        page(lambda console: _draw_rows(console, rows), output, no_color=common.no_color)
    return DONE


def check(*, how: Format = "human", output: Output = None, common: Common = COMMON) -> int:
    """What is questionable about the settings; exits 2 where a backbone with them would not start.

    Args:
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = settings_of(common)
    from backbone.cli.show.output import page, write, write_json
    from backbone.domain.report import cell, markdown_table
    from backbone.domain.status import Status
    from backbone.settings import check as findings_of

    findings = findings_of(settings)
    worst = Status.worst([Status.OK, *(finding.status for finding in findings)])
    if how == "json":
        body = {"status": worst, "profile": settings.profile, "hash": settings.hash, "findings": findings}
        write_json(body, output)
    elif how == "markdown":
        table = markdown_table(("setting", "status", "finding"), [(f.path, f.status, f.message) for f in findings])
        write(f"# Settings check {cell(settings.profile)}: {worst}\n\n{table}", output)
    else:
        page(lambda console: _draw_findings(console, settings.profile, findings), output, no_color=common.no_color)
    return USAGE if worst is Status.FAILED else DONE


def template(profile: str = "embedded", *, output: Output = None) -> int:
    """An env file with every setting of a profile, commented out and explained.

    Args:
        profile: embedded, dev or institutional.
        output: a file instead of stdout.
    """
    from backbone.cli.show.output import write
    from backbone.settings import render_template

    write(render_template(profile), output)
    return DONE


def _draw_rows(console: Console, rows: Sequence[SettingRow]) -> None:
    from rich.table import Table
    from rich.text import Text

    from backbone.cli.show.text import folded
    from backbone.domain.report import plain

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("SETTING", no_wrap=True)
    table.add_column("VALUE", overflow="fold")
    table.add_column("FROM", overflow="fold")
    for row in rows:
        style = "dim" if row.origin == "default" else ""
        value = "none" if row.value is None else plain(row.value)
        table.add_row(Text(row.path), Text(folded(value), style=style), Text(folded(row.origin), style=style))
    console.print(table)


def _draw_findings(console: Console, profile: str, findings: Sequence[Finding]) -> None:
    from rich.text import Text

    from backbone.cli.commands.symbols import STYLES, SYMBOLS
    from backbone.cli.show.text import folded

    for finding in sorted(findings, key=lambda each: -each.status.severity):
        state = str(finding.status)
        line = Text().append(f"{SYMBOLS[state]} {state}", style=STYLES[state])
        line.append(f"  {folded(finding.message)}")
        console.print(line)
    if not findings:
        well = Text().append(f"{SYMBOLS['ok']} ok", style=STYLES["ok"])
        console.print(well.append(f"  {folded(profile)} settings, nothing to say"))
