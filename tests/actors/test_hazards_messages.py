"""Hazards of messages, waits and restarts: what goes wrong elsewhere, and does not here.

Each test fails without its remedy.
"""

from __future__ import annotations

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorRef,
    ActorRestarting,
    Backoff,
    ChildSpec,
    DeadLetter,
    DeadlockError,
    Intensity,
    Mailbox,
    Message,
    Request,
    Restart,
    StartError,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, CrashAsk, Journal, Note, Number, Work, Worker, settle, worker


def _fail() -> None:
    raise ValueError("in the stop hook")


class Forward(Message):
    """Tell this one three times."""

    ref: ActorRef


class Spawn(Request[str]):
    """Start a child that asks back in its on_start."""


class Nest(Actor):
    @handles
    async def spawn(self, message: Spawn) -> str:
        try:
            await self.context.start_child(ChildSpec("egg", Egg))
        except StartError as error:
            return type(error.cause).__name__
        return "started"

    @handles
    def number(self, message: Number) -> int:
        return 1


class Egg(Actor):
    async def on_start(self) -> None:
        await self.context.parent.ask(Number(), timeout=None)


async def test_a_child_that_asks_its_waiting_parent_is_told_of_the_deadlock(actor_system: TestSystem) -> None:
    """hazard: re-entrancy deadlock."""
    ref = await actor_system.start_child(ChildSpec("nest", Nest))
    assert await ref.ask(Spawn()) == DeadlockError.__name__


async def test_actors_that_fill_each_others_mailboxes_come_free_by_the_default_timeout(
    actor_system: TestSystem,
) -> None:
    """hazard: bounded tell cycles deadlock too."""

    class Filler(Actor):
        @handles
        async def forward(self, message: Forward) -> None:
            for _ in range(3):
                await message.ref.tell(Note())

        @handles
        def note(self, message: Note) -> None:
            pass

    a, b = [await actor_system.start_child(ChildSpec(n, Filler, mailbox=Mailbox(1))) for n in "ab"]
    a.tell_nowait(Forward(b))
    b.tell_nowait(Forward(a))
    await settle(6.0)
    assert {crash.path for crash in actor_system.recorded(ActorCrashed)} <= {"/test/a", "/test/b"}
    assert actor_system.roster().deadlocks == ()
    await a.tell(Note())
    await b.tell(Note())


async def test_stop_and_kill_pass_ten_thousand_messages(actor_system: TestSystem) -> None:
    """hazard: priority inversion."""
    for end in ("stop", "kill"):
        journal = Journal()
        spec = worker(end, journal, mailbox=Mailbox(capacity=20_000), restart=Restart.TEMPORARY)
        ref = await actor_system.start_child(spec)
        await ref.tell(Work(1.0))
        for _ in range(10_000):
            ref.tell_nowait(Note())
        await settle()
        await getattr(ref, end)()
        assert not [event for event in journal.events if event.startswith("note")]


async def test_a_crash_loop_is_slowed_by_backoff_with_jitter_and_each_step_is_an_event() -> None:
    """hazard: restart storms."""

    async def run(seed: int) -> list[float]:
        async with TestSystem(seed=seed, intensity=Intensity(1000, 1.0)) as system:
            backoff = Backoff(initial=1.0, maximum=30.0, jitter=0.5, reset_after=60.0)
            spec = ChildSpec("a", Worker, kwargs={"after": lambda _: _fail()}, backoff=backoff)
            await system.start_child(spec)
            await settle(300.0)
            return [event.delay for event in system.recorded(ActorRestarting)]

    one, two = await run(1), await run(2)
    assert len(one) < 20
    assert one != two
    assert one == await run(1)


async def test_a_crash_loses_the_failing_message_only_and_its_asker_gets_the_error(
    actor_system: TestSystem,
) -> None:
    """hazard: lost in-flight messages."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    ref.tell_nowait(Crash("tell"))
    ref.tell_nowait(Note("kept"))
    await settle()
    with pytest.raises(ActorDead) as info:
        await ref.ask(CrashAsk())
    assert isinstance(info.value.__cause__, Boom)
    (letter,) = actor_system.recorded(DeadLetter)
    assert letter.message == Crash("tell")
    assert "Boom: tell" in letter.reason
    assert "note a#2 kept" in journal.events


async def test_a_poison_message_is_never_delivered_again(actor_system: TestSystem) -> None:
    """hazard: poison message loop."""
    ref = await actor_system.start_child(worker("a"))
    await ref.tell(Crash())
    await settle(60.0)
    assert ref.incarnation == 2
    assert len(actor_system.recorded(ActorCrashed)) == 1


class Alarm(Actor):
    """Sets a timer at its start; journals when it fires."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    async def on_start(self) -> None:
        number = self.context.ref.incarnation
        self.context.send_after(1.0, Note(str(number)))
        self.context.send_every(1.0, Note(f"every {number}"), key="k")

    @handles
    async def work(self, message: Work) -> None:
        await anyio.sleep(message.seconds)
        raise Boom

    @handles
    def note(self, message: Note) -> None:
        self.journal.add(message.text, str(self.context.ref.incarnation))


async def test_a_timer_of_a_former_incarnation_never_reaches_the_next(actor_system: TestSystem) -> None:
    """hazard: stale timers."""
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Alarm, args=(journal,)))
    await ref.tell(Work(1.5))
    await settle(3.0)
    assert set(journal.events) == {"2 2", "every 2 2"}
