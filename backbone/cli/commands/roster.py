"""`backbone roster`: the supervision tree of the running backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbone.cli.exits import DONE
from backbone.cli.options import COMMON, Common, Format, Output, prepare

if TYPE_CHECKING:
    from rich.console import Console

    from actors import RosterSnapshot

__all__ = ["roster"]


def roster(*, how: Format = "human", output: Output = None, common: Common = COMMON) -> int:
    """Every actor of the running backbone: its state, restarts, queue, work done, age, and why it is not well.

    Exits 4 where no backbone runs with these settings.

    Args:
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from actors import RosterSnapshot
    from backbone.cli.process.asking import answer
    from backbone.cli.show.output import page, write, write_json

    snapshot, found = answer(settings, "roster", RosterSnapshot)
    if how == "json":
        write_json(found, output)
    elif how == "markdown":
        write(_markdown(snapshot), output)
    else:
        page(lambda console: _draw(console, snapshot), output, no_color=common.no_color)
    return DONE


def _markdown(snapshot: RosterSnapshot) -> str:
    from backbone.domain.report import cell, markdown_table

    names = ("path", "kind", "state", "restarts", "mailbox_depth", "handled", "failed", "last_error")
    rows = [[*(getattr(each, name) for name in names), each.health.level, each.health.why] for each in snapshot.entries]
    table = markdown_table((*names, "health", "why"), rows)
    return f"# Roster\n\n- system: {cell(snapshot.system)}\n- captured at: {cell(snapshot.captured_at)}\n\n{table}"


def _draw(console: Console, snapshot: RosterSnapshot) -> None:
    from rich.text import Text

    from backbone.cli.show.roster import draw_tree
    from backbone.cli.show.text import one_line

    draw_tree(console, snapshot)
    console.print()
    facts = f"orphans {len(snapshot.orphans)} · dead letters {snapshot.dead_letters}"
    console.print(Text(f"{facts} · loop lag {snapshot.loop_lag_s * 1000:.1f} ms", style="dim"))
    for orphan in snapshot.orphans:
        console.print(Text(f"✗ orphan {one_line(orphan)}", style="bold red"))
    for cycle in snapshot.deadlocks:
        console.print(Text(f"✗ deadlock {one_line(' → '.join(cycle))}", style="bold red"))
