"""`backbone subscribe`: committed changes as they come, for people, for another program, or into a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
from cyclopts import Parameter

from backbone.cli.exits import DONE
from backbone.cli.failures import UsageError, note
from backbone.cli.options import COMMON, Common, Limit, Output, newest, prepare, symbols_of

if TYPE_CHECKING:
    from backbone.cli.process.pulling import Batch, Wanted
    from backbone.cli.show.updates import Sink
    from backbone.domain.dimension import Dimension
    from backbone.settings import Settings

__all__ = ["subscribe"]

_ENDINGS = (".arrow", ".arrows")

Shape = Annotated[Literal["human", "json"] | None, Parameter(name="--format")]
Seconds = Annotated[float | None, Parameter(name="--for")]


def subscribe(
    dimension: str,
    *symbols: str,
    start: str = "latest",
    how: Shape = None,
    output: Output = None,
    limit: Annotated[int | None, Limit] = None,
    seconds: Seconds = None,
    common: Common = COMMON,
) -> int:
    """Committed changes as they come, in order for each symbol: a table that grows, JSON lines, or an Arrow file.

    They come from the running backbone. Where none runs and the stream is Kafka, they are read from its topics; a
    stream that lives in the process of a backbone can't be read without one (exit 4).

    Args:
        dimension: daily_bars, intraday_bars, trades, quotes, order_book, macro_events.
        symbols: only these; all unless some are named.
        start: latest, earliest, or the resume token of the last change that was dealt with.
        how: human, a line a row; or json, a line a change with its resume token.
        output: an Arrow file instead of stdout: NAME.arrow is there when it ends, NAME.arrows is a stream that grows.
        limit: end after so many changes.
        seconds: end after so many seconds.
        common: the options that all commands share.
    """
    from backbone.cli.plans import dimension_of

    wanted = dimension_of(dimension)
    _check(how, output, seconds)
    most = None if limit is None else newest(limit, 1, "a number of changes, 1 or more")
    settings = prepare(common)
    from backbone.cli.process.pulling import Wanted
    from backbone.cli.process.running import run

    waiting = "" if common.quiet else f"waits for changes of {wanted}; Ctrl-C ends it"
    reading = _Reading(_sink(wanted, how, output), most, math.inf if seconds is None else seconds, waiting)
    subscribed = Wanted(dimension=wanted, symbols=symbols_of(symbols), start=start)
    try:
        run(lambda: _read(settings, subscribed, reading, quiet=common.quiet))
    finally:
        reading.sink.close()
        if reading.began and not common.quiet:
            reading.tell(lines=how == "json" and output is None)
    return DONE


def _check(how: str | None, output: Path | None, seconds: float | None) -> None:
    if output is not None and how is not None:
        raise UsageError(f"--format {how} and --output given; a file is Arrow's: leave --format out")
    if output is not None and output.suffix not in _ENDINGS:
        raise UsageError(f"--output {output}: allowed are names that end in {' or '.join(_ENDINGS)}")
    if seconds is not None and not 0 < seconds < math.inf:
        raise UsageError(f"--for {seconds:g}: allowed is a number of seconds above 0")


def _sink(dimension: Dimension, how: str | None, output: Path | None) -> Sink:
    from backbone.cli.show.updates import ArrowFile, JsonLines, Lines

    if output is not None:
        return ArrowFile(output, dimension)
    return JsonLines() if how == "json" else Lines(dimension)


class _Reading:
    """Hands what comes to a sink, until there was enough of it, or for long enough."""

    def __init__(self, sink: Sink, most: int | None, seconds: float, waiting: str) -> None:
        self.sink = sink
        self.began = False
        self._most = most
        self._seconds = seconds
        self._waiting = waiting
        self._changes = 0
        self._rows = 0
        self._token = ""

    async def follow(self, batch: Batch) -> None:
        """Take batch after batch."""
        with anyio.move_on_after(self._seconds):
            while True:
                updates = await batch()
                if not self.began:
                    self._begin()
                for update in updates:
                    self.sink.take(update)
                    self._changes += 1
                    self._rows += update.frame.num_rows
                    self._token = update.resume
                    if self._changes == self._most:
                        return

    def _begin(self) -> None:
        self.began = True
        self.sink.begin()
        if self._waiting:
            note(self._waiting)

    def tell(self, *, lines: bool) -> None:
        """How much came, and how to go on from there; the lines of JSON have it."""
        how = f"; --start {self._token} goes on from there" if self._token and not lines else ""
        note(f"{self._changes:,} changes, {self._rows:,} rows{how}")


async def _read(settings: Settings, wanted: Wanted, reading: _Reading, *, quiet: bool) -> None:
    """From the running backbone; where none runs, from one that is opened here."""
    from backbone.cli.process.pulling import from_own, from_running
    from backbone.control.errors import NobodyRuns

    try:
        await from_running(settings, wanted, reading.follow)
    except NobodyRuns as error:
        if reading.began:
            raise  # it ran, and has ended: the token says where to go on
        if not quiet and settings.stream.backend != "memory":
            note(f"{error}; the topics are read from here")
        await from_own(settings, wanted, reading.follow)
