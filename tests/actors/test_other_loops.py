"""What actors do on the loops that hosts bring along, in real time: asyncio's, uvloop, and both with eager tasks.

The other files run on virtual time; here nothing waits for a time to pass, but for what is to happen.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

import actors
from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorRestarted,
    ActorStopped,
    AskTimeout,
    Backoff,
    ChildSpec,
    Message,
    Restart,
    Shutdown,
    StartError,
    StopReason,
    Strategy,
    SupervisorSpec,
    TaskCancelled,
    TaskSpec,
    Terminated,
    ZombieDetected,
    handles,
)
from actors.testing import Faults, Probe, TestSystem
from tests.actors import loops
from tests.actors.kit import (
    Boom,
    Crash,
    CrashAsk,
    Journal,
    Note,
    Number,
    Worker,
    cancel,
    fails,
    numbers,
    turns_until,
    worker,
)
from tests.programs import end_of

LOOPS = loops.real()
PATIENCE = 20.0  # real seconds; what has not come by then never comes


async def first(news: AsyncIterator[Any]) -> Any:
    """The next event."""
    with anyio.fail_after(PATIENCE):
        return await anext(news)


async def crash(system: TestSystem, path: str) -> None:
    """Crash an actor, and wait until it is back."""
    news = system.events.subscribe(ActorRestarted)
    await system.find(path).tell(Crash())
    while (await first(news)).path != f"/test/{path}":
        pass


class Gate(Message):
    """Keeps the handler busy until it is opened."""

    entered: asyncio.Event
    opened: asyncio.Event


class Gated(Worker):
    """Can be kept busy."""

    @handles
    async def gate(self, message: Gate) -> None:
        message.entered.set()
        try:
            await message.opened.wait()
        finally:
            self.journal.add("left", self.who)


async def busy(system: TestSystem, journal: Journal, **spec: Any) -> tuple[Any, Gate]:
    """An actor that is in the middle of a message."""
    ref = await system.start_child(ChildSpec("a", Gated, args=(journal,), **spec))
    gate = Gate(asyncio.Event(), asyncio.Event())
    await ref.tell(gate)
    with anyio.fail_after(PATIENCE):
        await gate.entered.wait()
    return ref, gate


@pytest.mark.parametrize("name", LOOPS)
def test_the_loops_are_those_that_they_are_called(name: str) -> None:
    begun: list[str] = []

    async def begin() -> None:
        begun.append(name)

    async def main() -> None:
        assert type(asyncio.get_running_loop()).__module__.startswith(name.removesuffix("-eager"))
        task = asyncio.create_task(begin())
        assert bool(begun) is name.endswith("-eager")
        await task

    actors.run(main, loop_factory=LOOPS[name])
    assert ("asyncio-eager" in LOOPS) is (sys.version_info >= (3, 12))


async def test_messages_and_requests(system: TestSystem) -> None:
    journal = Journal()
    ref = await system.start_child(worker("a", journal))
    await ref.tell(Note("one"))
    ref.tell_nowait(Note("two"))
    assert await ref.ask(Number()) == 1
    assert journal.take() == ["start a#1", "note a#1 one", "note a#1 two"]
    await ref.stop()
    assert journal.take() == ["stop a#1"]
    with pytest.raises(ActorDead):
        await ref.ask(Number())


async def test_many_askers_at_once(system: TestSystem) -> None:
    ref = await system.start_child(worker("a"))
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await ref.ask(Number()))

    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(ask)
    assert answers == [1] * 200


@pytest.mark.parametrize("timeout", [0.0001, 0.004])
async def test_an_ask_gives_up_after_its_time(system: TestSystem, timeout: float) -> None:
    journal = Journal()
    ref, gate = await busy(system, journal)
    with pytest.raises(AskTimeout):
        await ref.ask(Number(), timeout=timeout)
    gate.opened.set()
    assert await ref.ask(Number()) == 1


async def test_a_start_that_fails(system: TestSystem) -> None:
    journal = Journal()
    children = (worker("a", journal), worker("b", journal, start=fails()))
    with pytest.raises(StartError):
        await system.start_child(SupervisorSpec("sup", children=children))
    assert journal.events == ["start a#1", "init b#1", "stop a#1"]


async def test_a_crash_is_followed_by_a_restart_that_finds_the_messages(system: TestSystem) -> None:
    journal = Journal()
    ref = await system.start_child(worker("a", journal))
    with pytest.raises(ActorDead):
        await ref.ask(CrashAsk())
    await ref.tell(Crash())
    await ref.tell(Note("kept"))
    assert await ref.ask(Number()) == 3
    assert journal.events[-2:] == ["start a#3", "note a#3 kept"]
    assert [event.reason.kind for event in system.recorded(ActorCrashed)] == ["crash", "crash"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, {"a": 1, "b": 2, "c": 1}),
        (Strategy.REST_FOR_ONE, {"a": 1, "b": 2, "c": 2}),
        (Strategy.ONE_FOR_ALL, {"a": 2, "b": 2, "c": 2}),
    ],
)
async def test_groups(system: TestSystem, strategy: Strategy, expected: dict[str, int]) -> None:
    children = [worker(name) for name in "abc"]
    sup = await system.start_child(SupervisorSpec("sup", children=children, strategy=strategy))
    await crash(system, "sup/b")
    assert await numbers(sup) == expected


@pytest.mark.parametrize("seconds", [0.0, 0.0001, 0.003])
async def test_a_backoff(system: TestSystem, seconds: float) -> None:
    backoff = Backoff(initial=seconds, maximum=seconds, jitter=0)
    await system.start_child(worker("a", start=fails(2), backoff=backoff))
    await crash(system, "a")
    assert await system.find("a").ask(Number()) == 3


async def test_a_kill_interrupts_what_it_does(system: TestSystem) -> None:
    journal = Journal()
    ref, _ = await busy(system, journal, restart=Restart.TEMPORARY)
    await ref.kill()
    assert journal.events == ["start a#1", "left a#1"]
    assert (await ref.stopped()).kind == "killed"


async def test_a_stop_lets_it_finish_and_a_drain_handles_what_is_queued(system: TestSystem) -> None:
    journal = Journal()
    ref, gate = await busy(system, journal, shutdown=Shutdown.INFINITE)
    await ref.tell(Note("queued"))
    async with anyio.create_task_group() as group:
        group.start_soon(ref.drain)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(ActorDead):
            await ref.tell(Note("late"))
        gate.opened.set()
    assert journal.events == ["start a#1", "left a#1", "note a#1 queued", "stop a#1"]


async def test_one_that_will_not_die_is_replaced() -> None:
    async with TestSystem(kill_timeout=0.001) as system:
        release, found = asyncio.Event(), system.events.subscribe(ZombieDetected)
        factory = Faults.swallow_cancellation(Worker, release=release)
        ref = await system.start_child(ChildSpec("z", factory))
        await ref.tell(Note())
        await turns_until(lambda: factory.handled == 1)
        await ref.kill()
        assert (await first(found)).path == "/test/z"
        assert await ref.ask(Number()) == 2
        release.set()


async def test_a_watcher_hears_of_the_end_and_not_of_a_restart(system: TestSystem, probe: Probe) -> None:
    ref = await system.start_child(worker("a", restart=Restart.TRANSIENT))
    probe.watch(ref)
    await crash(system, "a")
    assert probe.messages == []
    await ref.stop()
    assert (await probe.expect(Terminated, PATIENCE)).reason.kind == "shutdown"


class Timed(Actor):
    """Has a timer for each note, and one that repeats until three have come."""

    def __init__(self, seconds: float, over: asyncio.Event) -> None:
        self.seconds, self.over = seconds, over
        self.came: list[str] = []

    async def on_start(self) -> None:
        self.context.send_after(self.seconds, Note("once"))
        self.context.send_after(PATIENCE * 1000, Note("never"))
        self.context.send_every(self.seconds, Crash(), key="every")

    @handles
    def note(self, message: Note) -> None:
        self.came.append(message.text)

    @handles
    def every(self, message: Crash) -> None:
        self.came.append("every")
        if self.came.count("every") == 3 and self.context.cancel_timer("every"):
            self.over.set()


@pytest.mark.parametrize("seconds", [0.0001, 0.003])
async def test_timers(system: TestSystem, seconds: float) -> None:
    over = asyncio.Event()
    ref = await system.start_child(ChildSpec("a", Timed, args=(seconds, over)))
    with anyio.fail_after(PATIENCE):
        await over.wait()
    await ref.stop()
    assert system.recorded(ActorCrashed) == []


async def test_tasks_are_restarted_until_they_return(system: TestSystem) -> None:
    runs: list[int] = []

    async def flaky(limit: int) -> int:
        runs.append(limit)
        await asyncio.sleep(0)
        if len(runs) < limit:
            raise Boom("again")
        return len(runs)

    ref = await system.start_child(TaskSpec("flaky", flaky, args=(3,)))
    assert await ref.result() == 3
    forever = await system.start_task(anyio.sleep_forever)
    await forever.stop()
    with pytest.raises(TaskCancelled):
        await forever.result()


@pytest.mark.parametrize("ordered", [True, False])
async def test_map(system: TestSystem, ordered: bool) -> None:
    async def square(number: int) -> int:
        for _ in range(number % 3):
            await asyncio.sleep(0)
        if number == 7:
            raise Boom("seven")
        return number * number

    found: list[int] = []

    async def read() -> None:
        async for each in system.map(square, range(20), ordered=ordered):
            found.append(each)  # noqa: PERF401 - what came before an error counts

    with pytest.raises(ExceptionGroup, match="1 of 20 items failed"):
        await read()
    assert sorted(found) == [number * number for number in range(20) if number != 7]
    assert found == sorted(found) or not ordered


async def test_tasks_that_something_else_cancels(system: TestSystem) -> None:
    sup = await system.start_child(SupervisorSpec("sup", children=(worker("a"), worker("b"))))
    for path, expected in {"sup/a": {"a": 2, "b": 1}, "sup": {"a": 3, "b": 2}}.items():
        news = system.events.subscribe(ActorRestarted)
        cancel(f"/test/{path}")
        assert (await first(news)).path == f"/test/{path}"
        assert await numbers(sup) == expected
        news.close()
    assert {event.reason.kind for event in system.recorded(ActorCrashed)} == {"killed"}


class Owner(Worker):
    """Has a task that a library of its own started."""

    async def after_start(self) -> None:
        self.theirs = asyncio.create_task(self.hold(), name="a library's")

    async def hold(self) -> None:
        await asyncio.Event().wait()

    async def on_stop(self, reason: StopReason) -> None:
        self.theirs.cancel()
        await super().on_stop(reason)


async def test_a_system_stops_in_order_and_gives_each_task_its_owner() -> None:
    journal = Journal()
    async with TestSystem() as system:
        await system.start_child(ChildSpec("a", Owner, args=(journal,)))
        await system.start_child(SupervisorSpec("sup", children=(worker("b", journal), worker("c", journal))))
        assert await system.find("a").ask(Number()) == 1
        tasks = [entry.path for entry in system.roster().entries if entry.kind == "task"]
        assert tasks == ["/test/a:a library's(Owner.hold)"]
    assert journal.events[-3:] == ["stop c#1", "stop b#1", "stop a#1"]
    assert {event.reason.kind for event in system.recorded(ActorStopped)} == {"shutdown"}


PROGRAM = """
import asyncio, os, signal
import actors
from actors import Actor, ActorSystem, ChildSpec
from tests.actors import loops

class A(Actor):
    async def on_stop(self, reason):
        print("a stops", reason.kind, flush=True)
        if {stuck}:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

async def main():
    async with ActorSystem("s") as system:
        await system.start_child(ChildSpec("a", A, shutdown=actors.Shutdown.INFINITE))
        os.kill(os.getpid(), signal.{signal})
        await asyncio.Event().wait()

actors.run(main, loop_factory=loops.real()["{loop}"])
"""


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("signal", "stuck", "code", "says"),
    [
        ("SIGTERM", False, 143, ""),
        ("SIGINT", False, -2, "KeyboardInterrupt"),
        ("SIGINT", True, -2, "KeyboardInterrupt"),
    ],
    ids=["SIGTERM", "SIGINT", "SIGINT twice"],
)
def test_a_signal_stops_a_program_in_order(loop: str, signal: str, stuck: bool, code: int, says: str) -> None:
    ended = end_of(PROGRAM.format(loop=loop, signal=signal, stuck=stuck))
    assert (ended.code, ended.out) == (code, "a stops shutdown\n"), ended.err
    assert ended.err.rstrip().endswith(says)
