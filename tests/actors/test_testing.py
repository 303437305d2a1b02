"""actors.testing: the virtual clock, TestSystem, Probe, Faults, fixtures."""

from __future__ import annotations

import asyncio
import threading
import time

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

import actors
from actors import (
    ActorCrashed,
    ActorDead,
    ActorError,
    ActorStarted,
    ChildSpec,
    Restart,
    StartError,
    Terminated,
)
from actors.testing import Await, Fault, Faults, Probe, TestSystem, VirtualLoop, virtual_loop
from tests.actors.kit import Boom, Crash, Journal, Note, Number, Worker, settle, worker


async def test_three_thousand_virtual_seconds_pass_in_milliseconds() -> None:
    began, at = time.monotonic(), anyio.current_time()
    for _ in range(30):
        await anyio.sleep(100.0)
    assert anyio.current_time() - at == pytest.approx(3000.0)
    assert time.monotonic() - began < 0.5


async def test_virtual_timers_fire_in_order() -> None:
    order: list[float] = []

    async def nap(seconds: float) -> None:
        await anyio.sleep(seconds)
        order.append(seconds)

    async with anyio.create_task_group() as group:
        for seconds in (3.0, 1.0, 2.0, 1.5):
            group.start_soon(nap, seconds)
    assert order == [1.0, 1.5, 2.0, 3.0]


async def test_deadlines_of_anyio_and_asyncio_run_on_virtual_time() -> None:
    with pytest.raises(TimeoutError):
        with anyio.fail_after(1000.0):
            await anyio.sleep_forever()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1000.0):
            await asyncio.Event().wait()


async def test_virtual_time_waits_for_threads() -> None:
    began = anyio.current_time()
    started, result = threading.Event(), list[str]()

    def work() -> str:
        started.wait(10.0)
        return "done"

    async def thread() -> None:
        with anyio.fail_after(1.0):
            result.append(await to_thread.run_sync(work))

    async with anyio.create_task_group() as group:
        group.start_soon(thread)
        await checkpoint()
        threading.Timer(0.02, started.set).start()
    assert result == ["done"]
    assert anyio.current_time() == began


def test_a_loop_that_nothing_can_wake_is_called_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.testing.clock._PATIENCE", 0.01)
    loop = virtual_loop()
    waiter = loop.create_future()
    with pytest.raises(RuntimeError, match="deadlock"):
        loop.run_until_complete(waiter)
    loop.close()


def test_a_whole_program_runs_on_the_virtual_loop() -> None:
    async def main() -> float:
        async with TestSystem() as system:
            await system.start_child(worker("a"))
            began = system.clock.now()
            await anyio.sleep(3600.0)
            return (system.clock.now() - began).total_seconds()

    assert actors.run(main, loop_factory=virtual_loop) == 3600.0


async def test_the_fixtures_run_on_the_virtual_loop(actor_system: TestSystem, probe: Probe) -> None:
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)
    assert probe.ref.path == "/test/probe"
    assert [event.path for event in actor_system.recorded(ActorStarted)] == ["/test/probe"]


async def test_a_test_system_records_all_events_from_its_start(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a", restart=Restart.TEMPORARY))
    await ref.tell(Crash())
    await settle()
    names = [type(event).__name__ for event in actor_system.recorded()]
    assert names == ["ActorStarted", "DeadLetter", "ActorCrashed"]
    assert actor_system.recorded(ActorCrashed) == actor_system.recorded(ActorCrashed)


async def test_a_test_system_fails_where_a_task_is_left() -> None:
    release = asyncio.Event()
    system = TestSystem("leaky")

    async def body() -> None:
        async with system:
            factory = Faults.swallow_cancellation(Worker, release=release)
            ref = await system.start_child(ChildSpec("z", factory, shutdown=0.5))
            await ref.tell(Note())
            await settle()

    with pytest.raises(ActorError, match="tasks outlive the system: /leaky/z"):
        await body()
    release.set()
    await settle()


async def test_two_test_systems_share_nothing() -> None:
    """hazard: global registries leak between tests."""
    async with TestSystem("one") as one, TestSystem("two") as two:
        a, b = await one.start_child(worker("a")), await two.start_child(worker("a"))
        assert (a.path, b.path) == ("/one/a", "/two/a")
        await a.stop()
        assert b.is_alive
        assert one.recorded() != two.recorded()


async def test_a_probe_waits_for_a_message_of_a_class(probe: Probe) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(probe.ref.tell, Note("first"))
        assert await probe.expect(Note) == Note("first")
    await probe.ref.tell(Crash())
    await probe.ref.tell(Note("second"))
    assert await probe.expect(Note) == Note("second")
    assert probe.messages == [Note("first"), Crash(), Note("second")]


async def test_a_probe_says_what_came_instead(probe: Probe) -> None:
    await probe.ref.tell(Note("other"))
    with pytest.raises(AssertionError, match=r"no Crash within 3.0 s; came: \[Note\(text='other'\)\]"):
        await probe.expect(Crash)


async def test_a_probe_can_expect_silence(probe: Probe) -> None:
    await probe.expect_nothing(within=60.0)
    async with anyio.create_task_group() as group:
        group.start_soon(_tell_later, probe)
        with pytest.raises(AssertionError, match="unexpected"):
            await probe.expect_nothing(within=60.0)


async def _tell_later(probe: Probe) -> None:
    await anyio.sleep(30.0)
    await probe.ref.tell(Note())


async def test_a_probe_watches(actor_system: TestSystem, probe: Probe) -> None:
    ref = await actor_system.start_child(worker("a"))
    probe.watch(ref)
    await ref.stop()
    assert (await probe.expect(Terminated)).path == "/test/a"


async def test_crash_on_the_nth_message(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Faults.crash_on(Worker, nth=2)))
    assert await ref.ask(Number()) == 1
    with pytest.raises(ActorDead) as info:
        await ref.ask(Number())
    assert isinstance(info.value.__cause__, Fault)
    assert await ref.ask(Number()) == 2


async def test_crash_with_an_error_of_ones_own(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Faults.crash_on(Worker, error=Boom)))
    with pytest.raises(ActorDead) as info:
        await ref.ask(Number())
    assert isinstance(info.value.__cause__, Boom)


async def test_hang_on_the_nth_message(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Faults.hang_on(Worker)))
    with pytest.raises(actors.AskTimeout):
        await ref.ask(Number(), timeout=60.0)
    await ref.kill()
    assert await ref.ask(Number()) == 2


async def test_slow_stop(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Faults.slow_stop(Worker, 3.0), args=(journal,)))
    began = anyio.current_time()
    await ref.stop()
    assert anyio.current_time() - began == pytest.approx(3.0)
    assert journal.events == ["start a#1", "stop a#1"]


async def test_init_failure(actor_system: TestSystem) -> None:
    spec = ChildSpec("a", Faults.init_failure(Worker, times=2))
    for _ in range(2):
        with pytest.raises(StartError):
            await actor_system.start_child(spec)
    assert (await actor_system.start_child(spec)).is_alive


async def test_flaky_is_the_same_for_the_same_seed() -> None:
    async def run(seed: int) -> list[int]:
        async with TestSystem(intensity=actors.Intensity(1000, 1.0)) as system:
            ref = await system.start_child(ChildSpec("a", Faults.flaky(Worker, 0.3, seed=seed)))
            lives = []
            for _ in range(30):
                await ref.tell(Note())
                await settle()
                lives.append(ref.incarnation)
            return lives

    first, again, other = await run(1), await run(1), await run(2)
    assert first == again != other


async def test_a_faulty_actor_still_refuses_what_the_sound_one_refuses(actor_system: TestSystem) -> None:
    class Alien(actors.Message):
        pass

    ref = await actor_system.start_child(ChildSpec("a", Faults.crash_on(Worker, nth=100)))
    with pytest.raises(actors.InvalidMessage):
        await ref.tell(Alien())


class Sleeper(actors.Actor):
    """Waits twice for each message, of which one wait is in a task beside the mailbox."""

    @actors.handles
    async def handle(self, message: Note) -> None:
        await anyio.sleep(1.0)
        self.context.run_task(self.beside(), name="beside")

    async def beside(self) -> None:
        await anyio.sleep(1.0)


@pytest.mark.parametrize("nth", [1, 2])
async def test_an_error_out_of_the_nth_await_is_a_crash_of_that_actor(nth: int) -> None:
    met: list[Await] = []

    def at_await(at: Await) -> BaseException | None:
        met.append(at)
        return Boom(at.where) if len(met) == nth else None

    async with TestSystem(at_await=at_await) as system:
        ref = await system.start_child(ChildSpec("a", Sleeper))
        await ref.tell(Note())
        await anyio.sleep(10.0)
        crashed = system.recorded(actors.ActorCrashed)
    assert [str(event.reason.error) for event in crashed] == [met[nth - 1].where]
    assert {at.actor for at in met} == {"/test/a"}
    places = [at.where.split(":")[1] for at in met]
    assert places == ["handle", "beside"][:nth]


async def test_no_error_comes_out_of_a_lock_which_would_stay_locked() -> None:
    class Locked(actors.Actor):
        def __init__(self) -> None:
            self.lock = anyio.Lock()

        @actors.handles
        async def handle(self, message: Note) -> None:
            async with self.lock:
                self.context.run_task(self.beside(), name="beside")
                await anyio.sleep(1.0)

        async def beside(self) -> None:
            async with self.lock:
                pass

    met: list[str] = []
    async with TestSystem(at_await=lambda at: met.append(at.path)) as system:
        ref = await system.start_child(ChildSpec("a", Locked))
        await ref.tell(Note())
        await anyio.sleep(10.0)
    assert set(met) == {"/test/a"}
