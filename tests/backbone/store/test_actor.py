"""The store's actor by itself, on a double of the port that is held and made to fail at will."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast, get_args

import anyio
import msgspec
import pytest

from actors import ActorDead, ActorRef, AskRejected, ChildSpec, Restart
from actors.testing import Probe, TestSystem
from backbone.calls import restore
from backbone.domain import Dimension, Frame
from backbone.store import messages
from backbone.store.actor import StoreActor
from backbone.store.errors import (
    FencedOut,
    NotBuilt,
    PositionLost,
    RowRefused,
    SchemaMismatch,
    StoreBusy,
    StoreError,
    StoreUnavailable,
    UnknownOutcome,
    Unsupported,
)
from backbone.store.messages import OutboxGrew, ReadRows, ReadSymbols, StoreQuestion, WriteChunk
from backbone.store.port import Store
from backbone.store.records import Chunk, DeadLetter, JournalBound, JournalRow, OutboxRow, Query, StoreInfo, WriteResult
from backbone.store.run_records import RunRow
from backbone.store.since import Since
from backbone.store.snapshots import PART_ROWS, Part, Parts
from backbone.store.statements import Statement

TRADES = Dimension.TRADES
DAY = datetime(2024, 1, 1, tzinfo=UTC)
READ, SYMBOLS = ReadRows(Query(TRADES)), ReadSymbols(TRADES)
CHUNK = Chunk("i", "run", "csv", Frame.empty(TRADES))
JOURNAL = JournalRow("run", "", TRADES, "csv", "failed", 0, 0, 0, 0, (), None, None, 0.0, DAY)


class Double:
    """A store of which every method answers what it was told to, once its gate is open."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.answers: dict[str, Any] = {"probe": StoreInfo(backend="double", version="1", path="nowhere", healthy=True)}
        self.errors: dict[str, Exception] = {}
        self.gates: dict[str, anyio.Event] = {}
        self.made = self.at_work = self.most = 0
        self._changed = anyio.Event()

    def make(self) -> Store:
        self.made += 1
        return cast("Store", self)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, name)

    async def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((name, args, kwargs))
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        self._tell()
        try:
            if name in self.gates:
                await self.gates[name].wait()
            if name in self.errors:
                raise self.errors[name]
            return self.answers.get(name)
        finally:
            self.at_work -= 1
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def count(self, name: str) -> int:
        return [call[0] for call in self.calls].count(name)

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not condition():
                await self._changed.wait()

    def hold(self, name: str) -> anyio.Event:
        """Calls of that method wait from now on until the event is set."""
        gate = self.gates[name] = anyio.Event()
        return gate


async def started(system: TestSystem, double: Double, **more: Any) -> ActorRef:
    return await system.start_child(
        ChildSpec("store", StoreActor, args=(double.make,), kwargs=more, restart=Restart.PERMANENT)
    )


RUN = RunRow(run_id="a", dimension="trades", status="ok", source="csv", executed_at=DAY)
STATEMENT = Statement(name="mine", text="SELECT 1")
SINCE = Since("export-0f 1a", 0, (0, 9), {})
PART = Part(TRADES, "A", DAY, DAY)
LETTER = DeadLetter("backbone", "backbone.quotes", 3, 7, "no frame", b"{", DAY)
ASKED: list[tuple[StoreQuestion, tuple[str, tuple[Any, ...], dict[str, Any]]]] = [
    (messages.ClaimEpoch("csv", TRADES), ("claim_epoch", ("csv", TRADES), {})),
    (WriteChunk(CHUNK), ("write", (CHUNK,), {})),
    (messages.QuarantineRows(()), ("quarantine", ((),), {})),
    (messages.RecordJournal(JOURNAL), ("record_journal", (JOURNAL,), {})),
    (
        messages.ReadOutbox(3, 7, whole=True, sink="here", known=2),
        ("read_outbox", (3, 7), {"whole": True, "sink": "here", "known": 2}),
    ),
    (messages.RelayCursor(), ("cursor", ("stream", 0), {})),
    (
        messages.AdvanceRelay(9, epoch=2, known=7, server="a/1"),
        ("advance", ("stream", 0, 9, 2), {"known": 7, "server": "a/1"}),
    ),
    (messages.Lease("kafka", 3), ("lease", ("kafka", 3), {})),
    (messages.LeaveLease("kafka", 3), ("leave", ("kafka", 3), {})),
    (messages.StreamParts("kafka"), ("offsets", ("relay/kafka",), {})),
    (messages.NoteParts("kafka", ("a/1",), 7), ("commit_offsets", ("relay/kafka", {("a/1", 0): 7}), {})),
    (READ, ("read", (Query(TRADES),), {})),
    (messages.ProbeStore(), ("probe", (), {})),
    (messages.MigrateStore(dry_run=True), ("migrate", (), {"dry_run": True})),
    (messages.OutboxState("kafka"), ("outbox_status", ("kafka",), {})),
    (messages.ReadReached(), ("reached", (), {})),
    (messages.ReadJournal(5, TRADES), ("journal", (5, TRADES), {"source": None})),
    (messages.RecordRun(RUN), ("record_run", (RUN,), {})),
    (messages.ReadRuns(5, "daily", "a"), ("runs", (5, "daily_bars", "a"), {})),
    (messages.ReadLatestRuns(), ("latest_runs", (), {})),
    (messages.ReadLatest(TRADES, ["A"], DAY), ("latest", (TRADES, ("A",), DAY), {})),
    (messages.ReadQuarantine(5), ("quarantined", (5, 0), {})),
    (messages.ReadRepairs(TRADES, "A", DAY, DAY, 5), ("repairs", (TRADES, "A", DAY, DAY, 5), {})),
    (SYMBOLS, ("symbols", (TRADES,), {})),
    (messages.ReadCoverage(TRADES, DAY), ("coverage", (TRADES, DAY), {"symbols": ()})),
    (messages.ReadCoverage(TRADES, symbols=["A"]), ("coverage", (TRADES, None), {"symbols": ("A",)})),
    (messages.ReadQuarters(TRADES, DAY, DAY), ("quarters", (TRADES, DAY, DAY), {})),
    (messages.ReadDrops(), ("drop_count", (), {})),
    (messages.DropRows(TRADES, DAY), ("drop", (TRADES,), {"before": DAY, "dry_run": True})),
    (
        messages.PruneStore(DAY, None, journal=JournalBound(DAY, 9)),
        (
            "prune",
            (),
            {
                "outbox_before": DAY,
                "outbox_bytes": None,
                "quarantine_before": None,
                "journal": JournalBound(DAY, 9),
                "dry_run": True,
            },
        ),
    ),
    (messages.ReadSeen("sink", ("e1",)), ("seen", ("sink", ("e1",)), {})),
    (messages.RecordSeen("sink", ("e1",)), ("record_seen", ("sink", ("e1",)), {})),
    (messages.ReadOffsets("sink"), ("offsets", ("sink",), {})),
    (messages.CommitOffsets("sink", {("topic", 0): 5}), ("commit_offsets", ("sink", {("topic", 0): 5}), {})),
    (messages.KeepDeadLetters((LETTER,)), ("add_dead_letters", ((LETTER,),), {})),
    (messages.ReadDeadLetters(5, 7, DAY), ("dead_letters", (5, 7, DAY), {})),
    (messages.FindDeadLetters((("quotes", 3, 7),)), ("dead_letters_at", ((("quotes", 3, 7),),), {})),
    (messages.DeleteDeadLetters((LETTER,)), ("delete_dead_letters", ((LETTER,),), {})),
    (messages.ReadTallies(TRADES, DAY, DAY, ("A",)), ("tallies", (TRADES, DAY, DAY), {"symbols": ("A",)})),
    (messages.VoidLedger(TRADES, "A", None, DAY, DAY), ("void", (TRADES, "A", None, DAY, DAY), {})),
    (messages.TraceRow(TRADES, "A", DAY), ("trace", (TRADES, "A", DAY), {})),
    (messages.FindQuarantine(("0f",)), ("quarantined_at", (("0f",),), {})),
    (messages.ClearQuarantine(DAY, 9), ("clear_quarantine", (DAY, 9), {})),
    (messages.DeleteQuarantine(()), ("delete_quarantined", ((),), {})),
    (messages.OpenSnapshot("export", 9.0, 2), ("open_snapshot", ("export", 9.0, 2), {})),
    (messages.FindParts("one", Parts(TRADES)), ("find_parts", ("one", Parts(TRADES)), {})),
    (messages.ReadPart("one", PART, ("A", DAY, 1), 5), ("read_part", ("one", PART, ("A", DAY, 1), 5), {})),
    (messages.SumPart("one", PART), ("sum_part", ("one", PART, None, PART_ROWS), {})),
    (messages.CloseSnapshot("one"), ("close_snapshot", ("one",), {})),
    (messages.RunStatement(STATEMENT), ("run_statement", (STATEMENT,), {})),
    (messages.StopStatement("mine"), ("stop_statement", ("mine",), {})),
    (messages.NoteExport("export-0f 1a", 7), ("note_export", ("export-0f 1a", 7), {})),
    (messages.ReadSince(Query(TRADES, ("A",)), SINCE), ("read_since", (Query(TRADES, ("A",)), SINCE), {})),
]


async def test_every_question_is_answered_by_its_method_of_the_port() -> None:
    assert {type(request) for request, _ in ASKED} == set(get_args(StoreQuestion))
    double = Double()
    async with TestSystem() as system:
        ref = await started(system, double)
        for request, call in ASKED:
            double.answers.setdefault(call[0], f"answer of {call[0]}")
            assert await ref.ask(request, 5.0) == double.answers[call[0]]
            assert double.calls[-1] == call


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RowRefused("a row"), "row"),
        (FencedOut("fenced"), "fenced"),
        (SchemaMismatch("tables"), "schema"),
        (Unsupported("no"), "unsupported"),
        (NotBuilt("not yet"), "not_built"),
        (PositionLost("gone"), "position_lost"),
        (StoreError("other"), "store"),
        (StoreBusy("locked"), "busy"),
        (StoreUnavailable("down"), "unavailable"),
        (UnknownOutcome("COMMIT was lost"), "unknown_outcome"),
        (ValueError("a limit"), "invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_each_error_is_refused_by_its_code_and_raised_again_as_itself(error: Exception, code: str) -> None:
    double = Double()
    async with TestSystem() as system:
        ref = await started(system, double)
        double.errors["read"] = error
        with pytest.raises(AskRejected) as refused:
            await ref.ask(READ, 5.0)
        assert (refused.value.code, refused.value.text) == (code, str(error))
        assert type(restore(refused.value)) is type(error)
        assert ref.is_alive
        assert ref.incarnation == 1


async def test_an_outage_is_said_with_its_cause_and_ends_by_itself() -> None:
    double = Double()
    async with TestSystem() as system:
        ref = await started(system, double)
        assert ref.health.level == "ok"
        double.errors |= {"read": StoreUnavailable("db:5432 is silent"), "probe": StoreUnavailable("db:5432 is silent")}
        with pytest.raises(AskRejected, match="db:5432 is silent"):
            await ref.ask(READ, 5.0)
        assert (ref.health.level, ref.health.why) == ("failed", "db:5432 is silent")
        double.errors["symbols"] = StoreUnavailable("not open now")
        with pytest.raises(AskRejected, match="db:5432 is silent"):
            await ref.ask(SYMBOLS, 5.0)
        await double.until(lambda: double.made == 2)  # the second look opens it anew
        assert ref.health.level == "failed"
        await double.until(lambda: double.calls[-1][0] == "close")
        double.errors.clear()
        await double.until(lambda: double.calls[-1][0] == "probe" and double.at_work == 0)
        await anyio.wait_all_tasks_blocked()
        assert (ref.health.level, ref.incarnation) == ("ok", 1)
        assert await ref.ask(READ, 5.0) is None


async def test_a_store_that_is_reached_insecurely_says_so_whatever_else_it_says() -> None:
    double, told = Double(), "insecure: it leads to db:5432"
    async with TestSystem() as system:
        ref = await started(system, double, insecure=told)
        assert (ref.health.level, ref.health.why) == ("degraded", told)
        double.errors |= {"read": StoreBusy("locked")}
        with pytest.raises(AskRejected):
            await ref.ask(READ, 5.0)
        assert (ref.health.level, ref.health.why) == ("degraded", f"{told}; busy: locked")
        double.errors |= {"read": StoreUnavailable("silent"), "probe": StoreUnavailable("silent")}
        with pytest.raises(AskRejected):
            await ref.ask(READ, 5.0)
        assert (ref.health.level, ref.health.why) == ("failed", f"{told}; silent")


async def test_a_store_that_is_reached_insecurely_and_only_read_says_both_again_after_a_restart() -> None:
    double, told, reads = Double(), "insecure: it leads to db:5432", "read only: x may not write"
    double.answers["probe"] = msgspec.structs.replace(double.answers["probe"], degraded_reason=reads)
    async with TestSystem() as system:
        ref = await started(system, double, insecure=told)
        assert (ref.health.level, ref.health.why) == ("degraded", f"{told}; {reads}")
        await ref.kill()
        assert await ref.ask(READ, 5.0) is None
        assert (ref.health.level, ref.health.why, ref.incarnation) == ("degraded", f"{told}; {reads}", 2)


async def test_a_success_from_before_an_outage_is_no_end_of_it() -> None:
    double = Double()
    async with TestSystem() as system, anyio.create_task_group() as group:
        ref = await started(system, double)
        gate = double.hold("read")
        group.start_soon(ref.ask, READ, 5.0)
        await double.until(lambda: double.at_work == 1)
        double.errors |= {"symbols": StoreUnavailable("gone"), "probe": StoreUnavailable("still gone")}
        with pytest.raises(AskRejected):
            await ref.ask(SYMBOLS, 5.0)
        looks = double.count("probe")
        gate.set()
        await double.until(lambda: double.count("probe") > looks and double.at_work == 0)
        await anyio.wait_all_tasks_blocked()
        assert (ref.health.level, ref.health.why) == ("failed", "still gone")


async def test_a_busy_store_is_less_than_failed_until_it_has_time_again() -> None:
    double = Double()
    async with TestSystem() as system:
        ref = await started(system, double)
        double.errors["read"] = StoreBusy("somebody holds the table")
        with pytest.raises(AskRejected):
            await ref.ask(READ, 5.0)
        assert (ref.health.level, ref.health.why) == ("degraded", "busy: somebody holds the table")
        await ref.ask(SYMBOLS, 5.0)
        assert ref.health.level == "ok"
        assert (double.made, double.count("probe")) == (1, 1)


async def test_a_statement_that_was_stopped_says_nothing_of_the_store() -> None:
    double = Double()
    async with TestSystem() as system:
        ref = await started(system, double)
        double.errors["run_statement"] = StoreBusy("the statement was stopped")
        with pytest.raises(AskRejected, match="stopped"):
            await ref.ask(messages.RunStatement(STATEMENT), 5.0)
        assert ref.health.level == "ok"


async def test_at_most_four_reads_are_at_work_and_all_are_answered() -> None:
    double = Double()
    answered = []

    async def ask(ref: ActorRef) -> None:
        answered.append(await ref.ask(READ, 30.0))

    async with TestSystem() as system, anyio.create_task_group() as group:
        ref = await started(system, double)
        double.most = 0
        gate = double.hold("read")
        for _ in range(20):
            group.start_soon(ask, ref)
        await double.until(lambda: double.at_work == 4)
        await anyio.wait_all_tasks_blocked()
        assert (double.at_work, answered) == (4, [])
        gate.set()
        await double.until(lambda: double.count("read") == 20 and double.at_work == 0)
    assert (len(answered), double.most) == (20, 4)


async def test_refusals_give_their_places_back() -> None:
    double = Double()
    async with TestSystem() as system:
        ref = await started(system, double)
        double.errors["read"] = RowRefused("a row")
        for _ in range(20):
            with pytest.raises(AskRejected):
                await ref.ask(READ, 5.0)
        assert await ref.ask(SYMBOLS, 5.0) is None


async def test_a_stop_ends_what_is_at_work_and_closes_the_store() -> None:
    double = Double()
    ended: list[str] = []

    async def ask(ref: ActorRef) -> None:
        try:
            await ref.ask(READ, 30.0)
        except ActorDead:
            ended.append("dead")

    async with TestSystem() as system, anyio.create_task_group() as group:
        ref = await started(system, double)
        double.hold("read")
        group.start_soon(ask, ref)
        await double.until(lambda: double.at_work == 1)
        await ref.stop()
        assert double.at_work == 0
        assert double.calls[-1][0] == "close"
    assert ended == ["dead"]


async def test_a_bug_brings_down_this_actor_alone_and_the_next_one_opens_afresh() -> None:
    double = Double()
    async with TestSystem() as system:
        other = await Probe.start(system)
        ref = await started(system, double)
        double.errors["read"] = RuntimeError("a bug")
        with pytest.raises(ActorDead):
            await ref.ask(READ, 5.0)
        double.errors.clear()
        with suppress(ActorDead):
            await ref.ask(READ, 5.0)
        await double.until(lambda: double.made == 2)
        again = system.find("/test/store")
        assert await again.ask(READ, 5.0) is None
        assert (again.incarnation, other.ref.incarnation) == (2, 1)
        assert other.ref.is_alive


async def test_who_watches_is_told_each_request_its_time_and_its_outcome() -> None:
    double = Double()
    seen: list[tuple[str, bool, str]] = []

    def observe(what: str, seconds: float, outcome: str) -> None:
        seen.append((what, seconds >= 0, outcome))

    async with TestSystem() as system:
        ref = await started(system, double, observe=observe)
        await ref.ask(READ, 5.0)
        double.errors["symbols"] = RowRefused("a row")
        with pytest.raises(AskRejected):
            await ref.ask(SYMBOLS, 5.0)
        double.errors["symbols"] = RuntimeError("a bug")
        with pytest.raises(ActorDead):
            await ref.ask(SYMBOLS, 5.0)
    assert seen == [("ReadRows", True, "ok"), ("ReadSymbols", True, "refused:row"), ("ReadSymbols", True, "failed")]


async def test_the_rows_of_a_commit_are_told_to_whoever_listens_and_not_carried_on_by_who_has_written_them() -> None:
    row = OutboxRow(41, "event", "i", TRADES, "A", 1, 1, b"payload", datetime(2026, 1, 1, tzinfo=UTC))
    double = Double()
    double.answers["write"] = WriteResult(
        "i", "run", TRADES, 1, 1, 0, 0, 41, 1, False, ("A",), None, None, 0.0, b"", (row,), 40
    )
    async with TestSystem() as system:
        ref = await started(system, double)
        result = await ref.ask(WriteChunk(CHUNK), 5.0)
        told = [(each.position, each.outbox, each.after) for each in system.recorded(OutboxGrew)]
    assert told == [(41, (row,), 40)]
    assert (result.position, result.outbox) == (41, ())


@pytest.mark.parametrize("outbox_rows", [0, 2])
async def test_what_a_commit_put_into_the_outbox_is_told_to_whoever_listens(outbox_rows: int) -> None:
    double = Double()
    double.answers["write"] = WriteResult(
        "i", "run", TRADES, 0, 0, 0, 0, 41 if outbox_rows else 0, outbox_rows, False, (), None, None, 0.0
    )
    async with TestSystem() as system:
        ref = await started(system, double)
        await ref.ask(WriteChunk(CHUNK), 5.0)
        grown = [(each.path, each.position) for each in system.recorded(OutboxGrew)]
    assert grown == ([("/test/store", 41)] if outbox_rows else [])
