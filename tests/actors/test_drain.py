"""Draining: what is queued is handled, nothing more is taken in, and so it ends."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ChildSpec,
    DeadLetter,
    Mailbox,
    Message,
    Shutdown,
    StopReason,
    Strategy,
    SupervisorSpec,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Crash, Journal, Note, Work, settle, worker


class Beat(Message):
    """Comes from a timer, faster than it is handled."""


class Metronome(Actor):
    """Is slower than its timers; keeps how many beats it handled and why it stopped."""

    def __init__(self, how: str, journal: Journal) -> None:
        self.how, self.journal = how, journal

    async def on_start(self) -> None:
        if self.how == "every":
            self.context.send_every(0.1, Beat())
        else:
            self.context.send_after(0.1, Beat())

    @handles
    async def beat(self, message: Beat) -> None:
        if self.how == "again":
            self.context.send_after(0.1, Beat())
        await anyio.sleep(0.2)
        if self.how == "tells":
            await self.context.ref.tell(Beat())
        if self.how == "helper":
            self.context.run_task(self.context.ref.tell(Beat()))
        self.journal.add("beat", "")

    async def on_stop(self, reason: StopReason) -> None:
        self.journal.add("stop", reason.kind)


@pytest.mark.parametrize("how", ["every", "again", "tells", "helper"])
@pytest.mark.parametrize("by", ["drain", "stop"])
async def test_a_drain_ends_though_the_actor_goes_on_sending_to_itself(
    actor_system: TestSystem, how: str, by: str
) -> None:
    """64."""
    journal = Journal()
    spec = ChildSpec("a", Metronome, args=(how, journal), shutdown=Shutdown.INFINITE, drain_on_stop=by == "stop")
    ref = await actor_system.start_child(spec)
    await settle(1.05)
    before = len(journal.events)
    with anyio.fail_after(1.0):
        await (ref.drain() if by == "drain" else ref.stop())
    assert before < len(journal.events) <= before + 3
    assert journal.events[-1] == "stop shutdown"
    assert actor_system.recorded(ActorCrashed) == []


async def test_a_tick_that_is_queued_when_a_drain_begins_is_handled(actor_system: TestSystem) -> None:
    """64."""
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Metronome, args=("once", journal)))
    await settle(0.11)
    assert journal.events == []
    await ref.drain()
    assert journal.events == ["beat ", "stop shutdown"]


async def test_a_stop_that_drains_refuses_what_comes_later_and_takes_whoever_waits_for_room(
    actor_system: TestSystem,
) -> None:
    """64."""
    journal = Journal()
    spec = worker("a", journal, drain_on_stop=True, mailbox=Mailbox(1))
    ref = await actor_system.start_child(spec)
    await ref.tell(Work(1.0))
    await settle()
    await ref.tell(Note("queued"))
    async with anyio.create_task_group() as group:
        group.start_soon(ref.tell, Note("waits"))
        await settle()
        group.start_soon(actor_system.terminate_child, "a")
        await settle()
        with pytest.raises(ActorDead):
            await ref.tell(Note("late"))
    assert journal.events[-3:] == ["note a#1 queued", "note a#1 waits", "stop a#1"]
    assert actor_system.recorded(DeadLetter) == []


async def test_a_busy_sender_does_not_keep_a_stop_that_drains(actor_system: TestSystem) -> None:
    """64."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, drain_on_stop=True))
    refused: list[Any] = []

    async def send() -> None:
        while not refused:
            try:
                await ref.tell(Work(0.2))
            except ActorDead as error:
                refused.append(error.message)
            await anyio.sleep(0.1)

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await settle(1.0)
        await ref.stop()
    assert refused == [Work(0.2)]
    assert journal.events[-1] == "stop a#1"


async def test_a_group_restart_leaves_what_is_queued_to_the_next_life(actor_system: TestSystem) -> None:
    """64."""
    journal = Journal()
    children = [worker("a", journal), worker("b", journal, drain_on_stop=True)]
    await actor_system.start_child(SupervisorSpec("sup", children=children, strategy=Strategy.ONE_FOR_ALL))
    a, b = (actor_system.find(f"/test/sup/{name}") for name in "ab")
    await b.tell(Work(1.0))
    await settle()
    await b.tell(Note("queued"))
    await a.tell(Crash())
    await settle(0.5)
    await b.tell(Note("meanwhile"))
    await settle(2.0)
    assert [event for event in journal.events if event.startswith("note")] == ["note b#2 queued", "note b#2 meanwhile"]
