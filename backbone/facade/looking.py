"""What a backbone says of itself: to its own process, and to others by the control socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from actors import ActorSystem, RosterSnapshot
from backbone.cache.messages import ProbeCache
from backbone.calls import Calls
from backbone.facade.tree import stand_ins
from backbone.operations.probes.connectivity import ConnectivityReport, probe_all
from backbone.settings import Settings, redact_mapping
from backbone.settings.transport import insecure_parts
from backbone.store.messages import ProbeStore
from backbone.stream.messages import ProbeStream

__all__ = ["Looking"]


class Looking:
    """Reads the roster and asks the parts."""

    def __init__(self, settings: Settings, system: ActorSystem, calls: Calls) -> None:
        self.settings = settings
        self._system = system
        self._calls = calls

    def roster(self) -> RosterSnapshot:
        """What runs now, read without a message to anybody."""
        return self._system.roster(detail=True)

    async def connectivity(self) -> ConnectivityReport:
        """A round trip through store, cache and stream, all at once."""
        ref, timeout = self._calls.ref, self.settings.supervision.ask_timeout
        return await probe_all(
            {
                "store": lambda: ref("store").ask(ProbeStore(), timeout),
                "cache": lambda: ref("cache").ask(ProbeCache(), timeout),
                "stream": lambda: ref("stream/relay").ask(ProbeStream(), timeout),
            },
            embedded=stand_ins(self.settings),
            clock=self._system.clock.time,
            timeout=timeout,
            insecure=insecure_parts(self.settings),
            facts={"stream": {"consuming": "on" if self.settings.stream.consume else "off"}},
            settings_hash=self.settings.hash,
        )

    def answers(self) -> dict[str, Callable[[], Awaitable[bytes]]]:
        """What the control socket answers, by command."""
        return {"roster": self._roster, "status": self._status}

    async def _roster(self) -> bytes:
        return _redacted(self.roster().to_json())

    async def _status(self) -> bytes:
        report = await self.connectivity()
        connectivity = msgspec.to_builtins(report, enc_hook=str)
        roster = msgspec.Raw(self.roster().to_json())
        return _redacted(msgspec.json.encode({"connectivity": connectivity, "roster": roster}))


def _redacted(answer: bytes) -> bytes:
    """Errors of sources and adapters may quote anything, and whoever asks by the socket is another program."""
    return msgspec.json.encode(redact_mapping(msgspec.json.decode(answer)))
