"""The ingest actor: plans as runs beside the mailbox, live rows by group commit, both through the store actor."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any, Protocol

import anyio

from actors import Actor, Reject, handles
from backbone.calls import REFUSABLE, Calls, refuse
from backbone.domain import Frame
from backbone.domain.dimension import Dimension
from backbone.domain.observing import Observe
from backbone.domain.threads import in_thread
from backbone.ingest.contract import LOOKED_THROUGH, columns_of
from backbone.ingest.group import GroupWriter
from backbone.ingest.journal import Diary, row_of_failure, row_of_run, unwritten
from backbone.ingest.live import Caller
from backbone.ingest.messages import IngestEnded, IngestProgress, RecordRows, RunIngest
from backbone.ingest.patience import Patient
from backbone.ingest.plan import IngestPlan, IngestRun
from backbone.ingest.run import Run, Writer
from backbone.ingest.sharing import Sharing
from backbone.ingest.turns import Turns
from backbone.ingest.waiting import Bound, Waiting
from backbone.quality.instruments import Instruments
from backbone.settings import Settings
from backbone.sources.errors import SourceError
from backbone.sources.port import Progress
from backbone.sources.registry import load
from backbone.store.journalling import LIVE
from backbone.store.messages import (
    ClaimEpoch,
    QuarantineRows,
    ReadCoverage,
    ReadJournal,
    ReadRows,
    RecordJournal,
    RecordRun,
    WriteChunk,
)
from backbone.store.records import Chunk, Coverage, JournalRow, QuarantineRow, Query, WriteResult
from backbone.store.run_records import RunRow

__all__ = ["IngestActor"]

_WRITE_TIMEOUT = 90.0
_RUNS = 4  # at once
_RUNS_WAITING = 64  # under way or waiting; further ones are refused


class RunWriter(Writer, Protocol):
    """What this actor needs of the store."""

    async def journal(self, row: JournalRow) -> None:
        """Journal a run that failed."""
        ...

    async def record_run(self, row: RunRow) -> None:
        """Journal what became of a run."""
        ...


class _StoreWriter(RunWriter):
    """The store actor, as runs see it, and live rows, which hold their turn already."""

    def __init__(self, calls: Calls, turns: Turns) -> None:
        self._calls = calls
        self._turns = turns

    async def claim(self, source: str, dimension: Dimension) -> int:
        return await self._calls.ask("store", ClaimEpoch(source, dimension), _WRITE_TIMEOUT)

    async def write(self, chunk: Chunk) -> WriteResult:
        """Write a chunk in its turn."""
        async with nullcontext() if chunk.source == LIVE else self._turns.file():
            return await self._write(chunk)

    async def _write(self, chunk: Chunk) -> WriteResult:
        """A chunk whose outcome is unknown is given again: the store knows it by run and content."""
        try:
            return await self._calls.ask("store", WriteChunk(chunk), _WRITE_TIMEOUT)
        except Reject as reject:
            if reject.code != "unknown_outcome":
                raise
            return await self._calls.ask("store", WriteChunk(chunk), _WRITE_TIMEOUT)

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        return await self._calls.ask("store", QuarantineRows(rows), _WRITE_TIMEOUT)

    async def stored(self, dimension: Dimension, symbols: Sequence[str]) -> list[Coverage]:
        return await self._calls.ask("store", ReadCoverage(dimension, symbols=symbols), _WRITE_TIMEOUT)

    async def read(self, query: Query) -> Frame:
        return (await self._calls.ask("store", ReadRows(query), _WRITE_TIMEOUT)).frame

    async def journal_of(self, source: str, dimension: Dimension) -> list[JournalRow]:
        return await self._calls.ask("store", ReadJournal(LOOKED_THROUGH, dimension, source), _WRITE_TIMEOUT)

    async def journal(self, row: JournalRow) -> None:
        await self._calls.ask("store", RecordJournal(row), _WRITE_TIMEOUT)

    async def record_run(self, row: RunRow) -> None:
        await self._calls.ask("store", RecordRun(row), _WRITE_TIMEOUT)


class IngestActor(Actor):
    """Takes plans and live rows.

    Args:
        calls: where the store is.
        settings: how runs read, and how many live rows one commit takes and may wait.
        attempts: how often each run was begun, by run_id; outlives a crash of this actor.
        waiting: rows of the journal that the store has not taken yet; likewise.
        sharing: how runs make way for live rows; likewise.
        observe: told of each RunIngest and each RecordRows: "ok", or "refused:" and the code.
    """

    def __init__(
        self,
        calls: Calls,
        settings: Settings,
        attempts: dict[str, int] | None = None,
        waiting: deque[RunRow] | None = None,
        sharing: Sharing | None = None,
        observe: Observe | None = None,
    ) -> None:
        self.settings = settings
        self._observe = observe
        turns = Turns(one_at_a_time=settings.store.backend == "duckdb")
        self.writer: RunWriter = _StoreWriter(calls, turns)
        self._attempts = {} if attempts is None else attempts
        self._sharing = Sharing() if sharing is None else sharing
        self._slots = anyio.Semaphore(_RUNS, fast_acquire=True)
        self._one_writer: defaultdict[tuple[str, Dimension], anyio.Lock] = defaultdict(anyio.Lock)
        chosen = settings.ingest
        group = GroupWriter(
            lambda: self.writer,
            self._committed,
            self._refused,
            inline=settings.store.inline,
            screening=Instruments(settings).screening,
        )
        self._live = Waiting(
            group.commit,
            Bound(chosen.record_batch_rows, chosen.record_batch_bytes),
            Bound(chosen.record_waiting_rows, chosen.record_waiting_bytes),
            turns,
        )
        kept = unwritten() if waiting is None else waiting
        self._diary = Diary(lambda row: self.writer.record_run(row), kept, wanted=chosen.record_runs)
        self._rows = self._runs = 0
        self._under_way: dict[str, int] = {}
        self._loaded: set[str] = set()  # kinds of sources

    def inspect(self) -> dict[str, Any]:
        """Rows committed by this incarnation, live and by runs, and live rows that wait."""
        live, committed = self._live, self._rows + sum(self._under_way.values())
        return {"rows_committed": committed, "rows_waiting": live.rows, "bytes_waiting": live.size}

    @handles
    def run(self, message: RunIngest) -> None:
        """See RunIngest; a failure of the input or the store refuses the request, a bug crashes this actor."""
        if self._runs >= _RUNS_WAITING:
            raise Reject("unavailable", f"{self._runs} runs are under way or wait; try again when some have ended")
        self._runs += 1
        reply = self.context.defer_reply()
        self.context.run_task(self._run(message), name=f"run-{message.run_id[-6:]}", reply=reply)

    async def _run(self, message: RunIngest) -> IngestRun:
        """Wait for a place beside the mailbox, so that live rows do not queue behind runs."""
        began = self.context.clock.time()
        try:
            async with self._slots:
                result = await self._carry_out(message, began)
        except Reject as reject:
            self._saw("RunIngest", began, f"refused:{reject.code}")
            await self._note(self._failed(message, reject.text, began, code=reject.code))
            self._ended(message, code=reject.code, error=reject.text)
            raise
        finally:
            self._runs -= 1
        self._saw("RunIngest", began, "ok")
        took = self.context.clock.time() - began
        await self._note(row_of_run(result, message.plan, self.context.clock.now(), took, message.metadata))
        self._ended(message, run=result)
        return result

    async def _note(self, row: RunRow) -> None:
        """Journal what became of a run; where the store is what failed, the log has to do until it is back."""
        why = await self._diary.note(row)
        if why:
            self.context.log.warning("run not journalled yet", run_id=row.run_id, status=row.status, why=why)

    def _ended(self, message: RunIngest, **how: Any) -> None:
        path = self.context.ref.path
        self.context.system.publish(IngestEnded, path, run_id=message.run_id, plan=message.plan, **how)

    def _saw(self, what: str, since: float, outcome: str) -> None:
        if self._observe is not None:
            self._observe(what, self.context.clock.time() - since, outcome)

    async def _carry_out(self, message: RunIngest, since: float) -> IngestRun:
        begun = f"{message.run_id}/{message.plan.dimension}"
        attempt = self._attempts[begun] = self._attempts.get(begun, 0) + 1
        try:
            await self._load(message.plan.source)
            run = Run(
                message.plan,
                message.run_id,
                Patient(self.writer, self.settings.store.patience, self.context.clock.time),
                self.settings,
                lambda *counts: self._progress(message, *counts),
                self.context.clock.time,
                attempt,
                self.context.clock.now,
                self._sharing,
            )
            # a second run of one source would fence the first one out: it waits instead
            async with self._one_writer[run.source_name, message.plan.dimension]:
                result = await run.execute()
        except REFUSABLE as error:
            await self._journal_failure(message, str(error), since)
            raise refuse(error) from error
        finally:
            self._rows += self._under_way.pop(begun, 0)
        self._attempts.pop(begun, None)
        return result

    async def _load(self, source: str) -> None:
        """The first time: live rows do not wait for an import. What fails in a thread is tried where it is opened."""
        if source not in self._loaded and not self.settings.store.inline:
            with suppress(SourceError):  # such as of a package that handles signals, and only the main thread may
                await in_thread(partial(load, source))
                self._loaded.add(source)

    def _progress(self, message: RunIngest, read: int, committed: int, known: int, progress: Progress) -> None:
        self._under_way[f"{message.run_id}/{message.plan.dimension}"] = committed
        self.context.system.publish(
            IngestProgress,
            self.context.ref.path,
            run_id=message.run_id,
            rows_read=read,
            rows_committed=committed,
            rows_known=known,
            bytes_read=progress.bytes_read,
            bytes_total=progress.bytes_total,
            of=progress.of,
        )

    def _failed(self, message: RunIngest, error: str, since: float, **more: str) -> RunRow:
        now, took = self.context.clock.now(), self.context.clock.time() - since
        return row_of_failure(message.run_id, message.plan, error, now, took, {**message.metadata, **more})

    async def _journal_failure(self, message: RunIngest, error: str, since: float) -> None:
        """An input that failed is said among the chunks, too; where the store is what failed, the log has to do."""
        row, plan = self._failed(message, error, since), message.plan
        try:  # of a source that fails for weeks, what was known of its columns goes on
            before = columns_of(await self.writer.journal_of(plan.source, plan.dimension))
            await self.writer.journal(_as_chunk(row, plan, before))
        except Reject as reject:
            self.context.log.warning("failed run not journalled", run_id=message.run_id, why=str(reject))

    @handles
    def record(self, message: RecordRows) -> None:
        """See RecordRows; written at once where the writer of their dimension is idle, else with its next commit."""
        dimension = message.frame.dimension
        self._sharing.live(self.context.clock.time())
        saw = partial(self._saw, "RecordRows", self.context.clock.time())
        if self._live.add(message.frame, Caller(self.context.defer_reply(), saw)):
            self.context.run_task(self._live.write(dimension), name=f"live-{dimension.value}")

    def _refused(self, reject: Reject) -> None:
        self.context.log.info("live rows refused; their senders were told", why=str(reject))

    def _committed(self, rows: int) -> None:
        self._rows += rows


def _as_chunk(row: RunRow, plan: IngestPlan, facts: dict[str, str]) -> JournalRow:
    return JournalRow(
        run_id=row.run_id,
        ingest_id="",
        dimension=plan.dimension,
        source=plan.source,
        status="failed",
        rows=0,
        inserted=0,
        changed=0,
        unchanged=0,
        symbols=tuple(plan.symbols),
        start=None,
        end=None,
        duration_s=row.duration_s,
        executed_at=row.executed_at,
        error=row.error,
        metadata=facts,
    )
