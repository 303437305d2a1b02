"""Tasks that somebody outside the runtime cancels: each one's life ends as killed, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorStarted,
    ActorStopped,
    ActorSystem,
    Backoff,
    ChildSpec,
    Intensity,
    Restart,
    Shutdown,
    StartError,
    StopReason,
    Strategy,
    SupervisorSpec,
    SystemFailed,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import (
    Crash,
    Journal,
    Number,
    Quit,
    Work,
    cancel,
    cancel_all,
    fails,
    numbers,
    settle,
    states,
    takes,
    tasks_of,
    turns,
    turns_until,
    worker,
)

OUTSIDE = "its task was cancelled from outside"


class Parent(Actor):
    """Has children of its own."""

    def __init__(self, journal: Journal, children: int = 1) -> None:
        self.journal = journal
        self.count = children

    async def on_start(self) -> None:
        for number in range(self.count):
            await self.context.start_child(worker(f"kid{number}", self.journal))

    async def on_stop(self, reason: StopReason) -> None:
        self.journal.add("stop", "parent")

    @handles
    def number(self, message: Number) -> int:
        return self.context.ref.incarnation


async def test_a_supervisor_stops_its_children_in_order_and_is_restarted(actor_system: TestSystem) -> None:
    journal = Journal()
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(worker("a", journal), worker("b", journal))))
    cancel("/test/sup")
    await settle()
    assert journal.take() == ["start a#1", "start b#1", "stop b#1", "stop a#1", "start a#2", "start b#2"]
    assert sup.incarnation == 2
    (crash,) = actor_system.recorded(ActorCrashed)
    assert (crash.path, crash.reason.kind, crash.reason.detail) == ("/test/sup", "killed", OUTSIDE)
    assert await numbers(sup) == {"a": 2, "b": 2}


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
async def test_its_restart_type_decides(actor_system: TestSystem, restart: Restart) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(worker("a"),), restart=restart))
    cancel("/test/sup")
    await settle()
    assert sup.is_alive is (restart is Restart.TRANSIENT)
    if not sup.is_alive:
        with pytest.raises(ActorDead, match=OUTSIDE):
            await sup.start_child(worker("late"))
        await sup.stop()


async def test_a_command_that_waits_is_answered(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup", restart=Restart.TEMPORARY))
    failures: list[BaseException] = []

    async def start(name: str, seconds: float) -> None:
        try:
            await sup.start_child(worker(name, start=takes(seconds)))
        except ActorDead as error:
            failures.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(start, "slow", 10.0)
        group.start_soon(start, "queued", 0.0)
        await settle()
        cancel("/test/sup")
    assert [OUTSIDE in str(error) for error in failures] == [True, True]
    assert not sup.is_alive


async def test_one_that_is_still_starting_fails_its_start_at_once(actor_system: TestSystem) -> None:
    journal = Journal()
    children = (worker("a", journal), worker("slow", journal, start=takes(10.0)))
    spec = SupervisorSpec("sup", children=children)
    began = anyio.current_time()
    async with anyio.create_task_group() as group:

        async def start() -> None:
            with pytest.raises(StartError, match=OUTSIDE):
                await actor_system.start_child(spec)

        group.start_soon(start)
        await settle()
        cancel("/test/sup")
    assert anyio.current_time() - began < 1.0
    assert journal.events == ["start a#1", "init slow#1", "stop a#1"]
    assert await states(actor_system.ref) == {}


@pytest.mark.parametrize("kind", ["actor", "supervisor"])
async def test_one_whose_task_never_ran_fails_its_start_at_once(actor_system: TestSystem, kind: str) -> None:
    spec = worker("a") if kind == "actor" else SupervisorSpec("a", children=(worker("kid"),))

    async def start() -> None:
        with pytest.raises(StartError, match=OUTSIDE):
            await actor_system.start_child(spec)

    began = anyio.current_time()
    starting = asyncio.get_running_loop().create_task(start())
    await turns_until(lambda: bool(tasks_of("/test/a")))
    cancel("/test/a")
    await starting
    assert anyio.current_time() == began
    ref = await actor_system.start_child(spec)
    assert ref.is_alive


async def test_a_restart_whose_task_never_ran_is_tried_again(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await ref.tell(Crash())
    await turns_until(lambda: ref.incarnation == 2)
    cancel("/test/a")
    await settle()
    assert journal.events == ["start a#1", "stop a#1", "start a#3"]
    assert await ref.ask(Number()) == 3


async def test_a_supervisor_that_is_cancelled_while_it_restarts_a_group_stops_it(actor_system: TestSystem) -> None:
    journal = Journal()
    children = (worker("a", journal, start=takes(5.0, 2)), worker("b", journal, stop=takes(1.0)))
    spec = SupervisorSpec("sup", children=children, strategy=Strategy.ONE_FOR_ALL, restart=Restart.TEMPORARY)
    sup = await actor_system.start_child(spec)
    for seconds in (0.5, 3.0):  # while it stops b, while it starts a
        journal.take()
        fresh = await actor_system.start_child(SupervisorSpec("again", children=children, strategy=spec.strategy))
        journal.take()
        await _crash(fresh)
        await settle(seconds)
        cancel("/test/again")
        await settle(20.0)
        assert await numbers(fresh) == {"a": 2 if seconds < 1 else 3, "b": 2}
        await actor_system.terminate_child("again")
        await actor_system.delete_child("again")
    assert await numbers(sup) == {"a": 1, "b": 1}


async def _crash(supervisor: object) -> None:
    children = await supervisor.which_children()  # type: ignore[attr-defined]
    await children[0].ref.tell(Crash())


async def test_a_child_in_backoff_is_given_up_with_its_supervisor(actor_system: TestSystem) -> None:
    journal = Journal()
    child = worker("a", journal, backoff=Backoff(initial=10.0, jitter=0.0))
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(child,), restart=Restart.TEMPORARY))
    await _crash(sup)
    await settle()
    cancel("/test/sup")
    await settle(60.0)
    assert journal.events == ["start a#1", "stop a#1"]
    assert not sup.is_alive


async def test_a_supervisor_that_is_cancelled_again_while_it_stops_kills_its_children(actor_system: TestSystem) -> None:
    journal = Journal()
    slow = worker("a", journal, stop=takes(1000.0), shutdown=Shutdown.INFINITE)
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(slow,), restart=Restart.TEMPORARY))
    began = anyio.current_time()
    cancel("/test/sup")
    await settle(1.0)
    assert sup.is_alive is False
    cancel("/test/sup")
    await settle()
    assert anyio.current_time() - began < 1.1
    assert await states(actor_system.ref) == {}


async def test_a_stop_in_order_goes_on_to_its_end_where_the_children_are_quick(actor_system: TestSystem) -> None:
    journal = Journal()
    children = tuple(worker(name, journal, stop=takes(1.0)) for name in "abc")
    await actor_system.start_child(SupervisorSpec("sup", children=children, restart=Restart.TEMPORARY))
    began = anyio.current_time()
    cancel("/test/sup")
    await settle(10.0)
    assert journal.events[3:] == ["stop c#1", "stop b#1", "stop a#1"]
    assert anyio.current_time() - began < 10.1
    assert [event.path[-1] for event in actor_system.recorded(ActorStopped)] == ["c", "b", "a"]


async def test_the_nursery_of_an_actor_takes_the_actor_with_it(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Parent, args=(journal,)))
    cancel("/test/a:children")
    await settle()
    assert journal.events == ["start kid0#1", "stop kid0#1", "stop parent", "start kid0#1"]
    assert await ref.ask(Number()) == 2


async def test_an_actor_that_is_cancelled_again_while_its_children_stop_kills_them(actor_system: TestSystem) -> None:
    class Slow(Parent):
        async def on_start(self) -> None:
            spec = worker("kid", self.journal, stop=takes(1000.0), shutdown=Shutdown.INFINITE)
            await self.context.start_child(spec)

    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Slow, args=(journal,), restart=Restart.TEMPORARY))
    cancel("/test/a")
    await settle(1.0)
    cancel("/test/a")
    await settle()
    assert journal.events == ["start kid#1", "stop parent"]
    assert not ref.is_alive
    with pytest.raises(ActorDead):
        await ref.ask(Number())


@pytest.mark.parametrize("moment", ["start", "after_start", "handler", "stop"])
async def test_an_actor_ends_as_killed_wherever_it_is(actor_system: TestSystem, moment: str) -> None:
    late = takes(10.0, 1)
    plans = {"start": {"start": late}, "after_start": {"after": late}, "stop": {"stop": late}}
    spec = worker("a", **plans.get(moment, {}), shutdown=20.0)  # type: ignore[arg-type]
    began = anyio.current_time()
    async with anyio.create_task_group() as group:

        async def act() -> None:
            if moment == "start":
                with pytest.raises(StartError, match=OUTSIDE):
                    await actor_system.start_child(spec)
                return
            ref = await actor_system.start_child(spec)
            if moment == "handler":
                await ref.tell(Work(10.0))
            if moment == "stop":
                await ref.stop()

        group.start_soon(act)
        await settle()
        cancel("/test/a")
        await settle()
    assert anyio.current_time() - began < 1.0
    assert await numbers(actor_system.ref) == {} if moment == "start" else {"a": None if moment == "stop" else 2}


async def test_timeouts_in_the_stop_hook_do_not_see_the_cancellation(actor_system: TestSystem) -> None:
    class Tidy(Actor):
        async def on_stop(self, reason: StopReason) -> None:
            task = asyncio.current_task()
            assert task is not None
            seen.append(task.cancelling())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await anyio.sleep_forever()
            seen.append(task.cancelling())

    seen: list[int] = []
    await actor_system.start_child(ChildSpec("a", Tidy, restart=Restart.TEMPORARY))
    cancel("/test/a")
    await settle(2.0)
    assert seen == [0, 0]


async def test_a_helper_that_never_ran_is_its_actors_crash(actor_system: TestSystem) -> None:
    class Helped(Actor):
        @handles
        def quit(self, message: Quit) -> None:
            self.context.run_task(anyio.sleep(1.0), name="nap")

        @handles
        def number(self, message: Number) -> int:
            return self.context.ref.incarnation

    ref = await actor_system.start_child(ChildSpec("a", Helped))
    ref.tell_nowait(Quit())
    await turns_until(lambda: bool(tasks_of("/test/a:nap")))
    cancel("/test/a:nap")
    await settle()
    assert await ref.ask(Number()) == 2


async def test_the_root_fails_its_system() -> None:
    journal = Journal()
    system = TestSystem()

    async def host() -> None:
        async with system:
            await system.start_child(worker("a", journal))
            cancel("/test")
            await anyio.sleep_forever()

    with pytest.raises(SystemFailed, match=OUTSIDE):
        await host()
    assert journal.events == ["start a#1", "stop a#1"]
    with pytest.raises(ActorDead):
        await system.start_child(worker("b"))


def _flat() -> tuple[ChildSpec | SupervisorSpec, ...]:
    return (worker("a"), worker("b", stop=takes(1.0)))


def _deep() -> tuple[ChildSpec | SupervisorSpec, ...]:
    below = SupervisorSpec("below", children=(worker("x"), SupervisorSpec("pool", parallel_shutdown=True)))
    kids = ChildSpec("kids", Parent, args=(Journal(), 3))
    return (worker("a", start=fails(2)), below, kids)


@pytest.mark.parametrize("children", [_flat, _deep])
@pytest.mark.parametrize("count", range(30, 70, 3))
async def test_a_host_that_cancels_all_tasks_ends_the_system(
    children: Callable[[], tuple[ChildSpec | SupervisorSpec, ...]], count: int
) -> None:
    """At rest, and in every turn of a restart."""
    system = ActorSystem("test", intensity=Intensity(100, 1.0))

    async def host() -> None:
        async with system:
            sup = await system.start_child(SupervisorSpec("sup", children=children(), strategy=Strategy.ONE_FOR_ALL))
            await _crash(sup)
            await anyio.sleep_forever()

    task = asyncio.get_running_loop().create_task(host())
    await turns(count)
    cancel_all()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle(5.0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("count", range(6))
async def test_a_host_that_is_cancelled_while_it_enters_leaves_nothing(count: int) -> None:
    async def host() -> None:
        async with TestSystem():
            await anyio.sleep_forever()

    task = asyncio.get_running_loop().create_task(host())
    await turns(count)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_every_life_reports_one_start_and_one_end(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(worker("a"), worker("b"))))
    cancel("/test/sup", "/test/sup/a", "/test/sup/b")
    await settle()
    starts = [(event.path, event.incarnation) for event in actor_system.recorded(ActorStarted)]
    ends = [(event.path, event.incarnation) for event in actor_system.recorded(ActorCrashed, ActorStopped)]
    paths = ["/test/sup", "/test/sup/a", "/test/sup/b"]
    assert sorted(starts) == [(path, number) for path in paths for number in (1, 2)]
    assert sorted(ends) == [(path, 1) for path in paths]
    assert await numbers(sup) == {"a": 2, "b": 2}
