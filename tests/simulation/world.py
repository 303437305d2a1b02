"""The world of one seed: time, chance, the database file, the backbone that lives on it, and what it is held to."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio

from actors import ActorDead
from actors.testing import TestSystem, VirtualClock
from backbone import Backbone, Dimension
from backbone.store.errors import StoreUnavailable, UnknownOutcome
from backbone.store.port import Store
from backbone.store.records import Chunk, Query, WriteResult
from backbone.stream.errors import StreamUnavailable
from backbone.stream.port import Stream
from backbone.testing import embedded, with_store, with_stream
from tests.simulation.faults import Faults
from tests.simulation.model import Model, Series, rows_of
from tests.simulation.ports import SimulatedStore, SimulatedStream

__all__ = ["BASE", "DIMENSIONS", "EXCUSED", "SYMBOLS", "Clock", "Violation", "World"]

T = TypeVar("T")

SYMBOLS = ("A", "B", "C")
DIMENSIONS = (Dimension.INTRADAY_BARS, Dimension.DAILY_BARS)
BASE = "/sim/backbone"
EXCUSED = (StoreUnavailable, UnknownOutcome, StreamUnavailable, ActorDead)
"""What a call may say while things go wrong; while nothing does, none of it."""

_ENDLESS = 90.0  # virtual seconds: a call that takes longer has no end
# a run is begun four times; each waits `store.patience` for a store that falls, and is back after up to `backoff_most`
_ENDLESS_RUN = 4 * (30.0 + 30.0 + 10.0)


class Violation(AssertionError):
    """The backbone did not do what it promises."""


class Clock(VirtualClock):
    """A wall clock that somebody sets; monotonic time goes on."""

    ahead = timedelta()

    def now(self) -> datetime:
        """What it shows."""
        return super().now() + self.ahead


class World:
    """What one seed draws, and what has happened so far.

    Args:
        seed: decides everything.
        folder: for the database and files; empty.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.random = random.Random(f"{seed}:script")
        self.trace: list[str] = []
        self.faults = Faults(seed, self.note)
        self.model = Model()
        self.promised: dict[Series, int] = {}
        self.window: Query | None = None
        self.violations: list[Violation] = []
        self.settings = self._settings()
        self.store: Store
        self.clock: Clock
        self._copy: Model | None = None
        self._values = 0

    def _settings(self) -> dict[str, object]:
        draw = self.random.choice
        return {
            "store.path": str(self.folder / "sim.duckdb"),
            "store.threads": 1,
            "cache.capacity": draw([2, 1024]),
            "stream.capacity_bytes": draw([2000, 64 * 2**20]),
            "retention.interval": draw([7.0, 20.0]),
            "retention.outbox_hours": 1,
            "supervision.restarts": 1000,
        }

    # what happens

    def note(self, what: str) -> None:
        """Add to the trace: the same seed gives the same one."""
        now = anyio.current_time() if self.trace else 0.0
        self.trace.append(f"{now:.6f} {what}")

    def hash(self) -> str:
        """Of the trace."""
        return hashlib.blake2b("\n".join(self.trace).encode(), digest_size=16).hexdigest()

    def value(self) -> float:
        """A price; most are new, so that each tells its change."""
        self._values += 1
        return float(self.random.choice([100 + self._values, 100 + self._values, 100 + self._values, 1, 2]))

    def fail(self, what: str) -> Violation:
        """For `raise`; the trace has it, too."""
        self.note(f"VIOLATION {what}")
        violation = Violation(f"seed {self.seed}: {what}")
        self.violations.append(violation)
        return violation

    def wrote(self, chunk: Chunk, result: WriteResult) -> None:
        """A chunk was committed (see `ports.Witness`)."""
        identity = (chunk.run_id, getattr(chunk, "ordinal", None), chunk.ingest_id)
        rows = rows_of(chunk.frame)
        if unknown := [key for key, value in rows.items() if (key, value) not in self.model.asked]:
            raise self.fail(f"committed, and nobody asked for it: {unknown}")
        commit = self.model.commit(identity, rows, self.clock.now(), result.position)
        if commit is not None:
            self.note(f"commit {self.model.now}: {_said(commit.rows)} at {result.position}")
            if bool(commit.rows) != bool(result.outbox_rows):
                raise self.fail(f"commit of {_said(commit.rows)} published {result.outbox_rows} changes")

    def advanced(self, position: int) -> None:
        """The relay's stored cursor was moved (see `ports.Witness`): what it passes may be pruned from now on.

        Nothing is raised: the store, which would fall, has only done what it was asked.
        """
        if position > self.faults.published:
            self.fail(f"the cursor is moved to {position}, and the stream has come to {self.faults.published}")

    def pruned(self, arguments: dict[str, Any], counts: dict[str, int]) -> None:
        """The outbox was pruned (see `ports.Witness`)."""
        before = arguments.get("outbox_before")
        if before is not None and counts.get("outbox"):
            self.faults.saw("outbox pruned")
            self.model.prune(before)

    def promise(self, series: Series, commit: int) -> None:
        """From now on no fetch of this backbone may be older than a commit."""
        self.promised[series] = max(commit, self.promised.get(series, 0))

    # how it is lived in

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Backbone]:
        """A backbone on the file as it is; afterwards nothing of it is left."""
        self.promised = {}
        parts = {
            **with_store(lambda make: self._simulated(make())),
            **with_stream(lambda stream: self._streamed(stream)),
        }
        system = TestSystem("sim", seed=self.seed, clock=self.clock, at_await=lambda at: self.faults.at_await(BASE, at))
        async with system, embedded(system=system, overrides=self.settings, parts=parts) as backbone:
            yield backbone

    def _simulated(self, store: Store) -> Store:
        self.store = store
        return SimulatedStore(store, self.faults, self)

    def _streamed(self, stream: Stream) -> Stream:
        return SimulatedStream(stream, self.faults)

    async def bounded(self, what: str, call: Awaitable[T]) -> T:
        """A call that has to end."""
        began = anyio.current_time()
        with anyio.move_on_after(_ENDLESS_RUN if what == "ingest" else _ENDLESS):
            return await call
        raise self.fail(f"{what} has no end: {anyio.current_time() - began:g} s")

    def left_open(self) -> list[str]:
        """Files of this world that the process still has open; none are seen where the system does not list them."""
        links = Path("/proc/self/fd")
        opened = []
        for each in links.iterdir() if links.is_dir() else ():
            with suppress(FileNotFoundError):  # the listing itself was one
                opened.append(str(each.readlink()))
        return [each for each in opened if each.startswith(str(self.folder))]

    # the database, while nobody has it open

    def copy_database(self) -> None:
        """Keep a copy."""
        shutil.copy(str(self.settings["store.path"]), self.folder / "copy.duckdb")
        self._copy = self.model.copied()
        self.note(f"copied at {self.model.now}")

    def restore_database(self) -> None:
        """Put the copy back."""
        assert self._copy is not None
        shutil.copy(self.folder / "copy.duckdb", str(self.settings["store.path"]))
        self.model = self.model.restored(self._copy)
        self.faults.published = self.faults.advanced = 0
        self.faults.saw("database restored")


def _said(rows: Any) -> str:
    return ", ".join(f"{key.series.symbol}@{key.ts:%d %H}={value:g}" for key, value in rows.items())


DAY = datetime(2024, 1, 1, tzinfo=UTC)
