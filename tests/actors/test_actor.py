"""What an author writes and calls: handlers, timers, the context, events, `run`."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import anyio
import pytest

import actors
from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorError,
    ActorRef,
    ActorStarted,
    ActorStopped,
    ActorSystem,
    ChildNotFound,
    ChildSpec,
    DeadLetter,
    InvalidMessage,
    Message,
    Request,
    Restart,
    SpecError,
    StopReason,
    SupervisorSpec,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Crash, Journal, Note, Number, Worker, settle, takes, worker


class Arm(Message):
    """Start a timer."""

    delay: float
    text: str
    key: str | None = None
    repeat: bool = False


class Disarm(Request[bool]):
    """Cancel a timer."""

    key: str


class Clockwork(Actor):
    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    @handles
    def arm(self, message: Arm) -> None:
        send = self.context.send_every if message.repeat else self.context.send_after
        send(message.delay, Note(message.text), key=message.key)

    @handles
    def disarm(self, message: Disarm) -> bool:
        return self.context.cancel_timer(message.key)

    @handles
    async def note(self, message: Note) -> None:
        self.journal.add(message.text, f"{self.context.clock.time() - 1000.0:.1f}")
        if message.text == "slow":
            await anyio.sleep(10.0)


async def clockwork(system: TestSystem) -> tuple[ActorRef, Journal]:
    journal = Journal()
    return await system.start_child(ChildSpec("a", Clockwork, args=(journal,))), journal


async def test_a_timer_sends_once_and_a_repeating_one_again_and_again(actor_system: TestSystem) -> None:
    ref, journal = await clockwork(actor_system)
    await ref.tell(Arm(1.0, "once"))
    await ref.tell(Arm(2.0, "every", repeat=True))
    await settle(7.0)
    assert journal.events == ["once 1.0", "every 2.0", "every 4.0", "every 6.0"]


async def test_a_timer_of_the_same_key_replaces_the_former(actor_system: TestSystem) -> None:
    ref, journal = await clockwork(actor_system)
    await ref.tell(Arm(1.0, "first", key="k"))
    await ref.tell(Arm(2.0, "second", key="k"))
    await settle(5.0)
    assert journal.events == ["second 2.0"]


async def test_a_cancelled_timer_sends_nothing_even_where_its_message_is_queued(actor_system: TestSystem) -> None:
    ref, journal = await clockwork(actor_system)
    await ref.tell(Arm(1.0, "cancelled", key="k"))
    assert await ref.ask(Disarm("k")) is True
    assert await ref.ask(Disarm("k")) is False
    await ref.tell(Arm(1.0, "queued", key="q"))
    await ref.tell(Note("slow"))
    async with anyio.create_task_group() as group:
        group.start_soon(ref.ask, Disarm("q"), 60.0)
        await settle(5.0)
    await settle(20.0)
    assert journal.events == ["slow 0.0"]


async def test_ticks_do_not_pile_up_behind_a_slow_handler(actor_system: TestSystem) -> None:
    ref, journal = await clockwork(actor_system)
    await ref.tell(Arm(1.0, "tick", key="k", repeat=True))
    await ref.tell(Note("slow"))
    await settle(10.5)
    assert journal.events == ["slow 0.0", "tick 10.0"]


@pytest.mark.parametrize(("delay", "repeat"), [(-1.0, False), (0.0, True)])
async def test_a_timer_without_a_sensible_delay_is_refused(
    actor_system: TestSystem, delay: float, repeat: bool
) -> None:
    ref, _ = await clockwork(actor_system)
    await ref.tell(Arm(delay, "x", repeat=repeat))
    await settle()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert isinstance(crash.reason.error, SpecError)


async def test_a_timer_whose_message_the_actor_does_not_handle_is_refused_when_it_is_set(
    actor_system: TestSystem,
) -> None:
    class Mistaken(Actor):
        async def on_start(self) -> None:
            self.context.send_after(1.0, Note())

    with pytest.raises(actors.StartError) as info:
        await actor_system.start_child(ChildSpec("a", Mistaken))
    assert isinstance(info.value.cause, InvalidMessage)


def test_two_handlers_of_one_type_are_an_error_of_the_class() -> None:
    with pytest.raises(TypeError, match=r"both handle Note; keep one"):

        class Twice(Actor):
            @handles
            def one(self, message: Note) -> None: ...

            @handles
            def two(self, message: Note) -> None: ...


def test_a_handler_names_its_message_by_an_annotation() -> None:
    with pytest.raises(TypeError, match=r"annotate exactly one message"):

        class Bare(Actor):
            @handles
            def bare(self, message): ...  # type: ignore[no-untyped-def]

    with pytest.raises(TypeError, match=r"is not a Message"):

        class Wrong(Actor):
            @handles  # type: ignore[type-var]
            def wrong(self, message: int) -> None: ...

    with pytest.raises(TypeError, match=r"cannot resolve the annotation 'Nowhere'"):

        class Missing(Actor):
            @handles
            def missing(self, message: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


async def test_a_subclass_inherits_handlers_and_may_override_them(actor_system: TestSystem) -> None:
    class Louder(Worker):
        @handles
        def note(self, message: Note) -> None:
            self.journal.add("LOUD", message.text)

        def number(self, message: Number) -> int:
            return 100

    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Louder, args=(journal,)))
    await ref.tell(Note("x"))
    assert await ref.ask(Number()) == 100
    assert "LOUD x" in journal.events


def test_messages_are_frozen_and_compare_by_value() -> None:
    assert Note("a") == Note("a") != Note("b")
    with pytest.raises(AttributeError):
        Note("a").text = "b"  # type: ignore[misc]


async def test_the_context_of_a_former_incarnation_refuses(actor_system: TestSystem) -> None:
    kept: list[Any] = []

    class Leaky(Actor):
        async def on_start(self) -> None:
            kept.append(self.context)

        @handles
        def note(self, message: Note) -> None: ...

    ref = await actor_system.start_child(ChildSpec("a", Leaky, restart=Restart.TEMPORARY))
    await ref.stop()
    with pytest.raises(ActorDead):
        kept[0].send_after(1.0, Note())
    with pytest.raises(ActorDead):
        kept[0].watch(ref)
    with pytest.raises(ActorDead):
        await kept[0].start_child(worker("b"))


async def test_an_actor_knows_its_surroundings(actor_system: TestSystem) -> None:
    seen: list[object] = []

    class Curious(Actor):
        async def on_start(self) -> None:
            context = self.context
            seen.extend((context.ref.path, context.parent.path, context.system, context.health.level))

    sup = await actor_system.start_child(SupervisorSpec("sup"))
    await sup.start_child(ChildSpec("a", Curious))
    assert seen == ["/test/sup/a", "/test/sup", actor_system, "ok"]


async def test_an_actor_can_be_found_by_its_path(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup"))
    ref = await sup.start_child(worker("a"))
    assert actor_system.find("/test/sup/a") == ref
    with pytest.raises(ChildNotFound, match="/test/sup has no child 'b'"):
        actor_system.find("/test/sup/b")


async def test_events_come_in_order_to_whoever_wants_them(actor_system: TestSystem) -> None:
    with actor_system.events.subscribe(ActorStarted, ActorStopped) as events:
        ref = await actor_system.start_child(worker("a"))
        await ref.tell(Crash())
        await settle()
        await ref.stop()
        kinds = [type(await anext(events)).__name__ for _ in range(3)]
    assert kinds == ["ActorStarted", "ActorStarted", "ActorStopped"]


async def test_a_slow_subscriber_loses_the_oldest_and_they_are_counted(actor_system: TestSystem) -> None:
    events = actor_system.events.subscribe(DeadLetter, capacity=3)
    for number in range(5):
        actor_system._opened().dead_letter("/x", Note(str(number)), "a test")
    assert events.dropped == 2
    assert [(await anext(events)).message.text for _ in range(3)] == ["2", "3", "4"]


async def test_a_waiting_subscriber_wakes_and_ends_with_its_system() -> None:
    seen: list[str] = []

    async def read(events: actors.Subscription[ActorStarted]) -> None:
        async for event in events:
            seen.append(event.path)  # noqa: PERF401 - one at a time is the point

    async with anyio.create_task_group() as group, TestSystem() as system:
        group.start_soon(read, system.events.subscribe(ActorStarted))
        await settle()
        await system.start_child(worker("a"))
        await settle()
        assert seen == ["/test/a"]


async def test_a_system_is_opened_once() -> None:
    system = TestSystem()
    with pytest.raises(ActorError, match="not open"):
        await system.start_child(worker("a"))
    async with system:
        pass
    with pytest.raises(ActorError, match="opened once"):
        await system.__aenter__()


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_stops_the_system_in_order(number: signal.Signals, error: type[BaseException]) -> None:
    journal = Journal()

    async def main() -> None:
        async with ActorSystem("signalled") as system:
            await system.start_child(worker("a", journal, stop=takes(0.001)))
            os.kill(os.getpid(), number)
            await anyio.sleep_forever()

    with pytest.raises(error) as info:
        actors.run(main)
    assert journal.events == ["start a#1", "stop a#1"]
    if isinstance(info.value, SystemExit):
        assert info.value.code == 143


def test_run_gives_back_what_main_returns_and_raises() -> None:
    async def fine() -> int:
        return 7

    async def bad() -> None:
        raise LookupError("mine")

    assert actors.run(fine) == 7
    with pytest.raises(LookupError, match="mine"):
        actors.run(bad)
    assert asyncio.run(fine()) == 7


async def test_a_stop_reason_reads_well() -> None:
    assert str(StopReason("crash", "Boom: x")) == "crash: Boom: x"
    assert [kind for kind in ("normal", "shutdown", "parent_died") if StopReason(kind).abnormal] == []
    assert all(StopReason(kind).abnormal for kind in ("crash", "killed", "intensity", "timeout"))
