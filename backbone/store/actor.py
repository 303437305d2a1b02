"""The actor that owns the store: one connection to it, bounded concurrency, and its health."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from actors import Actor, Message, Reject, StopReason, handles
from backbone.calls import REFUSABLE, refuse
from backbone.domain.advice import INSTEAD
from backbone.store.errors import StoreBusy, StoreUnavailable, UnknownOutcome
from backbone.store.messages import (
    AdvanceRelay,
    ClaimEpoch,
    DropRows,
    MigrateStore,
    OutboxGrew,
    OutboxState,
    ProbeStore,
    PruneStore,
    QuarantineRows,
    ReadCoverage,
    ReadJournal,
    ReadOutbox,
    ReadQuarantine,
    ReadRows,
    ReadStamps,
    ReadSymbols,
    RecordJournal,
    RelayCursor,
    WriteChunk,
)
from backbone.store.port import Store
from backbone.store.records import Chunk, StoreInfo, WriteResult

__all__ = ["StoreActor"]

_OPEN_TIMEOUT = 30.0
_CLOSE_TIMEOUT = 5.0
_IN_FLIGHT = 8  # requests at work at once: reads do not queue behind a long write, and nobody swamps the store
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


class Recover(Message, frozen=True):
    """Time to look whether the store is back."""


class StoreActor(Actor):
    """Serves all requests to the store.

    Args:
        make: makes the adapter; each incarnation opens a fresh one.
        embedded: why this store is less than a real one, or None.
        start_timeout: seconds for which the first incarnation waits for a server that is not up yet. A later one does
            not wait: it runs, says that its store is down, and goes on looking.
    """

    def __init__(self, make: Callable[[], Store], embedded: str | None = None, start_timeout: float = 0.0) -> None:
        self._make = make
        self._start_timeout = start_timeout
        self._pause = 0.0
        self._busy = self._looking = False
        self._embedded = embedded
        self._store: Store
        self._slots = anyio.Semaphore(_IN_FLIGHT, fast_acquire=True)
        self._info: StoreInfo | None = None

    async def on_start(self) -> None:
        """Open, migrate, prove a round trip."""
        try:
            await (self._wait_for() if self.context.ref.incarnation == 1 else self._open())
        except (StoreUnavailable, UnknownOutcome, TimeoutError) as error:
            if self.context.ref.incarnation == 1:
                raise
            self._went_down(error)
        else:
            self._report_ok()

    async def _wait_for(self) -> None:
        """Open, as often as it takes a server to come up, and as long as only waiting can help."""
        until = self.context.clock.time() + self._start_timeout
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._open()
            except StoreUnavailable as error:
                left = until - self.context.clock.time()
                if not error.passing or left <= 0:
                    raise
                self._report_waiting(error)
            await anyio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _report_waiting(self, error: StoreUnavailable) -> None:
        if self.context.health.level != "failed":
            self.context.log.warning("the store is not up yet", why=str(error), waits_s=self._start_timeout)
        following = f"waits for it for {self._start_timeout:g} s, then gives up; store.start_timeout says how long"
        self.context.report_health("failed", str(error), following, "start the server; `backbone services up` does")

    async def _open(self) -> None:
        """A fresh adapter, opened; one that does not open is closed again."""
        self._store = self._make()
        opened = False
        try:
            with anyio.fail_after(_OPEN_TIMEOUT):
                await self._store.open()
                await self._store.migrate()
                self._info = await self._store.probe()
            opened = True
        finally:
            if not opened:
                await self._close()

    async def _close(self) -> None:
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            await self._store.close()

    async def on_stop(self, reason: StopReason) -> None:
        """Let go of the store, within a bound."""
        await self._close()

    def inspect(self) -> dict[str, Any]:
        """Backend, version and place of the store."""
        info = self._info
        return {} if info is None else {"backend": info.backend, "version": info.version, "path": info.path}

    def _report_ok(self) -> None:
        degraded = self._info.degraded_reason if self._info is not None else None
        if degraded is not None:
            self.context.report_health("degraded", degraded, "everything works meanwhile", "what the reason says")
        elif self._embedded is None:
            self.context.report_health("ok")
        else:
            self.context.report_health(
                "degraded",
                f"embedded DuckDB: {self._embedded}",
                "everything works within this one process",
                INSTEAD["store"],
            )

    async def _serve(self, name: str, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Answer the current request from a task of its own, so that the mailbox goes on."""
        await self._slots.acquire()
        reply = self.context.defer_reply()
        self.context.run_task(self._guarded(work), name=name, reply=reply)

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        try:
            result = await work()
        except StoreBusy as error:
            self._report_busy(error)
            raise refuse(error) from error
        except (StoreUnavailable, UnknownOutcome) as error:
            self._went_down(error)
            raise self._refusal(error) from error
        except REFUSABLE as error:
            raise refuse(error) from error
        finally:
            self._slots.release()
        if self._pause:
            self._look_at_once()  # it may be a success from before the outage
        elif self._busy:
            self._came_back()
        return result

    def _look_at_once(self) -> None:
        if not self._looking:
            self._looking = True
            self.context.send_after(0.0, Recover(), key="recover")

    def _report_busy(self, error: StoreBusy) -> None:
        """It answers, if only others: that is less than failed."""
        if not self._pause:
            self._busy = True
            following = "goes on with other requests; this one was refused, nothing of it was written"
            self.context.report_health("degraded", f"busy: {error}", following, "ask for less at a time, or later")

    def _went_down(self, error: Exception) -> None:
        """Say so, and look again soon, ever less often up to every two seconds.

        While it is down, only `recover` says why: requests meet a store that is closed and being opened again.
        """
        if self._pause == 0.0:
            self._pause = _FIRST_PAUSE
            self.context.send_after(self._pause, Recover(), key="recover")
            self._report_failed(error)

    def _refusal(self, error: StoreUnavailable | UnknownOutcome) -> Reject:
        """Why the store is down, not that it is closed meanwhile; of an unknown outcome its own words."""
        if isinstance(error, UnknownOutcome):
            return refuse(error)
        return Reject("unavailable", self.context.health.why)

    def _report_failed(self, error: Exception) -> None:
        why = str(error) or f"no answer within {_OPEN_TIMEOUT:g} s"
        following = "looks again at least every 2 s; requests are refused meanwhile, the cache serves what it has"
        self.context.report_health("failed", why, following, "start or mend the server; nothing else has to be done")

    def _came_back(self) -> None:
        self._pause, self._busy = 0.0, False
        self.context.cancel_timer("recover")
        self._report_ok()

    @handles
    async def recover(self, message: Recover) -> None:
        """Ask the store whether it works; where it does not, open it anew."""
        self._looking = False
        try:
            await self._look()
        except (StoreUnavailable, UnknownOutcome, TimeoutError) as error:
            self._report_failed(error)
            self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            self.context.log.info("store still down", why=str(error), next_look_in_s=self._pause)
            self.context.send_after(self._pause, Recover(), key="recover")
        else:
            self._came_back()

    async def _look(self) -> None:
        try:
            with anyio.fail_after(_OPEN_TIMEOUT):
                self._info = await self._store.probe()
        except (StoreUnavailable, UnknownOutcome, TimeoutError):
            if self._pause <= _FIRST_PAUSE:
                raise
            await self._close()
            await self._open()

    async def _write(self, chunk: Chunk) -> WriteResult:
        result = await self._store.write(chunk)
        if result.outbox_rows:
            self.context.system.publish(OutboxGrew, self.context.ref.path, position=result.position)
        return result

    @handles
    async def claim_epoch(self, message: ClaimEpoch) -> None:
        """See ClaimEpoch."""
        await self._serve("claim", lambda: self._store.claim_epoch(message.source, message.dimension))

    @handles
    async def write(self, message: WriteChunk) -> None:
        """See WriteChunk."""
        await self._serve("write", lambda: self._write(message.chunk))

    @handles
    async def quarantine(self, message: QuarantineRows) -> None:
        """See QuarantineRows."""
        await self._serve("quarantine", lambda: self._store.quarantine(message.rows))

    @handles
    async def record_journal(self, message: RecordJournal) -> None:
        """See RecordJournal."""
        await self._serve("journal", lambda: self._store.record_journal(message.row))

    @handles
    async def read_outbox(self, message: ReadOutbox) -> None:
        """See ReadOutbox."""
        await self._serve("outbox", lambda: self._store.read_outbox(message.after, message.limit))

    @handles
    async def relay_cursor(self, message: RelayCursor) -> None:
        """See RelayCursor."""
        await self._serve("cursor", lambda: self._store.relay_cursor())

    @handles
    async def advance_relay(self, message: AdvanceRelay) -> None:
        """See AdvanceRelay."""
        await self._serve("advance", lambda: self._store.advance_relay(message.position))

    @handles
    async def read(self, message: ReadRows) -> None:
        """See ReadRows."""
        await self._serve("read", lambda: self._store.read(message.query))

    @handles
    async def probe(self, message: ProbeStore) -> None:
        """See ProbeStore."""
        await self._serve("probe", lambda: self._store.probe())

    @handles
    async def migrate(self, message: MigrateStore) -> None:
        """See MigrateStore."""
        await self._serve("migrate", lambda: self._store.migrate(dry_run=message.dry_run))

    @handles
    async def outbox_state(self, message: OutboxState) -> None:
        """See OutboxState."""
        await self._serve("outbox-state", lambda: self._store.outbox_status())

    @handles
    async def read_journal(self, message: ReadJournal) -> None:
        """See ReadJournal."""
        await self._serve("journal", lambda: self._store.journal(message.limit, message.dimension))

    @handles
    async def read_quarantine(self, message: ReadQuarantine) -> None:
        """See ReadQuarantine."""
        await self._serve("quarantine", lambda: self._store.quarantined(message.limit))

    @handles
    async def read_symbols(self, message: ReadSymbols) -> None:
        """See ReadSymbols."""
        await self._serve("symbols", lambda: self._store.symbols(message.dimension))

    @handles
    async def read_coverage(self, message: ReadCoverage) -> None:
        """See ReadCoverage."""
        await self._serve("coverage", lambda: self._store.coverage(message.dimension, message.as_of))

    @handles
    async def read_stamps(self, message: ReadStamps) -> None:
        """See ReadStamps."""
        await self._serve("stamps", lambda: self._stamps(message))

    @handles
    async def drop(self, message: DropRows) -> None:
        """See DropRows."""
        dimension, before = message.dimension, message.before
        await self._serve("drop", lambda: self._store.drop(dimension, before=before, dry_run=message.dry_run))

    @handles
    async def prune(self, message: PruneStore) -> None:
        """See PruneStore."""
        await self._serve("prune", lambda: self._prune(message))

    async def _prune(self, message: PruneStore) -> Any:
        return await self._store.prune(
            outbox_before=message.outbox_before,
            quarantine_before=message.quarantine_before,
            dry_run=message.dry_run,
        )

    async def _stamps(self, message: ReadStamps) -> Any:
        dimension, symbol, interval = message.dimension, message.symbol, message.interval
        return await self._store.stamps(dimension, symbol, interval, message.start, message.end)
