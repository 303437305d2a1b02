"""What a backbone does about rows that are missing, doubtful or in question: fill gaps, judge again, explain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from actors import ActorSystem, Request
from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.facade.explaining import Explaining
from backbone.facade.quarantine import Quarantine
from backbone.facade.reading import Reader
from backbone.facade.why_report import WhyReport
from backbone.facade.writing import Writer
from backbone.ingest.backfill_messages import BackfillProgress, BackfillReport, BackfillRequest
from backbone.settings import Settings
from backbone.store.errors import StoreBusy
from backbone.store.records import QuarantineRow, WriteResult

__all__ = ["Mending"]

R = TypeVar("R")


class Mending:
    """Part of a Backbone."""

    settings: Settings
    system: ActorSystem
    _writer: Writer
    _reader: Reader

    if TYPE_CHECKING:

        @property
        def path(self) -> str:
            """Where it stands in the actor tree."""
            ...

        def _open(self) -> None: ...

        async def _ask(self, name: str, request: Request[R], timeout: float = ..., /) -> R: ...

    async def backfill(
        self,
        dimension: Dimension | str,
        *,
        source: str,
        symbols: Sequence[str] = (),
        interval: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        path: str | Path | None = None,
        dry_run: bool = False,
    ) -> BackfillReport:
        """Find what calendars say is missing, and ask a source for it, piece by piece; a killed one goes on.

        Progress is published as `BackfillProgress`. A piece that the source refuses is reported, and the others are
        filled all the same; after `backfill.failures` of them in a row the rest is left for another time.

        Args:
            dimension: or one of its aliases; of macro events no gaps can be told.
            source: a provider, or "csv" or "parquet" with a path.
            symbols: empty: all that are stored. One that is not needs a start.
            interval: of intraday bars only these.
            start: from this moment on, with a time zone; None: the earliest row of each series.
            end: up to this moment; None: now, but for bars and sessions that are still under way.
            path: the file, for sources that read files.
            dry_run: only say what is missing.

        Raises:
            TypeError, ValueError: an argument is wrong, or a symbol is not stored and there is no start.
            StoreBusy: another backfill of this backbone is under way.
            StoreUnavailable: the store does not answer; the same call again goes on.
        """
        from backbone.ingest.backfill import Backfill

        self._open()
        request = BackfillRequest(
            dimension=dimension,
            source=source,
            symbols=symbols,
            interval=interval,
            start=start,
            end=end,
            path=path,
            dry_run=dry_run,
        )
        if self._one_backfill.locked():
            raise StoreBusy("another backfill of this backbone is under way; try again when it has ended")
        clock = self.system.clock
        async with self._one_backfill:
            backfill = Backfill(
                request,
                lambda question: self._ask("store", question),
                self._writer.ingest,
                self.settings,
                clock.now,
                clock.time,
                lambda fields: self.system.publish(BackfillProgress, self.path, **fields),
            )
            return await backfill.carry_out()

    async def why(self, symbol: str, ts: datetime, *, dimension: Dimension | str | None = None) -> WhyReport:
        """How the rows of a symbol at a moment came to be as they are.

        Source, chunk and run of each version, the change that published it, what the cache gives a reader, what was
        mended, and bad rows near by that were kept aside.

        Args:
            symbol: or calendar, whatever its case.
            ts: the moment, with a time zone; of bars any moment that they last.
            dimension: or one of its aliases; None: all that have a row there.

        Raises:
            TypeError, ValueError: an argument is wrong.
            StoreUnavailable: the store does not answer.
        """
        self._open()
        of = None if dimension is None else Dimension.parse(dimension)
        at = arguments.instance("ts", arguments.moment("ts", ts), datetime)
        return await self._explaining.why(arguments.text("symbol", symbol), at, of)

    @cached_property
    def quarantine(self) -> Quarantine:
        """Bad rows that were kept aside: `list`, `replay` and `drop`."""
        return Quarantine(self._ask, self.settings, self._wrote)

    async def quarantined(self, limit: int = 100, *, skip: int = 0) -> list[QuarantineRow]:
        """The newest bad rows, with their reasons; at most 10,000, of which `skip` more are newer."""
        return await self.quarantine.list(limit, skip=skip)

    def _wrote(self, result: WriteResult) -> None:
        """Rows that went in after all: no fetch is older than they are."""
        for symbol in result.symbols:
            self._reader.saw(result.dimension, symbol, result.position)

    @cached_property
    def _explaining(self) -> Explaining:
        return Explaining(self._ask, self.settings)

    def _mending_answers(self) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[bytes]]]:
        """What the control socket answers, by command."""
        return {"why": self._explaining.answer, **self.quarantine.answers()}

    @cached_property
    def _one_backfill(self) -> anyio.Lock:
        return anyio.Lock(fast_acquire=True)
