"""Stop, kill, drain: what becomes of messages, children and whoever waits."""

from __future__ import annotations

import anyio
import pytest

import actors
from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorSystem,
    Backoff,
    ChildSpec,
    DeadLetter,
    DeadlockError,
    Intensity,
    Message,
    Request,
    Restart,
    StopReason,
    SupervisorSpec,
    handles,
)
from actors.testing import TestSystem, virtual_loop
from tests.actors.kit import Boom, Crash, Journal, Note, Number, Work, settle, takes, worker


async def test_stop_beats_queued_messages_and_lets_the_current_handler_finish(actor_system: TestSystem) -> None:
    """63."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await ref.tell(Work(1.0))
    await ref.tell(Note("queued"))
    await settle()
    await ref.stop()
    assert journal.events == ["start a#1", "begin a#1", "done a#1", "stop a#1"]


async def test_kill_interrupts_the_handler_at_its_next_await(actor_system: TestSystem) -> None:
    """63."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, restart=Restart.TEMPORARY))
    await ref.tell(Work(100.0))
    await settle()
    began = anyio.current_time()
    await ref.kill()
    assert anyio.current_time() == began
    assert journal.events == ["start a#1", "begin a#1"]


async def test_stop_beats_the_supervision_events_that_wait_in_a_supervisor(actor_system: TestSystem) -> None:
    """63."""
    journal = Journal()
    sup = await actor_system.start_child(SupervisorSpec("sup"))
    slow = await sup.start_child(worker("slow", journal, start=takes(5.0, 2)))
    other = await sup.start_child(worker("other", journal))
    journal.take()
    await slow.tell(Crash())
    await settle()
    await other.tell(Crash())
    await settle()
    await sup.stop()
    assert "init other#2" not in journal.events
    assert not slow.is_alive


async def test_drain_handles_what_was_queued_and_refuses_what_comes_later(actor_system: TestSystem) -> None:
    """64."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await ref.tell(Work(1.0))
    await ref.tell(Note("queued"))
    await settle()
    async with anyio.create_task_group() as group:
        group.start_soon(ref.drain)
        await settle()
        assert not ref.is_alive
        with pytest.raises(ActorDead) as told:
            await ref.tell(Note("late"))
        with pytest.raises(ActorDead) as asked:
            await ref.ask(Number())
    assert told.value.message == Note("late")
    assert asked.value.message == Number()
    assert journal.events == ["start a#1", "begin a#1", "done a#1", "note a#1 queued", "stop a#1"]


async def test_a_spec_may_ask_for_draining_at_every_stop(actor_system: TestSystem) -> None:
    """64."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, drain_on_stop=True))
    await ref.tell(Note("queued"))
    await ref.stop()
    assert journal.events == ["start a#1", "note a#1 queued", "stop a#1"]


async def test_left_over_tells_become_dead_letters_with_the_stop_reason(actor_system: TestSystem) -> None:
    """65."""
    ref = await actor_system.start_child(worker("a"))
    await ref.tell(Work(1.0))
    await ref.tell(Note("left"))
    await settle()
    await ref.stop()
    letters = actor_system.recorded(DeadLetter)
    assert [(letter.path, letter.message) for letter in letters] == [("/test/a", Note("left"))]
    assert "shutdown" in letters[0].reason


async def test_left_over_asks_fail_with_actor_dead_that_carries_their_message(actor_system: TestSystem) -> None:
    """65."""
    ref = await actor_system.start_child(worker("a"))
    await ref.tell(Work(1.0))
    failed: list[ActorDead] = []

    async def ask() -> None:
        with pytest.raises(ActorDead) as caught:
            await ref.ask(Number())
        failed.append(caught.value)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await settle()
        await ref.stop()
    assert failed[0].message == Number()
    assert failed[0].reason is not None
    assert failed[0].reason.kind == "shutdown"


async def test_a_restart_keeps_left_overs_and_an_exhausted_budget_dead_letters_them(actor_system: TestSystem) -> None:
    """66."""
    journal = Journal()
    sup = await actor_system.start_child(SupervisorSpec("sup", intensity=Intensity(1, 5.0), restart=Restart.TEMPORARY))
    ref = await sup.start_child(worker("a", journal))
    for message in (Crash(), Note("kept"), Crash(), Note("lost")):
        ref.tell_nowait(message)
    await settle()
    assert journal.events == ["start a#1", "stop a#1", "start a#2", "note a#2 kept", "stop a#2"]
    assert [letter.message for letter in actor_system.recorded(DeadLetter)] == [Crash(), Crash(), Note("lost")]


class Farewell(Message):
    """Stops itself, then tells itself."""


class Leaver(Actor):
    def __init__(self) -> None:
        self.noted = 0

    @handles
    async def leave(self, message: Farewell) -> None:
        self.context.stop_self()
        await self.context.ref.tell(Note("after"))

    @handles
    def note(self, message: Note) -> None:
        raise AssertionError("handled after stop_self()")


async def test_what_an_actor_tells_itself_after_stopping_itself_is_dead_lettered(actor_system: TestSystem) -> None:
    """67."""
    ref = await actor_system.start_child(ChildSpec("a", Leaver, restart=Restart.TRANSIENT))
    await ref.tell(Farewell())
    await settle()
    assert [letter.message for letter in actor_system.recorded(DeadLetter)] == [Note("after")]
    assert actor_system.recorded(ActorCrashed) == []


class Suicide(Request[str]):
    """Awaits its own end by this method of its ref."""

    how: str


class Bound(Actor):
    @handles
    async def die(self, message: Suicide) -> str:
        context = self.context
        try:
            if message.how == "terminate_child":
                await context.system.terminate_child(context.ref.id)
            elif message.how == "system.stop":
                await context.system.stop()
            else:
                await getattr(context.ref, message.how)()
        except DeadlockError as error:
            return str(error)
        return "went through"


@pytest.mark.parametrize("how", ["stop", "drain", "kill", "terminate_child", "system.stop"])
async def test_waiting_for_ones_own_stop_inside_a_handler_raises(actor_system: TestSystem, how: str) -> None:
    """68."""
    ref = await actor_system.start_child(ChildSpec("a", Bound))
    assert "stop_self()" in await ref.ask(Suicide(how))
    assert ref.is_alive


class Parent(Actor):
    """Starts children of its own; stays busy in on_stop while they are gone."""

    def __init__(self, journal: Journal, count: int = 1) -> None:
        self.journal, self.count = journal, count

    async def on_start(self) -> None:
        for number in range(self.count):
            spec = ChildSpec(f"c{number}", Child, args=(self.journal,), restart=Restart.TEMPORARY)
            await self.context.start_child(spec)

    async def on_stop(self, reason: StopReason) -> None:
        self.journal.add("parent stops", str(reason.kind))

    @handles
    def number(self, message: Number) -> int:
        return 0

    @handles
    def crash(self, message: Crash) -> None:
        raise Boom(message.text)


class Child(Actor):
    """Asks its parent while it stops."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    async def on_stop(self, reason: StopReason) -> None:
        self.journal.reasons[self.context.ref.id] = reason
        try:
            await self.context.parent.ask(Number())
        except (ActorDead, DeadlockError) as error:
            self.journal.add(type(error).__name__, self.context.ref.id)

    @handles
    async def relay(self, message: Note) -> None:
        try:
            await self.context.parent.ask(Number(), timeout=None)
        except ActorDead:
            self.journal.add("ActorDead", self.context.ref.id)


@pytest.mark.parametrize("count", [1, 2])
async def test_children_that_ask_their_stopping_parent_get_an_error_and_no_deadlock(
    actor_system: TestSystem, count: int
) -> None:
    """69."""
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("parent", Parent, args=(journal, count)))
    began = anyio.current_time()
    await ref.stop()
    assert anyio.current_time() == began
    assert journal.events == [*(f"ActorDead c{n}" for n in reversed(range(count))), "parent stops shutdown"]


async def test_a_child_that_waits_for_its_parents_reply_hears_of_its_end(actor_system: TestSystem) -> None:
    """69."""
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("parent", Parent, args=(journal, 1)))
    child = actor_system.find("/test/parent/c0")
    assert child is not None
    child.tell_nowait(Note())
    await ref.stop()
    assert journal.events[-1] == "parent stops shutdown"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_keyboard_interrupt_in_a_handler_stops_the_system_in_order_and_surfaces_from_run(
    error: type[BaseException],
) -> None:
    """70."""
    journal = Journal()
    crashes: list[object] = []

    class Interrupted(Actor):
        @handles
        def note(self, message: Note) -> None:
            raise error

    async def main() -> None:
        async with TestSystem() as system:
            await system.start_child(worker("a", journal))
            await system.start_child(worker("b", journal))
            ref = await system.start_child(ChildSpec("c", Interrupted))
            crashed = system.events.subscribe(ActorCrashed)
            try:
                await ref.tell(Note())
                await anyio.sleep_forever()
            finally:
                crashes.append(crashed.get_nowait())

    with pytest.raises(error):
        actors.run(main, loop_factory=virtual_loop)
    assert journal.events == ["start a#1", "start b#1", "stop b#1", "stop a#1"]
    assert crashes == [None]


async def test_a_crashing_parent_stops_its_children_through_their_stop_hooks_with_parent_died(
    actor_system: TestSystem,
) -> None:
    """71."""
    journal = Journal()
    spec = ChildSpec("parent", Parent, args=(journal, 2), restart=Restart.TEMPORARY)
    ref = await actor_system.start_child(spec)
    await ref.tell(Crash())
    await settle()
    assert {who: reason.kind for who, reason in journal.reasons.items()} == {"c1": "parent_died", "c0": "parent_died"}
    assert journal.events == ["ActorDead c1", "ActorDead c0", "parent stops crash"]


async def test_the_restarted_parent_starts_its_children_anew(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("parent", Parent, args=(journal, 1)))
    await ref.tell(Crash())
    await settle()
    child = actor_system.find("/test/parent/c0")
    assert ref.incarnation == 2
    assert child is not None
    assert child.is_alive


async def test_a_message_sent_in_backoff_is_dead_lettered_when_the_child_is_terminated(
    actor_system: TestSystem,
) -> None:
    """65."""
    ref = await actor_system.start_child(worker("a", backoff=Backoff(initial=10.0)))
    await ref.tell(Crash())
    await settle()
    await ref.tell(Note("waits"))
    await ref.stop()
    assert [letter.message for letter in actor_system.recorded(DeadLetter)] == [Crash(), Note("waits")]


async def test_the_body_may_leave_by_an_error_and_the_system_stops_in_order() -> None:
    journal = Journal()

    async def body() -> None:
        async with TestSystem() as system:
            await system.start_child(worker("a", journal))
            raise Boom

    with pytest.raises(Boom):
        await body()
    assert journal.events == ["start a#1", "stop a#1"]


async def test_cancelling_the_body_stops_the_system_in_order() -> None:
    journal = Journal()

    async def body() -> None:
        async with ActorSystem("inner") as system:
            await system.start_child(worker("a", journal, stop=takes(2.0)))
            await anyio.sleep_forever()

    with anyio.move_on_after(1.0):
        await body()
    assert journal.events == ["start a#1", "stop a#1"]
