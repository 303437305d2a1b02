"""The actor that owns the store: one connection to it, bounded concurrency, and its health."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import anyio
from msgspec.structs import replace

from actors import Actor, Message, Reject, StopReason, handles
from backbone.calls import REFUSABLE, refuse
from backbone.domain.advice import INSTEAD
from backbone.domain.observing import Observe
from backbone.store.errors import StoreBusy, StoreUnavailable, UnknownOutcome
from backbone.store.lanes import Lanes
from backbone.store.messages import OutboxGrew, StoreQuestion
from backbone.store.port import Store
from backbone.store.query_messages import RunStatement
from backbone.store.records import StoreInfo, WriteResult

__all__ = ["StoreActor"]

_OPEN_TIMEOUT = 30.0
_CLOSE_TIMEOUT = 5.0
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
        observe: told of each request; None: nobody watches.
        insecure: what about the way to the store others could listen to; it is part of all that is said. Or None.
    """

    def __init__(
        self,
        make: Callable[[], Store],
        embedded: str | None = None,
        start_timeout: float = 0.0,
        observe: Observe | None = None,
        insecure: str | None = None,
    ) -> None:
        self._make = make
        self._start_timeout = start_timeout
        self._pause = 0.0
        self._busy = self._looking = False
        self._embedded = embedded
        self._observe = observe
        self._insecure = insecure
        self._store: Store
        self._lanes = Lanes()
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
        self._say("failed", str(error), following, "start the server; `backbone services up` does")

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
            self._say("degraded", degraded, "everything works meanwhile", "what the reason says")
        elif self._embedded is not None:
            text = f"embedded DuckDB: {self._embedded}"
            self._say("degraded", text, "everything works within this one process", INSTEAD["store"])
        elif self._insecure is not None:
            self._say("degraded", "", "everything works meanwhile", "use verified TLS, and leave store.insecure out")
        else:
            self.context.report_health("ok")

    def _say(self, level: Literal["degraded", "failed"], why: str, following: str, action: str) -> None:
        text = "; ".join(filter(None, (self._insecure, why)))
        self.context.report_health(level, text, following, action)

    @handles
    def serve(self, request: StoreQuestion) -> None:
        """Answer from a task of its own, where it waits for its turn, so that the mailbox goes on."""
        self._lanes.join(request)
        reply = self.context.defer_reply()
        self.context.run_task(self._observed(request), name=type(request).__name__, reply=reply)

    async def _observed(self, request: StoreQuestion) -> object:
        began, outcome = self.context.clock.time(), "failed"
        try:
            async with self._lanes.turn(request):
                result = await self._answer(request)
            outcome = "ok"
        except Reject as reject:
            outcome = f"refused:{reject.code}"
            raise
        finally:
            if self._observe is not None:
                self._observe(type(request).__name__, self.context.clock.time() - began, outcome)
        return result

    async def _answer(self, request: StoreQuestion) -> object:
        """Ask the store, and take note of how it is.

        Raises:
            Reject: the store refuses, or is down.
        """
        result: object
        try:
            result = await request.on(self._store)
        except StoreBusy as error:
            if not isinstance(request, RunStatement):  # one that was stopped says nothing of the store
                self._report_busy(error)
            raise refuse(error) from error
        except (StoreUnavailable, UnknownOutcome) as error:
            self._went_down(error)
            raise self._refusal(error) from error
        except REFUSABLE as error:
            raise refuse(error) from error
        if isinstance(result, WriteResult):
            result = self._told_of(result)
        if self._pause:
            self._look_at_once()  # it may be a success from before the outage
        elif self._busy:
            self._came_back()
        return result

    def _told_of(self, result: WriteResult) -> WriteResult:
        """Give what a commit publishes to the relay; who has written it need not carry it about."""
        if result.outbox_rows:
            told = {"position": result.position, "outbox": result.outbox, "after": result.after}
            self.context.system.publish(OutboxGrew, self.context.ref.path, **told)
        return replace(result, outbox=(), after=None) if result.outbox else result

    def _look_at_once(self) -> None:
        if not self._looking:
            self._looking = True
            self.context.send_after(0.0, Recover(), key="recover")

    def _report_busy(self, error: StoreBusy) -> None:
        """It answers, if only others: that is less than failed."""
        if not self._pause:
            self._busy = True
            following = "goes on with other requests; this one was refused, nothing of it was written"
            self._say("degraded", f"busy: {error}", following, "ask for less at a time, or later")

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
        self._say("failed", why, following, "start or mend the server; nothing else has to be done")

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
