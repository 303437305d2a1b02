"""Progress of an ingest on stderr: a bar on a terminal, a line now and then elsewhere, nothing where quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from backbone.cli.failures import say
from backbone.cli.output import console
from backbone.cli.texts import count

if TYPE_CHECKING:
    from backbone.app import Backbone
    from backbone.messages import IngestProgress

__all__ = ["following"]

_EVERY = 2.0  # seconds between two lines

See = Callable[["IngestProgress"], None]


@contextmanager
def following(backbone: Backbone, title: str, *, quiet: bool, no_color: bool) -> Iterator[None]:
    """Show how far every ingest run is, as the ingest actor reports it."""
    if quiet:
        yield
        return
    with _bar(title, no_color=no_color) if sys.stderr.isatty() else _lines(title) as see:
        from backbone.messages import IngestProgress

        backbone.system.events.sink(lambda kind: issubclass(kind, IngestProgress), see)
        yield


@contextmanager
def _bar(title: str, *, no_color: bool) -> Iterator[See]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console(sys.stderr, no_color=no_color), transient=True) as progress:
        task = progress.add_task(title, total=None, rows="0")

        def see(event: IngestProgress) -> None:
            total = event.bytes_total or None
            progress.update(task, completed=event.bytes_read, total=total, rows=count(event.rows_committed))

        yield see


@contextmanager
def _lines(title: str) -> Iterator[See]:
    due = time.monotonic() + _EVERY
    unsaid: IngestProgress | None = None

    def see(event: IngestProgress) -> None:
        nonlocal due, unsaid
        unsaid = event
        if time.monotonic() >= due:
            due, unsaid = time.monotonic() + _EVERY, None
            _line(title, event)

    yield see
    if unsaid is not None:
        _line(title, unsaid)


def _line(title: str, event: IngestProgress) -> None:
    share = f", {event.bytes_read / event.bytes_total:.0%} of the file" if event.bytes_total else ""
    say(f"{title}: {count(event.rows_read)} rows read, {count(event.rows_committed)} committed{share}")
