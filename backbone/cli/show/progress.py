"""Progress of an ingest on stderr: a bar on a terminal, a line now and then elsewhere, nothing where quiet."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from backbone.cli.failures import say
from backbone.cli.show.output import console
from backbone.cli.show.text import count

if TYPE_CHECKING:
    from backbone.facade.backbone import Backbone
    from backbone.ingest.messages import IngestProgress

__all__ = ["following"]

_EVERY = 2.0  # seconds between two lines

See = Callable[["IngestProgress"], None]


@contextmanager
def following(backbone: Backbone, title: str, *, quiet: bool, no_color: bool) -> Iterator[None]:
    """Show how far every ingest run is, as the ingest actor reports it; where it is stopped, what is in."""
    if quiet:
        yield
        return
    last: IngestProgress | None = None
    try:
        animated = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        with _bar(title, no_color=no_color) if animated else _lines(title) as show:
            from backbone.ingest.messages import IngestProgress

            def see(event: IngestProgress) -> None:
                nonlocal last
                last = event
                show(event)

            backbone.system.events.sink(lambda kind: issubclass(kind, IngestProgress), see)
            yield
    except asyncio.CancelledError:
        say(f"{title}: {_what_is_in(last)}")
        raise


def _what_is_in(last: IngestProgress | None) -> str:
    """What an interruption leaves; a chunk may be on its way into the store while this is said."""
    if last is None:
        return "stopped before its first rows were in; the same command begins anew"
    rows = ", ".join(filter(None, (f"at least {count(last.rows_committed)} rows are in the store", _share(last))))
    return f"stopped; {rows}; they stay, and the same command goes on from there"


@contextmanager
def _bar(title: str, *, no_color: bool) -> Iterator[See]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console(sys.stderr, no_color=no_color), transient=True) as progress:
        task = progress.add_task(title, total=None, rows="0 rows")

        def see(event: IngestProgress) -> None:
            total = event.bytes_total or None
            progress.update(task, completed=event.bytes_read, total=total, rows=_rows(event))

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
    say(f"{title}: {_counts(event)}")


def _rows(event: IngestProgress) -> str:
    known = f", {count(event.rows_known)} known" if event.rows_known else ""
    return f"{count(event.rows_committed)} rows{known}"


def _counts(event: IngestProgress) -> str:
    """Rows read and what became of them so far, and the share of the file."""
    fresh = event.rows_committed - event.rows_known
    parts = [f"{count(event.rows_read)} rows read"]
    parts += [f"{count(fresh)} committed"] if fresh or not event.rows_known else []
    parts += [f"{count(event.rows_known)} known"] if event.rows_known else []
    return ", ".join(filter(None, (*parts, _share(event))))


def _share(event: IngestProgress) -> str:
    return f"{event.bytes_read / event.bytes_total:.0%} of the {event.of}" if event.bytes_total else ""
