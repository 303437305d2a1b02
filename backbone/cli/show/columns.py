"""What was made of the columns of a file, on the page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbone.cli.show.page import heading, wrapped

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.ingest.plan import IngestRun

__all__ = ["draw_columns"]

_SHOWN = 30


def draw_columns(console: Console, done: IngestRun) -> None:
    """The file's dialect, which column became what, which were ignored and why; nothing where none was read."""
    if not done.columns and not done.notes:
        return
    heading(console, "Columns", done.dialect and f"as {done.dialect}")
    wrapped(console, "read", "green", ", ".join(f"{theirs} as {ours}" for theirs, ours in done.columns.items()))
    for name, reason in list(done.ignored.items())[:_SHOWN]:
        wrapped(console, "ignored", "dim", f"{name}: {reason}")
    if len(done.ignored) > _SHOWN:
        wrapped(console, "ignored", "dim", f"{len(done.ignored) - _SHOWN} more, in the report")
    for note in done.notes:
        wrapped(console, "note", "yellow", note)
