"""Ends that come at a bad moment or by an error that resists being reported: nobody hangs, and nobody is told a lie."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorStopped,
    ActorSystem,
    Backoff,
    ChildSpec,
    HealthChanged,
    Intensity,
    Mailbox,
    MailboxFull,
    Message,
    Overflow,
    Request,
    Restart,
    StartError,
    StopReason,
    Strategy,
    SupervisorSpec,
    Terminated,
    handles,
)
from actors.testing import Probe, TestSystem
from tests.actors.kit import Boom, settle


@dataclass(frozen=True)
class Frozen(Exception):
    """An error whose attributes can't be set: neither its traceback nor its notes."""

    code: int


class Unprintable:
    """Raises when it is made into text."""

    def __str__(self) -> str:
        raise Boom("no text")


def noted(note: object) -> Exception:
    error = Boom("noted")
    error.__notes__ = [note]  # type: ignore[list-item]
    return error


def tupled() -> Exception:
    error = Boom("noted")
    error.__notes__ = ("one",)  # type: ignore[assignment]
    return error


def caused() -> Exception:
    error = ValueError("outer")
    error.__cause__ = Frozen(2)
    return error


AWKWARD: list[Callable[[], Exception]] = [lambda: Frozen(1), caused, lambda: noted(Unprintable()), tupled]


class Go(Message):
    """Do it."""

    seconds: float = 0.0


class Here(Request[int]):
    """Which incarnation answers?"""


class Raiser(Actor):
    """Raises what it was given, when told or when it starts."""

    def __init__(self, make: Callable[[], BaseException], when: str = "told") -> None:
        self.make = make
        self.when = when

    async def on_start(self) -> None:
        if self.when == "start":
            raise self.make()

    @handles
    async def go(self, message: Go) -> None:
        await anyio.sleep(message.seconds)
        if self.when == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(self.fall())
        if self.when == "helper":
            self.context.run_task(self.fall())
            await anyio.sleep(60)
        raise self.make()

    async def fall(self) -> None:
        raise self.make()

    @handles
    def here(self, _: Here) -> int:
        return self.context.ref.incarnation


@pytest.mark.parametrize("make", AWKWARD)
async def test_a_crash_by_an_error_that_resists_is_a_crash_like_any_other(
    actor_system: TestSystem, make: Callable[[], Exception]
) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Raiser, args=(make,)))
    await ref.tell(Go())
    assert await ref.ask(Here()) == 2
    with pytest.raises(StartError, match="b did not start") as caught:
        await actor_system.start_child(ChildSpec("b", Raiser, args=(make, "start"), start_timeout=60))
    assert not isinstance(caught.value.cause, TimeoutError)
    await ref.tell(Go(seconds=1))
    await settle()
    await ref.stop()  # while the handler is about to raise
    assert len(actor_system.recorded(ActorCrashed)) == 2


async def test_a_cause_in_a_group_does_not_end_the_program(actor_system: TestSystem) -> None:
    def parse() -> ValueError:
        error = ValueError("bad arguments")
        error.__cause__ = SystemExit(2)  # as of a parser, and dealt with
        return error

    ref = await actor_system.start_child(ChildSpec("a", Raiser, args=(parse, "group")))
    await ref.tell(Go())
    assert await ref.ask(Here()) == 2


async def test_an_idle_subscription_keeps_nothing_of_readers_that_gave_up(actor_system: TestSystem) -> None:
    subscription = actor_system.events.subscribe(ActorCrashed)
    for _ in range(100):
        with anyio.move_on_after(0):
            await anext(subscription)
    assert not subscription._waiting


async def test_who_handed_a_system_on_is_not_cancelled_by_its_stop_from_inside() -> None:
    inside = TestSystem()
    undisturbed = False

    async def enter() -> None:
        nonlocal undisturbed
        await inside.__aenter__()
        entered.set()
        await anyio.sleep(10)
        undisturbed = True

    class Ender(Actor):
        async def on_stop(self, _: StopReason) -> None:
            await anyio.sleep(1)

        @handles
        def go(self, _: Go) -> None:
            self.context.run_task(self.context.system.stop())

    entered = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(enter)
        await entered.wait()
        ref = await inside.start_child(ChildSpec("ender", Ender))
        await ref.tell(Go())
        await inside.__aexit__(None, None, None)
    assert undisturbed


class Slow(Actor):
    """Handles what it is sent slowly, and keeps it and what it was told of ends."""

    def __init__(self, told: list[object], targets: tuple[str, ...] = ()) -> None:
        self.told = told
        self.targets = targets

    async def on_start(self) -> None:
        for path in self.targets:
            self.context.watch(self.context.system.find(path))

    @handles
    async def go(self, message: Go) -> None:
        self.told.append(message)
        await anyio.sleep(message.seconds)

    @handles
    async def ended(self, message: Terminated) -> None:
        self.told.append(message.path)
        await anyio.sleep(1)


async def test_a_mailbox_that_drops_keeps_the_news_of_every_watch(actor_system: TestSystem) -> None:
    for name in ("x", "y"):
        await actor_system.start_child(ChildSpec(name, Slow, args=([],)))
    told: list[object] = []
    spec = ChildSpec("w", Slow, args=(told, ("/test/x", "/test/y")), mailbox=Mailbox(1, overflow=Overflow.DROP_OLDEST))
    watcher = await actor_system.start_child(spec)
    await watcher.tell(Go(seconds=1))
    await settle()
    for name in ("x", "y"):
        await actor_system.terminate_child(name)
    await anyio.sleep(1.5)  # the first of the two is in hand
    for _ in range(3):
        await watcher.tell(Go())
    await anyio.sleep(10)
    assert [each for each in told if isinstance(each, str)] == ["/test/x", "/test/y"]


async def test_a_mailbox_that_drops_does_not_end_a_timer(actor_system: TestSystem) -> None:
    class Ticking(Slow):
        async def on_start(self) -> None:
            self.context.send_every(0.5, Tick())

        @handles
        def tick(self, message: Tick) -> None:
            self.told.append(message)

    told: list[object] = []
    spec = ChildSpec("t", Ticking, args=(told,), mailbox=Mailbox(2, overflow=Overflow.DROP_OLDEST))
    ref = await actor_system.start_child(spec)
    await ref.tell(Go(seconds=2))
    await anyio.sleep(1)
    for _ in range(5):
        await ref.tell(Go())
    await anyio.sleep(2)
    told.clear()
    await anyio.sleep(5)
    assert len(told) == pytest.approx(10, abs=1)


class Tick(Message):
    """A timer's message."""


class Leaver(Actor):
    """Tells itself to stop, and crashes."""

    @handles
    def go(self, _: Go) -> None:
        self.context.stop_self()
        raise Boom

    @handles
    def here(self, _: Here) -> int:
        return self.context.ref.incarnation


class SlowStart(Actor):
    """Keeps its supervisor busy."""

    async def on_start(self) -> None:
        await anyio.sleep(5)


async def test_who_comes_back_has_not_ended_also_while_its_supervisor_is_busy(
    actor_system: TestSystem, probe: Probe
) -> None:
    pool = await actor_system.start_child(SupervisorSpec("pool"))
    ref = await pool.start_child(ChildSpec("a", Leaver, restart=Restart.TRANSIENT))
    async with anyio.create_task_group() as group:
        group.start_soon(pool.start_child, ChildSpec("slow", SlowStart))
        await settle()
        await ref.tell(Go())
        await settle()
        probe.watch(ref)
        assert await ref.ask(Here(), timeout=10) == 2
    await probe.expect_nothing(within=1)


async def test_a_crash_that_a_stop_overtakes_is_told_as_that_crash(actor_system: TestSystem, probe: Probe) -> None:
    pool = await actor_system.start_child(SupervisorSpec("pool", restart=Restart.TEMPORARY))
    ref = await pool.start_child(ChildSpec("a", Raiser, args=(lambda: Boom("first"),), restart=Restart.TEMPORARY))
    probe.watch(ref)
    async with anyio.create_task_group() as group:
        group.start_soon(_started_or_not, pool.start_child, ChildSpec("slow", SlowStart))
        await settle()
        await ref.tell(Go())
        await settle()
        await pool.stop()
    told = await probe.expect(Terminated)
    assert (told.reason.kind, told.reason.detail) == ("crash", "Boom: first")


async def _started_or_not(start: Callable[[ChildSpec], Awaitable[object]], spec: ChildSpec) -> None:
    with suppress(ActorDead):
        await start(spec)


async def test_a_child_that_stops_does_not_wait_for_room_in_its_leaving_parent(actor_system: TestSystem) -> None:
    refused: list[str] = []

    class Child(Actor):
        async def on_stop(self, _: StopReason) -> None:
            try:
                await self.context.parent.tell(Go())
            except MailboxFull as error:
                refused.append(type(error).__name__)

    class Parent(Actor):
        async def on_start(self) -> None:
            await self.context.start_child(ChildSpec("child", Child))

        @handles
        def go(self, _: Go) -> None:
            if self.context.ref.incarnation == 1:
                self.context.stop_self()

        @handles
        def here(self, _: Here) -> int:
            return self.context.ref.incarnation

    ref = await actor_system.start_child(ChildSpec("p", Parent, mailbox=Mailbox(1)))
    await ref.tell(Go())
    await ref.tell(Go())
    began = actor_system.clock.time()
    assert await ref.ask(Here(), timeout=20) == 2
    assert refused == ["MailboxFull"]
    assert actor_system.clock.time() - began < 1


async def test_each_crash_by_one_error_object_has_its_own_traceback(actor_system: TestSystem) -> None:
    error = Boom("a constant")
    for name in ("a", "b"):
        ref = await actor_system.start_child(ChildSpec(name, Raiser, args=(lambda: error,)))
        await ref.tell(Go())
        await settle()
    first, second = actor_system.recorded(ActorCrashed)
    assert "/test/a" not in second.traceback
    assert first.traceback.count("Traceback") == second.traceback.count("Traceback") == 1


async def test_the_message_in_hand_is_not_blamed_for_a_helpers_failure(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Raiser, args=(Boom, "helper")))
    await ref.tell(Go())
    await anyio.sleep(1)
    (crash,) = actor_system.recorded(ActorCrashed)
    assert crash.message_type is None
    assert "task task: Boom" in str(crash.reason)


async def test_a_helper_that_fails_while_it_cleans_up_is_reported(actor_system: TestSystem) -> None:
    class Owner(Actor):
        async def on_start(self) -> None:
            self.context.run_task(self.work())

        async def work(self) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                raise Boom("could not flush")

    ref = await actor_system.start_child(ChildSpec("a", Owner))
    await settle()
    await ref.stop()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert "could not flush" in str(crash.reason)
    assert ActorStopped not in {type(event) for event in actor_system.recorded()}


async def test_health_is_told_to_be_well_again_by_the_next_life(actor_system: TestSystem) -> None:
    class Ill(Raiser):
        @handles
        async def go(self, message: Go) -> None:
            self.context.report_health("failed", why="no feed")
            raise Boom

    ref = await actor_system.start_child(ChildSpec("a", Ill, args=(Boom,)))
    await ref.tell(Go())
    assert await ref.ask(Here()) == 2
    assert [event.level for event in actor_system.recorded(HealthChanged)] == ["failed", "ok"]


async def test_a_stop_that_can_not_be_kept_is_refused(actor_system: TestSystem) -> None:
    spec = SupervisorSpec(
        "pool",
        [ChildSpec("a", Raiser, args=(Boom,))],
        strategy=Strategy.ONE_FOR_ONE,
        intensity=Intensity(0, 60),
        backoff=Backoff(initial=5, jitter=0),
    )
    await actor_system.start_child(spec)
    ref = actor_system.find("/test/pool/a")
    await ref.tell(Go())
    await anyio.sleep(1)
    with pytest.raises(ActorDead, match="its restart is not decided"):
        await ref.stop()


def test_a_system_fails_with_an_error_that_resists() -> None:
    async def main() -> None:
        async with ActorSystem("s", intensity=Intensity(0, 5)) as system:
            ref = await system.start_child(ChildSpec("a", Raiser, args=(lambda: Frozen(3),)))
            await ref.tell(Go())
            await anyio.sleep(5)

    with pytest.raises(Exception, match="system s failed"):
        asyncio.run(main())


class Numbered(Message):
    """One of several."""

    number: int


async def test_a_sender_that_gives_up_with_its_place_granted_passes_it_on(actor_system: TestSystem) -> None:
    handled: list[int] = []
    senders: dict[int, asyncio.Task[None]] = {}

    class Reader(Actor):
        @handles
        async def work(self, message: Numbered) -> None:
            handled.append(message.number)
            if message.number == 1:
                await anyio.sleep(1)
            if message.number == 2:
                senders[3].cancel()  # it was given the place of this message a moment ago, and does not know it yet

    ref = await actor_system.start_child(ChildSpec("r", Reader, mailbox=Mailbox(1)))
    await ref.tell(Numbered(1))
    await settle()
    await ref.tell(Numbered(2))
    for number in (3, 4):
        senders[number] = asyncio.get_running_loop().create_task(ref.tell(Numbered(number), timeout=60))
        await settle()
    await anyio.sleep(2)
    assert senders[3].cancelled()
    assert handled == [1, 2, 4]
    await senders[4]


async def test_an_ask_that_finds_no_room_leaves_no_error_behind_that_nobody_sees(actor_system: TestSystem) -> None:
    unseen: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
    asked = await actor_system.start_child(ChildSpec("b", Raiser, args=(Boom,), mailbox=Mailbox(1)))
    await asked.tell(Go(seconds=20))
    await settle()
    await asked.tell(Go())
    with pytest.raises(MailboxFull):
        await asked.ask(Here(), timeout=1)
    await settle()
    gc.collect()
    assert unseen == []
