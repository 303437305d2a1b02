"""The telemetry actor by itself: beside it a cache and a sink that do what the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio

from actors import Actor, ChildSpec, Reject, handles
from actors.testing import TestSystem
from backbone import Dimension, IngestPlan, IngestRun
from backbone.cache.messages import ReadCacheMetrics
from backbone.cache.port import CacheMetrics
from backbone.calls import Calls
from backbone.ingest.messages import IngestEnded
from backbone.operations.telemetry.actor import TelemetryActor
from backbone.operations.telemetry.desk import Desk
from backbone.operations.telemetry.looking import Looks
from backbone.operations.telemetry.messages import AttendListeners
from backbone.settings import load_settings
from backbone.stream.errors import StreamUnavailable
from backbone.stream.sink import Outgoing, TopicRefuses

BASE = "/test"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def metrics(**changes: Any) -> CacheMetrics:
    """Counters of a cache that nobody has asked, unless changed."""
    counters = ("hits", "misses", "sets", "evictions", "expirations", "invalidations", "stale_rejected", "keys")
    known: dict[str, Any] = dict.fromkeys(counters, 0)
    known |= {"capacity": 8, "ttl_s": 9.0, "namespace": "b", "strategy": "standard", "backend": "memory"}
    known |= changes
    asked = known["hits"] + known["misses"]
    return CacheMetrics(**known, hit_rate=known["hits"] / asked if asked else None)


def run(**changes: Any) -> IngestRun:
    """The report of a run of three rows."""
    given: dict[str, Any] = {
        "run_id": "run-1",
        "dimension": Dimension.QUOTES,
        "source": "csv:/data/quotes.csv",
        "rows_read": 3,
        "quarantined": 0,
        "filtered": 0,
        "duplicates": 0,
        "inserted": 3,
        "changed": 0,
        "unchanged": 0,
        "chunks": 1,
        "position": 7,
        "positions": {"EURUSD": 7},
        "symbols": ("EURUSD",),
        "quality": None,
        "duration_s": 0.5,
        "span_start": datetime(2026, 1, 5, 10, tzinfo=UTC),
        "span_end": datetime(2026, 1, 5, 11, 59, 30, tzinfo=UTC),
    }
    return IngestRun(**{**given, **changes})


PLAN = IngestPlan(dimensions=["quotes"], symbols=["EURUSD"], path="quotes.csv")


def ended(done: IngestRun | None = None, **changes: Any) -> IngestEnded:
    """The event of a run that has ended."""
    return IngestEnded(path=f"{BASE}/ingest", at=NOW, run_id="run-1", plan=PLAN, run=done, **changes)


class CacheDouble(Actor):
    """Counters, or a refusal."""

    def __init__(self, answer: list[CacheMetrics | Reject]) -> None:
        self._answer = answer

    @handles
    def read(self, message: ReadCacheMetrics) -> CacheMetrics:
        (answer,) = self._answer
        if isinstance(answer, Reject):
            raise answer
        return answer


class SinkDouble:
    """Takes what it is given, unless it is down or refuses a topic."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Outgoing]] = []
        self.down = False
        self.stuck = False
        self.refused: set[str] = set()
        self.closed = 0

    async def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        if self.stuck:
            await anyio.sleep(3600)
        if self.down:
            raise StreamUnavailable("kafka:9092: no answer")
        if topic in self.refused:
            raise TopicRefuses(f"there is no topic {topic}")
        self.taken += [(topic, record) for record in records]

    async def close(self) -> None:
        self.closed += 1


class Telling:
    """The actor and its surroundings."""

    def __init__(self, system: TestSystem, desk: Desk, sink: SinkDouble, cache: list[CacheMetrics | Reject]) -> None:
        self.system = system
        self.desk = desk
        self.sink = sink
        self.cache = cache

    def end(self, done: IngestRun | None = None, *, by: str = f"{BASE}/ingest", **changes: Any) -> None:
        """A run has ended."""
        self.system.publish(IngestEnded, by, run_id="run-1", plan=PLAN, run=done, **changes)

    @property
    def health(self) -> str:
        """Of the actor."""
        return self.system.find(f"{BASE}/telemetry").health.level


async def settled() -> None:
    """Let everybody do what they can: virtual time moves only when nobody can do any more."""
    await anyio.sleep(0.001)


@asynccontextmanager
async def telling(*, carried: bool = True, **telemetry: Any) -> AsyncIterator[Telling]:
    """The telemetry actor in a system of its own; `telemetry` are settings of that section."""
    overrides = {f"telemetry.{name}": value for name, value in telemetry.items()}
    settings = load_settings(profile="embedded", overrides=overrides)
    sink, answer = SinkDouble(), [metrics()]
    async with TestSystem() as system:
        calls = Calls(system, BASE)

        def attend() -> None:
            calls.ref("telemetry").tell_nowait(AttendListeners())

        desk = Desk(system, BASE, settings.telemetry, sink if carried else None, attend)
        told = settings.telemetry
        args = (desk, Looks(calls, settings), told.interval, told.flush_timeout)
        await system.start_child(ChildSpec("cache", CacheDouble, args=(answer,)))
        await system.start_child(ChildSpec("telemetry", TelemetryActor, args=args))
        yield Telling(system, desk, sink, answer)  # type: ignore[arg-type]
