"""What all symbols depend on: the kill switch, the store, the stream and how far it is behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from actors import ActorError, AskRejected, ChildNotFound
from backbone.calls import Calls
from backbone.files import is_there
from backbone.operations.gate.verdict import GateLevel, Reason, reason
from backbone.settings import Settings
from backbone.store.messages import OutboxState
from backbone.store.records import OutboxStatus
from backbone.stream.child import sink_of
from backbone.stream.last import Newest

__all__ = ["Surroundings"]

_RELAY, _LAST = "stream/relay", "stream/last"


class Surroundings:
    """Looks, each time within the silence that the settings allow.

    Args:
        settings: the sections `gate` and `stream`, and the kill switch.
        calls: where the parts are.
        newest: up to where changes came by on the stream.
        time: monotonic seconds.
        now: the wall clock.
    """

    def __init__(
        self, settings: Settings, calls: Calls, newest: Newest, time: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self.settings = settings
        self._calls = calls
        self._newest = newest
        self._time = time
        self._now = now
        self._sink = sink_of(settings)
        self._awaited: tuple[int, float] | None = None  # a position that was published, and since when it is to come by

    async def look(self) -> list[Reason]:
        """What speaks against trading on anything."""
        found = self._switch()
        status, why = await self._state()
        found += self._store(why)
        found += self._stream()
        if status is not None:
            found += self._lag(status)
        return found

    def _switch(self) -> list[Reason]:
        path = self.settings.kill_switch
        if not is_there(path):
            return []
        return [Reason(GateLevel.BLOCKED, "kill_switch", f"the kill switch {path} is there; remove the file to go on")]

    async def _state(self) -> tuple[OutboxStatus | None, str]:
        """How far the outbox is published; or why the store does not say."""
        silence = self.settings.gate.silence
        try:
            return await self._calls.ref("store").ask(OutboxState(self._sink), silence), ""
        except AskRejected as error:
            return None, error.text
        except ActorError:
            return None, f"it has not answered within {silence:g} s"

    def _store(self, why: str) -> list[Reason]:
        text = self._failing("store") or why
        return reason(self.settings.gate.store_down, "store", text) if text else []

    def _stream(self) -> list[Reason]:
        why = self._failing(_RELAY) or self._failing(_LAST, also="degraded")
        return [] if why is None else reason(self.settings.gate.stream_down, "stream", why)

    def _failing(self, name: str, also: str = "failed") -> str | None:
        """Why a part does not do its work, as it says itself; None: it does."""
        try:
            ref = self._calls.ref(name)
        except ChildNotFound:
            return f"{name} is being restarted"
        if not ref.is_alive:
            return f"{name} is being restarted"
        health = ref.health
        return health.why or f"{name} is {health.level}" if health.level in ("failed", also) else None

    def _lag(self, status: OutboxStatus) -> list[Reason]:
        limit, since = self.settings.gate.lag, status.oldest_pending_at
        rule = self.settings.gate.lagging
        if since is not None and (self._now() - since).total_seconds() > limit:
            text = f"a change of {since:%Y-%m-%dT%H:%M:%S.%fZ} is not published yet; allowed are {limit:g} s"
            return reason(rule, "lag", text)
        if self._awaits(status.cursor) > limit:
            text = f"changes were published that did not come by on the stream within {limit:g} s"
            return reason(rule, "lag", text)
        return []

    def _awaits(self, published: int) -> float:
        """For how many seconds a change has been published that did not come by here."""
        place = self._newest.place
        if place is None:
            return 0.0  # nobody follows: what follows says so itself
        if self._awaited is not None and (place.position >= self._awaited[0] or published < self._awaited[0]):
            self._awaited = None  # it came by, or the database was set back to before it
        if self._awaited is None and published > place.position:
            self._awaited = (published, self._time())
        return 0.0 if self._awaited is None else self._time() - self._awaited[1]
