"""For authors of tests: a whole backbone in memory, deterministic, in milliseconds, with faults to inject.

DuckDB works in memory and on the event loop, not in a thread, so a backbone also runs on the virtual clock of
`actors.testing`. There is no control socket. `backbone.testing.fixtures` offers it as fixtures of pytest.

```python
from datetime import UTC, datetime

import pytest

from backbone import Frame, StoreUnavailable
from backbone.testing import Faults, embedded

PRICES = {"open": 1.16, "high": 1.17, "low": 1.15, "close": 1.165}
BAR = {"symbol": "EURUSD", "interval": "1h", "ts": datetime(2018, 6, 4, tzinfo=UTC), **PRICES}


async def test_my_strategy_lives_through_an_outage():
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        await backbone.record(Frame.from_records("intraday", [BAR]))
        assert (await backbone.fetch("intraday", symbols=["EURUSD"])).num_rows == 1
        faults.store_down()
        assert (await backbone.fetch("intraday", symbols=["EURUSD"])).stale  # the cache has seen this question
        with pytest.raises(StoreUnavailable):
            await backbone.fetch("intraday", symbols=["EURUSD"], limit=1)  # and not this one
        faults.store_up()
        assert (await backbone.fetch("intraday", symbols=["EURUSD"], limit=1)).num_rows == 1
```
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from msgspec.structs import replace

from actors import ActorError, ActorSystem, ChildSpec, Reject, SupervisorSpec
from backbone.domain import Frame
from backbone.domain.dimension import Dimension
from backbone.facade.backbone import Backbone
from backbone.facade.tree import Parts
from backbone.ingest.actor import IngestActor
from backbone.settings import load_settings
from backbone.store.actor import Recover
from backbone.store.errors import StoreUnavailable
from backbone.store.port import Store
from backbone.store.records import Chunk, Coverage, JournalRow, QuarantineRow, Query, WriteResult
from backbone.stream.port import Stream

__all__ = ["Faults", "InjectedCrash", "embedded", "with_store", "with_stream"]


class InjectedCrash(RuntimeError):
    """A bug, injected: it crashes the actor that meets it."""


class Faults:
    """What is to go wrong. One object serves one backbone; counts go on across restarts of its actors."""

    def __init__(self) -> None:
        self.writes = 0
        self._crashes: dict[tuple[str, int], None] = {}
        self._down: str | None = None
        self._store_crashes = 0
        self._refused_writes = 0
        self._backbone: Backbone | None = None

    def crash_ingest(self, *, before_write: int | None = None, after_write: int | None = None) -> None:
        """Crash the ingest actor once, before or after the nth chunk (from 1) is committed.

        Who waits for an answer does not notice: the facade asks the next incarnation, which knows what is committed.
        """
        if before_write is not None:
            self._crashes["before", before_write] = None
        if after_write is not None:
            self._crashes["after", after_write] = None

    def crash_store(self, times: int = 1) -> None:
        """Crash the store actor at each of its next requests, so many of them; it is restarted.

        Requests that are under way together crash it together.
        """
        self._store_crashes = times

    def refuse_write_once(self) -> None:
        """Let the next chunk be refused as unavailable, and later ones go in."""
        self._refused_writes = 1

    def store_down(self, why: str = "injected: the store does not answer") -> None:
        """Let every request to the store fail as unavailable, until `store_up`; its actor notices at once.

        What the cache has is still served, and marked stale.
        """
        self._down = why
        self._look()

    def store_up(self) -> None:
        """The store answers again; its actor notices at once."""
        self._down = None
        self._look()

    def serve(self, backbone: Backbone) -> None:
        """Called once the backbone is open: whom to tell of what is to go wrong."""
        self._backbone = backbone
        if self._down is not None:
            self._look()

    def _look(self) -> None:
        """Have the store's actor look how its store is, as it does by itself within a second."""
        if self._backbone is not None:
            with suppress(ActorError):
                self._backbone.system.find(f"{self._backbone.path}/store").tell_nowait(Recover())

    def meet_ingest(self, moment: str) -> None:
        """Called around each write of the ingest actor."""
        if moment == "before":
            self.writes += 1
        if moment == "before" and self._refused_writes:
            self._refused_writes -= 1
            raise Reject("unavailable", "injected: this write is refused")
        if (moment, self.writes) in self._crashes:
            del self._crashes[moment, self.writes]
            raise InjectedCrash(f"injected {moment} write {self.writes}")

    def meet_store(self) -> None:
        """Called before each request to the store."""
        if self._store_crashes > 0:
            self._store_crashes -= 1
            raise InjectedCrash("injected into the store actor")
        if self._down is not None:
            raise StoreUnavailable(self._down)


class _FaultyStore:
    """A store whose requests pass through the faults first."""

    _FREE = frozenset({"open", "close", "migrate"})

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name in self._FREE:
            return method

        async def through(*args: Any, **kwargs: Any) -> Any:
            self._faults.meet_store()
            return await method(*args, **kwargs)

        return through


class _FaultyWriter:
    """What the ingest actor writes through."""

    def __init__(self, writer: Any, faults: Faults) -> None:
        self._writer = writer
        self._faults = faults

    async def claim(self, source: str, dimension: Dimension) -> int:
        epoch: int = await self._writer.claim(source, dimension)
        return epoch

    async def write(self, chunk: Chunk) -> WriteResult:
        self._faults.meet_ingest("before")
        result: WriteResult = await self._writer.write(chunk)
        self._faults.meet_ingest("after")
        return result

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        count: int = await self._writer.quarantine(rows)
        return count

    async def stored(self, dimension: Dimension, symbols: Sequence[str]) -> list[Coverage]:
        held: list[Coverage] = await self._writer.stored(dimension, symbols)
        return held

    async def read(self, query: Query) -> Frame:
        frame: Frame = await self._writer.read(query)
        return frame

    async def journal_of(self, source: str, dimension: Dimension) -> list[JournalRow]:
        rows: list[JournalRow] = await self._writer.journal_of(source, dimension)
        return rows

    async def journal(self, row: Any) -> None:
        await self._writer.journal(row)

    async def record_run(self, row: Any) -> None:
        await self._writer.record_run(row)


def _faulty_ingest(faults: Faults) -> Callable[[ChildSpec], ChildSpec]:
    def make(*args: Any, **kwargs: Any) -> IngestActor:
        actor = IngestActor(*args, **kwargs)
        actor.writer = _FaultyWriter(actor.writer, faults)
        return actor

    return lambda spec: replace(spec, factory=make)


def with_store(made: Callable[[Callable[[], Store]], Store]) -> Parts:
    """The parts of a backbone whose store is what `made` makes of the maker of the one in the settings."""

    def changed(spec: ChildSpec) -> ChildSpec:
        make, *others = spec.args
        return replace(spec, args=(lambda: made(make), *others))

    return {"store": changed}


def with_stream(made: Callable[[Stream], Stream]) -> Parts:
    """The parts of a backbone whose stream is what `made` makes of the one in the settings."""

    def changed(spec: SupervisorSpec) -> SupervisorSpec:
        (given,) = (child.args[0] for child in spec.children if child.id == "relay")  # type: ignore[union-attr]
        stream = made(given)
        children = (
            replace(child, args=(stream, *child.args[1:])) if child.args[0] is given else child  # type: ignore[union-attr]
            for child in spec.children
        )
        return replace(spec, children=tuple(children))

    return {"stream": changed}


@asynccontextmanager
async def embedded(
    *,
    faults: Faults | None = None,
    system: ActorSystem | None = None,
    overrides: Mapping[str, object] | None = None,
    parts: Parts | None = None,
) -> AsyncIterator[Backbone]:
    """A backbone in memory.

    Args:
        faults: what is to go wrong, now or later.
        system: the test's own actor system; None: one of its own.
        overrides: settings, such as `{"ingest.chunk_rows": 1000}`; a `store.path` makes it outlive this backbone.
        parts: what is made of its parts, by `with_store`, `with_stream` or both; not together with `faults`.
    """
    base: dict[str, object] = {"store.path": ":memory:", "store.inline": True, "control.enabled": False}
    base["kill_switch"] = None  # a test's outcome does not hang on a file that lies about
    settings = load_settings(profile="embedded", overrides={**base, **(overrides or {})})
    if faults is not None:
        given = faults
        parts = {**with_store(lambda make: _FaultyStore(make(), given)), "ingest": _faulty_ingest(given)}
    async with Backbone.open(settings, system=system, parts=parts) as backbone:
        if faults is not None:
            faults.serve(backbone)
        yield backbone
