"""What waits for what in the store's actor: slow reads hold up nobody else, and the relay and probes go first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import get_args

import anyio
import pytest

from actors import ActorRef, AskRejected
from actors.testing import TestSystem
from backbone.domain import Dimension
from backbone.store import messages
from backbone.store.lanes import Lane, lane_of
from backbone.store.messages import StoreQuestion, WriteChunk
from tests.backbone.store.test_actor import ASKED, CHUNK, READ, TRADES, Double, started


async def outcome(ref: ActorRef, request: StoreQuestion, told: list[object]) -> None:
    try:
        told.append(await ref.ask(request, 60.0))
    except AskRejected as error:
        told.append(error.code)


@asynccontextmanager
async def behind_a_hundred(held: str, request: StoreQuestion) -> AsyncIterator[ActorRef]:
    """A store's actor of which a hundred such requests are under way or wait; the block has a second."""
    double = Double()
    async with TestSystem() as system, anyio.create_task_group() as group:
        ref = await started(system, double)
        double.hold(held)
        for _ in range(100):
            group.start_soon(outcome, ref, request, [])
        await double.until(lambda: double.at_work == 4)
        with anyio.fail_after(1):
            yield ref
        group.cancel_scope.cancel()


async def test_behind_a_hundred_slow_reads_commits_probes_and_the_relay_are_served_at_once() -> None:
    async with behind_a_hundred("read", READ) as ref:
        for request in (
            messages.ProbeStore(),
            messages.ReadOutbox(0, first=True),
            messages.AdvanceRelay(1),
            messages.OutboxState(),
            messages.ReadReached(),
            WriteChunk(CHUNK),
            messages.QuarantineRows(()),
            messages.ClaimEpoch("csv", TRADES),
        ):
            await ref.ask(request, 1.0)


async def test_behind_slow_commits_reads_and_probes_are_served_at_once() -> None:
    async with behind_a_hundred("write", WriteChunk(CHUNK)) as ref:
        await ref.ask(READ, 1.0)
        await ref.ask(messages.ProbeStore(), 1.0)


async def test_more_reads_than_may_wait_are_refused_as_busy_and_the_others_are_answered() -> None:
    double, told = Double(), list[object]()
    async with TestSystem() as system, anyio.create_task_group() as group:
        ref = await started(system, double)
        gate = double.hold("read")
        for _ in range(600):
            group.start_soon(outcome, ref, READ, told)
        await anyio.wait_all_tasks_blocked()
        for _ in range(600):
            group.start_soon(outcome, ref, READ, told)
        await anyio.wait_all_tasks_blocked()
        assert told == ["busy"] * 176
        gate.set()
    assert told.count(None) == 1024


async def test_claims_of_one_source_are_served_in_their_order_and_those_of_others_beside_them() -> None:
    double = Double()
    async with TestSystem() as system, anyio.create_task_group() as group:
        ref = await started(system, double)
        gate = double.hold("claim_epoch")
        mine, other = messages.ClaimEpoch("csv", TRADES), messages.ClaimEpoch("csv", Dimension.QUOTES)
        group.start_soon(outcome, ref, mine, [])
        await double.until(lambda: double.at_work == 1)
        group.start_soon(outcome, ref, mine, [])
        group.start_soon(outcome, ref, other, [])
        await double.until(lambda: double.at_work == 2)
        await anyio.wait_all_tasks_blocked()
        assert double.count("claim_epoch") == 2
        gate.set()
        await double.until(lambda: double.count("claim_epoch") == 3)


def test_every_question_has_a_lane() -> None:
    lanes = {type(request): lane_of(request) for request, _ in ASKED}
    assert set(lanes) == set(get_args(StoreQuestion))
    changing = {kind.__name__ for kind, lane in lanes.items() if lane is Lane.WRITES}
    assert changing == {
        *(
            "ClaimEpoch",
            "WriteChunk",
            "QuarantineRows",
            "DeleteQuarantine",
            "RecordJournal",
            "RecordRun",
            "VoidLedger",
            "NoteExport",
        ),
        *("MigrateStore", "DropRows", "PruneStore"),
        *("RecordSeen", "CommitOffsets", "KeepDeadLetters", "DeleteDeadLetters"),
        *("RecordRun", "VoidLedger", "ClearQuarantine", "DeleteQuarantine"),
    }


@pytest.mark.parametrize(("first", "lane"), [(True, Lane.FIRST), (False, Lane.READS)])
def test_the_relays_look_at_the_outbox_goes_before_those_of_slow_subscribers(first: bool, lane: Lane) -> None:
    assert lane_of(messages.ReadOutbox(0, first=first)) is lane


@pytest.mark.parametrize("request_", [messages.Lease("kafka"), messages.LeaveLease("kafka")])
def test_what_keeps_a_lease_waits_for_nothing_else_or_it_would_be_lost(request_: StoreQuestion) -> None:
    assert lane_of(request_) is Lane.LEASES
