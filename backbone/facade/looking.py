"""What a backbone says of itself: to its own process, and to others by the control socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import reduce
from typing import Annotated, Any

import anyio
import msgspec

from actors import ActorError, ActorSystem, Request, RosterSnapshot
from backbone.cache.messages import ProbeCache, ReadCacheMetrics
from backbone.cache.port import CacheMetrics
from backbone.calls import Calls
from backbone.facade.tree import stand_ins
from backbone.operations.probes.connectivity import ConnectivityReport, probe_all
from backbone.operations.probes.connectors import connectors
from backbone.operations.probes.endpoints import endpoints
from backbone.operations.probes.manifest import ConnectorsReport
from backbone.operations.telemetry.child import PATH as TELEMETRY
from backbone.operations.telemetry.desk import Desk
from backbone.operations.telemetry.messages import EnsureTelemetryTopics
from backbone.settings import Settings, redact_mapping
from backbone.settings.transport import insecure_parts
from backbone.store.messages import ProbeStore
from backbone.stream.child import TOPICS
from backbone.stream.messages import EnsureTopics, ProbeStream
from backbone.stream.provisioned import Provisioned

__all__ = ["Looking"]

_TOPICS_TIMEOUT = 7.0
_METRICS_TIMEOUT = 1.0


class Looking:
    """Reads the roster and asks the parts."""

    def __init__(self, settings: Settings, system: ActorSystem, calls: Calls, telemetry: Desk) -> None:
        self.settings = settings
        self._system = system
        self._calls = calls
        self._telemetry = telemetry

    def roster(self) -> RosterSnapshot:
        """What runs now, read without a message to anybody."""
        return self._system.roster(detail=True)

    async def connectivity(self, timeout: float | None = None) -> ConnectivityReport:
        """A round trip through store, cache and stream, all at once, each within so many seconds."""
        ref, timeout = self._calls.ref, timeout or self.settings.supervision.ask_timeout
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
            facts=self._facts(),
            settings_hash=self.settings.hash,
        )

    def _facts(self) -> dict[str, dict[str, str]]:
        """Of each part, what it need not be asked for."""
        facts = {name: {"endpoint": place} for name, place in endpoints(self.settings).items()}
        facts["stream"]["consuming"] = "on" if self.settings.stream.consume else "off"
        return facts

    async def connectors(self, timeout: float | None = None, *, probe: bool = True) -> ConnectorsReport:
        """The manifest: what this backbone consists of, and how each part is; a part has so many seconds to answer."""
        connectivity = await self.connectivity(timeout) if probe else None
        metrics = await self._counted()
        return connectors(self.settings, connectivity, roster=self.roster(), base=self._calls.base, metrics=metrics)

    async def topics(self, *, dry_run: bool) -> Provisioned | None:
        """Look for the topics, and make those that are missing; None where the stream has none."""
        if self.settings.stream.backend != "kafka":
            return None
        found: list[Provisioned] = []
        failed: list[ActorError] = []

        async def ask(path: str, request: Request[Any]) -> None:
            try:
                found.append(await self._calls.ref(path).ask(request, _TOPICS_TIMEOUT))
            except ActorError as error:
                failed.append(error)

        async with anyio.create_task_group() as group:  # both wait for the same brokers
            group.start_soon(ask, TOPICS, EnsureTopics(dry_run))
            group.start_soon(ask, TELEMETRY, EnsureTelemetryTopics(dry_run))
        if failed:
            raise failed[0]
        return reduce(Provisioned.and_those_of, found)

    async def _counted(self) -> CacheMetrics | None:
        """What the cache counted; None where it does not say."""
        try:
            return await self._calls.ref("cache").ask(ReadCacheMetrics(False), _METRICS_TIMEOUT)
        except ActorError:
            return None

    def answers(self) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[bytes]]]:
        """What the control socket answers, by command."""
        return {
            "connectors": self._connectors,
            "events": self._events,
            "roster": self._roster,
            "status": self._status,
            "topics": self._topics,
        }

    async def _connectors(self, arguments: Mapping[str, Any]) -> bytes:
        wanted = msgspec.convert(dict(arguments), _Connectors)
        return _redacted((await self.connectors(wanted.timeout, probe=wanted.probe)).to_json())

    async def _topics(self, arguments: Mapping[str, Any]) -> bytes:
        found = await self.topics(dry_run=msgspec.convert(dict(arguments), _Topics).dry_run)
        return _redacted(msgspec.json.encode({"provisioned": found}))

    async def _events(self, arguments: Mapping[str, Any]) -> bytes:
        """What was told after a number; texts in it are without secrets already."""
        wanted = msgspec.convert(dict(arguments), _Events)
        return msgspec.json.encode(self._telemetry.after(wanted.after, wanted.topics))

    async def _roster(self, _: Mapping[str, Any]) -> bytes:
        return _redacted(self.roster().to_json())

    async def _status(self, _: Mapping[str, Any]) -> bytes:
        report = await self.connectivity()
        connectivity = msgspec.to_builtins(report, enc_hook=str)
        roster = msgspec.Raw(self.roster().to_json())
        return _redacted(msgspec.json.encode({"connectivity": connectivity, "roster": roster}))


class _Connectors(msgspec.Struct, forbid_unknown_fields=True):
    timeout: Annotated[float, msgspec.Meta(gt=0, le=6)] = 5.0
    probe: bool = True


class _Events(msgspec.Struct, forbid_unknown_fields=True):
    after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    topics: tuple[str, ...] = ()


class _Topics(msgspec.Struct, forbid_unknown_fields=True):
    dry_run: bool = True


def _redacted(answer: bytes) -> bytes:
    """Errors of sources and adapters may quote anything, and whoever asks by the socket is another program."""
    return msgspec.json.encode(redact_mapping(msgspec.json.decode(answer)))
