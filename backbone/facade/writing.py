"""How the facade writes: a request whose actor dies over it is asked again, since the store knows what it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import anyio
import msgspec

from actors import ActorDead, ActorError, AskRejected, AskTimeout, ChildNotFound, MailboxFull
from backbone.cache.messages import WarmWindows
from backbone.calls import Calls, restore
from backbone.domain import Dimension, Frame
from backbone.domain.errors import BackboneClosed
from backbone.domain.identifiers import new_run_id
from backbone.facade.newest import Newest
from backbone.facade.reading import Reader
from backbone.facade.spelling import Ask
from backbone.facade.unanswered import Unanswered
from backbone.ingest.messages import RecordResult, RecordRows, RunIngest
from backbone.ingest.plan import IngestPlan, IngestRun
from backbone.settings import Settings
from backbone.store.errors import StoreBusy, StoreUnavailable
from backbone.store.messages import ReadReached

__all__ = ["Writer"]

R = TypeVar("R")

_RECORD_TIMEOUT = 60.0
_RUN_TIMEOUT = 24 * 3600.0  # a run has deadlines of its own for every chunk
_RETRY_PAUSE = 0.02
_ALL_IN = (
    "the rows of this call are in; only up to where they are published the store did not say, so that a fetch might be "
    "older than they are: make the same call again, which does no harm"
)


class Writer:
    """Gives rows to ingest, and tells the reader up to where they are published.

    Args:
        settings: how often a run is begun again.
        calls: where ingest is.
        ask: asks an actor on behalf of the caller.
        reader: is not to serve anything older than what was written.
        still_open: raises where the backbone was left.
    """

    def __init__(
        self, settings: Settings, calls: Calls, ask: Ask, reader: Reader, still_open: Callable[[], None]
    ) -> None:
        self.settings = settings
        self._calls = calls
        self._ask = ask
        self._reader = reader
        self._still_open = still_open
        self._newest = Newest(self._newest_stored)
        self._unanswered = Unanswered(settings.ingest)

    async def ingest(self, plan: IngestPlan) -> IngestRun:
        """See Backbone.ingest."""
        request = RunIngest(plan, new_run_id())
        run = await self._persistently(lambda: self._calls.ref("ingest").ask(request, _RUN_TIMEOUT))
        await self.ingested(run)
        return run

    async def ingested(self, run: IngestRun) -> None:
        """A run has ended: what is fetched from now on is not older; cached windows are brought up to it."""
        known = await self._known() if run.unchanged else 0
        self._reader.ingested(run.dimension)
        for symbol in run.symbols:
            self._reader.saw(run.dimension, symbol, max(known, run.positions.get(symbol, 0)))
        if run.positions:
            with suppress(ActorError):  # a cache that is being restarted has nothing to be warmed
                await self._calls.ref("cache").tell(WarmWindows({run.dimension: dict(run.positions)}))

    def recorded(self, dimension: Dimension, symbols: Sequence[str], position: int) -> None:
        """Rows went in on behalf of this backbone: what is fetched from now on is not older."""
        self._reader.ingested(dimension)
        for symbol in symbols:
            self._reader.saw(dimension, symbol, position)

    async def record(self, frame: Frame) -> RecordResult:
        """See Backbone.record."""
        if not frame.num_rows:
            return RecordResult()
        size, request = self._unanswered.take(frame), RecordRows(frame)
        try:
            return await self._record(request, frame)
        finally:
            request.take_back()
            self._unanswered.leave(frame, size)

    async def _record(self, request: RecordRows, frame: Frame) -> RecordResult:
        asked = 0

        async def ask() -> RecordResult:
            nonlocal asked
            asked += 1
            return await self._calls.ref("ingest").ask(request, _RECORD_TIMEOUT)

        result = await self._persistently(ask)
        if asked > 1 and not result.position:
            # committed by an actor that died before it could say where: not older than the newest there is now
            result = msgspec.structs.replace(result, position=await self._newest.position())
        position = result.position or (await self._known() if result.unchanged else 0)
        for symbol in frame.symbols:
            self._reader.saw(frame.dimension, symbol, position)
        self._reader.wrote(frame)
        return result

    async def _known(self) -> int:
        """Up to where rows are published at most that were stored already; a file has no other writer to tell of."""
        if self.settings.store.backend == "duckdb":
            return 0
        return await self._newest.position()

    async def _newest_stored(self) -> int:
        try:
            return (await self._ask("store", ReadReached())).newest
        except StoreUnavailable as error:
            raise StoreUnavailable(_ALL_IN) from error

    async def _persistently(self, ask: Callable[[], Awaitable[R]]) -> R:
        """Ask again where the actor died over the request: what it had committed is known by its identity."""
        for attempt in range(self.settings.ingest.retries):
            try:
                return await self._refusable(ask)
            except (ActorDead, ChildNotFound):
                self._require_open()
                await anyio.sleep(_RETRY_PAUSE * 2**attempt)  # it may be the supervisor that restarts
        return await self._refusable(ask)

    def _require_open(self) -> None:
        """Refuse where nobody comes back; the store finishes what it is writing."""
        try:
            self._still_open()
        except BackboneClosed as error:
            raise BackboneClosed(f"{error}; the rows may be in: the same call again does no harm") from None

    async def _refusable(self, ask: Callable[[], Awaitable[R]]) -> R:
        try:
            return await ask()
        except AskRejected as error:
            raise restore(error) from None
        except (AskTimeout, MailboxFull) as error:
            raise StoreBusy(f"{error}; the rows may still go in: the same call again does no harm") from error
