"""Hazards of memory and starvation: what goes wrong elsewhere, and does not here.

Each test fails without its remedy.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorRef,
    ActorSystem,
    AskRejected,
    AskTimeout,
    ChildSpec,
    Intensity,
    InvalidMessage,
    Mailbox,
    MailboxFull,
    Message,
    Overflow,
    Reject,
    Request,
    Restart,
    SupervisorSpec,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, Journal, Note, Number, settle, takes, worker


class Sleepy(Actor):
    """Its helper waits for a future that nobody else holds."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    @handles
    def note(self, message: Note) -> None:
        self.context.run_task(self.wait())

    async def wait(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.journal.add("end", "helper")


async def test_tasks_of_actors_are_not_garbage_collected(actor_system: TestSystem) -> None:
    """hazard: orphaned tasks."""
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Sleepy, args=(journal,)))
    await ref.tell(Note())
    await settle()
    gc.collect()
    assert journal.events == []
    await ref.stop()
    assert journal.events == ["end helper"]


class Tick(Message):
    """Sends itself again, until `left` is 0."""

    left: int


class Busy(Actor):
    @handles
    async def tick(self, message: Tick) -> None:
        if message.left:
            await self.context.ref.tell(Tick(message.left - 1))

    @handles
    def note(self, message: Note) -> None:
        pass


async def turns(done: asyncio.Event) -> int:
    """How often another task gets its turn until `done` is set."""
    count = 0
    while not done.is_set():
        count += 1
        await asyncio.sleep(0)
    return count


async def test_an_actor_with_a_full_mailbox_lets_others_run(actor_system: TestSystem) -> None:
    """hazard: starvation by a tight mailbox loop."""
    done, journal = asyncio.Event(), Journal()
    ref = await actor_system.start_child(worker("a", journal, mailbox=Mailbox(capacity=100_000)))
    for _ in range(10_000):
        ref.tell_nowait(Note())

    async def wait() -> None:
        await ref.ask(Number(), timeout=None)
        done.set()

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        assert await turns(done) > 100


async def test_an_actor_that_tells_itself_for_ever_lets_others_run(actor_system: TestSystem) -> None:
    """hazard: starvation by a tight mailbox loop."""
    ref = await actor_system.start_child(ChildSpec("a", Busy))
    await ref.tell(Tick(10_000))
    count = 0
    entry = actor_system.roster().find("/test/a")
    while entry is not None and entry.handled < 10_001:
        count += 1
        await asyncio.sleep(0)
        entry = actor_system.roster().find("/test/a")
    assert count > 100


async def test_a_sender_that_never_waits_lets_others_run(actor_system: TestSystem) -> None:
    """hazard: starvation by a tight mailbox loop."""
    done = asyncio.Event()
    ref = await actor_system.start_child(ChildSpec("a", Busy, mailbox=Mailbox(capacity=1_000_000)))

    async def send() -> None:
        for _ in range(10_000):
            await ref.tell(Note())
        done.set()

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        assert await turns(done) > 30


async def swamp(system: ActorSystem, names: list[str], mailbox: Mailbox, asks: bool = False) -> None:
    """Send 5,000 messages to actors of these names in turn, none of which gets round to one."""
    refs = [await system.start_child(worker(name, mailbox=mailbox)) for name in names]
    for number in range(5_000):
        ref = refs[number % len(refs)]
        with suppress(ActorDead, MailboxFull, InvalidMessage):
            if asks:
                await ref.ask(Big())
            else:
                await ref.tell(Note())


@pytest.mark.parametrize("policy", [Overflow.DROP_OLDEST, Overflow.DROP_NEWEST, Overflow.REJECT])
@pytest.mark.parametrize("capacity", [1, 300])
async def test_a_sender_into_a_full_mailbox_lets_others_run(
    actor_system: TestSystem, policy: Overflow, capacity: int
) -> None:
    """hazard: starvation by a tight mailbox loop."""
    assert await others_while(swamp(actor_system, ["a"], Mailbox(capacity, policy))) >= 5_000 // 64


async def test_a_sender_into_many_mailboxes_lets_others_run(actor_system: TestSystem) -> None:
    """hazard: starvation by a tight mailbox loop."""
    names = [f"a{number}" for number in range(100)]
    assert await others_while(swamp(actor_system, names, Mailbox())) >= 5_000 // 64


async def test_a_sender_whose_messages_are_refused_lets_others_run(actor_system: TestSystem) -> None:
    """hazard: starvation by a tight mailbox loop."""
    assert await others_while(swamp(actor_system, ["a"], Mailbox(), asks=True)) >= 5_000 // 64


async def others_while(work: Coroutine[Any, Any, None]) -> int:
    """How often another task gets its turn while this is done."""
    done, count = asyncio.Event(), 0

    async def whole() -> None:
        await work
        done.set()

    async with anyio.create_task_group() as group:
        group.start_soon(whole)
        count += await turns(done)
    return count


class Big(Request[int], weakref=True):
    """A request whose end can be seen."""

    seconds: float = 0.0


class Echo(Actor):
    @handles
    async def big(self, message: Big) -> int:
        if message.seconds < 0:
            raise Reject("negative", "nobody can wait for less than no time")
        await anyio.sleep(message.seconds)
        return 1


class Between(Actor):
    """Asks another from its handler."""

    def __init__(self, other: ActorRef) -> None:
        self.other = other

    @handles
    async def big(self, message: Big) -> int:
        return await self.other.ask(message, timeout=60.0)


async def test_an_answered_ask_leaves_nothing_behind_until_its_deadline(actor_system: TestSystem) -> None:
    """hazard: unbounded ask futures."""
    ref = await actor_system.start_child(ChildSpec("a", Echo))
    sent: list[weakref.ref[Big]] = []
    for _ in range(5000):
        request = Big()
        sent.append(weakref.ref(request))
        await ref.ask(request, timeout=3600.0)
    del request
    gc.collect()
    assert sum(each() is not None for each in sent) < 10


@pytest.mark.parametrize("within", [False, True])
async def test_an_answered_ask_leaves_nothing_behind_one_that_still_waits(
    actor_system: TestSystem, within: bool
) -> None:
    """hazard: unbounded ask futures."""
    slow = await actor_system.start_child(ChildSpec("slow", Echo))
    ref = await actor_system.start_child(ChildSpec("a", Echo))
    between = await actor_system.start_child(ChildSpec("between", Between, args=(ref,)))
    async with anyio.create_task_group() as group:
        group.start_soon(slow.ask, Big(30.0), 60.0)
        await settle()
        sent: list[weakref.ref[Big]] = []
        for _ in range(10):
            request = Big()
            sent.append(weakref.ref(request))
            assert await (between if within else ref).ask(request, timeout=60.0) == 1
        del request
        gc.collect()
        assert sum(each() is not None for each in sent) == 0


async def test_asks_that_failed_behind_one_that_still_waits_are_let_go_of(actor_system: TestSystem) -> None:
    """hazard: unbounded ask futures."""
    slow = await actor_system.start_child(ChildSpec("slow", Echo))
    ref = await actor_system.start_child(ChildSpec("a", Echo))
    async with anyio.create_task_group() as group:
        group.start_soon(slow.ask, Big(30.0), 60.0)
        await settle()
        sent: list[weakref.ref[Big]] = []
        for _ in range(200):
            request = Big(-1.0)
            sent.append(weakref.ref(request))
            with pytest.raises(AskRejected):
                await ref.ask(request, timeout=60.0)
        del request
        gc.collect()
        assert sum(each() is not None for each in sent) < 100


async def test_asks_with_computed_deadlines_leave_nothing_behind(actor_system: TestSystem) -> None:
    """hazard: unbounded ask futures."""
    ref = await actor_system.start_child(ChildSpec("a", Echo))
    sent: list[weakref.ref[Big]] = []
    for number in range(1000):
        request = Big()
        sent.append(weakref.ref(request))
        await ref.ask(request, timeout=3600.0 + number)
    with pytest.raises(AskTimeout):
        await ref.ask(Big(30.0), timeout=12.5)
    del request
    gc.collect()
    assert sum(each() is not None for each in sent) < 100


async def test_an_ask_that_timed_out_leaves_nothing_behind(actor_system: TestSystem) -> None:
    """hazard: late replies."""
    ref = await actor_system.start_child(ChildSpec("a", Echo))
    request = Big(10.0)
    alive = weakref.ref(request)
    with pytest.raises(AskTimeout):
        await ref.ask(request, timeout=1.0)
    del request
    await settle(30.0)
    actor_system.recorded()
    actor_system._seen.clear()
    gc.collect()
    assert alive() is None


class Payload:
    """Something large in a handler's frame."""


class Careless(Actor):
    def __init__(self, seen: list[weakref.ref[Payload]]) -> None:
        self.seen = seen

    @handles
    def crash(self, message: Crash) -> None:
        payload = Payload()
        self.seen.append(weakref.ref(payload))
        try:
            raise Boom
        except Boom as error:
            self.wrap(payload, error)

    def wrap(self, payload: Payload, error: Boom) -> None:
        raise ValueError("wrapped") from error


async def test_the_error_of_a_crash_keeps_no_frame_alive(actor_system: TestSystem) -> None:
    """hazard: memory growth by tracebacks."""
    seen: list[weakref.ref[Payload]] = []
    spec = ChildSpec("a", Careless, args=(seen,), restart=Restart.TEMPORARY)
    ref = await actor_system.start_child(spec)
    await ref.tell(Crash())
    await settle()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert isinstance(crash.reason.error.__cause__, Boom)
    gc.collect()
    assert seen[0]() is None


async def test_watchers_that_end_are_forgotten(actor_system: TestSystem) -> None:
    """hazard: memory growth by dead refs in watch sets."""

    class Watching(Actor):
        async def on_start(self) -> None:
            self.context.watch(target)
            lives.add(self)

    lives: weakref.WeakSet[Watching] = weakref.WeakSet()
    target = await actor_system.start_child(worker("target"))
    for _ in range(50):
        ref = await actor_system.start_child(ChildSpec("w", Watching, restart=Restart.TEMPORARY))
        await ref.stop()
        actor_system._opened().graves.clear()
    del ref
    await settle(60.0)
    gc.collect()
    assert len(lives) <= 1


async def test_a_crash_loop_keeps_only_the_restarts_that_count(actor_system: TestSystem) -> None:
    """hazard: memory growth by restart history."""
    sup = await actor_system.start_child(SupervisorSpec("sup", intensity=Intensity(1000, 1.0)))
    ref = await sup.start_child(worker("a"))
    for _ in range(100):
        await ref.tell(Crash())
        await settle(0.5)
    entry = actor_system.roster().find("/test/sup")
    assert entry is not None
    assert entry.restarts_in_window <= 3
    assert len(sup._supervisor().restarter.window) <= 4


async def test_tasks_of_actors_do_not_go_through_the_hosts_task_factory(actor_system: TestSystem) -> None:
    """hazard: eager tasks."""
    loop = asyncio.get_running_loop()

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("made by the host's factory")

    loop.set_task_factory(refuse)
    try:
        ref = await actor_system.start_child(worker("a", start=takes(0.0)))
        assert await ref.ask(Number()) == 1
    finally:
        loop.set_task_factory(None)


@pytest.mark.parametrize("how", ["kill", "cancel"])
async def test_what_has_ended_is_not_kept_by_the_limit_of_its_end(how: str) -> None:
    class Large:
        pass

    async def hold(large: Large) -> None:
        await anyio.Event().wait()

    alive = weakref.WeakSet[Large]()

    def large() -> Large:
        made = Large()
        alive.add(made)
        return made

    class Holder(Actor):
        def __init__(self) -> None:
            self.large = large()

    async with TestSystem(kill_timeout=3600.0) as system:
        if how == "kill":
            ref = await system.start_child(ChildSpec("a", Holder, restart=Restart.TEMPORARY))
            await ref.kill()
        else:
            task = await system.start_task(hold, large(), shutdown=3600.0)
            await settle()
            task.cancel()
        await settle()
        gc.collect()
        assert not alive


async def test_a_dead_child_in_the_roster_does_not_keep_the_actor_that_started_it(actor_system: TestSystem) -> None:
    class Parent(Actor):
        def __init__(self) -> None:
            alive.add(self)

        async def on_start(self) -> None:
            await self.context.start_child(worker("child", restart=Restart.TEMPORARY))

    alive = weakref.WeakSet[Parent]()
    for number in range(20):
        ref = await actor_system.start_child(ChildSpec(str(number), Parent))
        await ref.stop()
        await actor_system.delete_child(ref.id)
    del ref
    gc.collect()
    assert len(alive) <= 1  # that of the last, in the supervisor's own frame
    assert len([entry for entry in actor_system.roster().entries if entry.id == "child"]) == 20
