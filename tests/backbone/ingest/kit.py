"""The ingest actor by itself: beside it a store that answers when the test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup

from actors import Actor, ChildSpec, Reject, Reply, Request, handles
from actors.testing import TestSystem
from backbone import Frame
from backbone.calls import Calls
from backbone.domain.observing import Observe
from backbone.ingest.actor import IngestActor
from backbone.settings import load_settings
from backbone.store.merging import Merged, result_of
from backbone.store.messages import ClaimEpoch, QuarantineRows, ReadJournal, RecordJournal, RecordRun, WriteChunk
from backbone.store.records import JournalRow
from backbone.store.run_records import RunRow
from tests.backbone.answers import Answer
from tests.backbone.facade.kit import START, bars

BASE = "/test"

R = TypeVar("R", bound=Request[Any])


class Asked:
    """One question to the store, until it is answered."""

    def __init__(self, message: Request[Any], reply: Reply[Any]) -> None:
        self.message = message
        self._reply = reply

    @property
    def frame(self) -> Frame:
        """The rows that are to be written."""
        assert isinstance(self.message, WriteChunk)
        return self.message.chunk.frame

    def answer(self, value: Any = None) -> None:
        self._reply(value)

    def commit(self, position: int = 1) -> None:
        """All rows are new."""
        assert isinstance(self.message, WriteChunk)
        merged = Merged.all_new(self.frame)
        self._reply(result_of(self.message.chunk, merged, position=position, outbox_rows=1))

    def refuse(self, code: str = "unavailable") -> None:
        self._reply.fail(Reject(code, "the store says no"))


class Desk:
    """Where questions to the store lie until the test answers them."""

    def __init__(self) -> None:
        self.waiting: list[Asked] = []
        self.runs: list[RunRow] = []
        self.takes_runs = True
        self._came = anyio.Event()

    def lay(self, asked: Asked) -> None:
        self.waiting.append(asked)
        self._came.set()
        self._came = anyio.Event()

    async def next(self, kind: type[Request[Any]]) -> Asked:
        """The next question, which has to be of this kind."""
        with anyio.fail_after(10):
            while not self.waiting:
                await self._came.wait()
        assert isinstance(self.waiting[0].message, kind), self.waiting[0].message
        return self.waiting.pop(0)


class StoreDouble(Actor):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @handles
    def lay(self, message: ClaimEpoch | WriteChunk | QuarantineRows | RecordJournal) -> None:
        self._desk.lay(Asked(message, self.context.defer_reply()))

    @handles
    def journal(self, _message: ReadJournal) -> list[JournalRow]:
        """Nothing is remembered of any source."""
        return []

    @handles
    def record_run(self, message: RecordRun) -> None:
        """Taken at once, for no test of the others has to say what becomes of the journal of runs."""
        if not self._desk.takes_runs:
            raise Reject("unavailable", "the store says no")
        self._desk.runs.append(message.row)


class Ingesting:
    """The actor under test and its surroundings."""

    def __init__(self, system: TestSystem, desk: Desk, group: TaskGroup) -> None:
        self.system = system
        self.desk = desk
        self._group = group

    async def ask(self, message: Request[Any]) -> Answer[Any]:
        """Ask, and go on once nobody can do any more without the test."""
        answer: Answer[Any] = Answer()
        self._group.start_soon(answer.ask, self.system.find(f"{BASE}/ingest"), message)
        await settled()
        return answer


async def settled() -> None:
    """Let everybody do what they can: virtual time moves only when nobody can do any more."""
    await anyio.sleep(0.001)


def bar(hour: int = 0, close: float = 1.2, symbol: str = "EURUSD") -> Frame:
    return bars(1, close=close, symbol=symbol, start=START + timedelta(hours=hour))


@asynccontextmanager
async def ingesting(
    *, observe: Observe | None = None, patience: float = 0.0, backend: str = "duckdb", **ingest: Any
) -> AsyncIterator[Ingesting]:
    """The ingest actor in a system of its own; `ingest` are settings of that section."""
    chosen = {f"ingest.{name}": value for name, value in ingest.items()}
    of_store = {"store.inline": True, "store.patience": patience, "store.backend": backend}
    desk, settings = Desk(), load_settings(profile="embedded", overrides={**of_store, **chosen})
    async with TestSystem() as system, anyio.create_task_group() as group:
        await system.start_child(ChildSpec("store", StoreDouble, args=(desk,)))
        args = (Calls(system, BASE), settings)
        await system.start_child(ChildSpec("ingest", IngestActor, args=args, kwargs={"observe": observe}))
        yield Ingesting(system, desk, group)
