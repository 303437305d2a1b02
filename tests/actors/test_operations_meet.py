"""What an operator does meets something else: a stop, a drain, a crash, another operator, a caller who gives up."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import anyio
import pytest

from actors import (
    Actor,
    ActorDead,
    ActorError,
    ActorRestarting,
    ActorResumed,
    Backoff,
    ChildNotFound,
    ChildSpec,
    DeadlockError,
    Intensity,
    Message,
    Restart,
    Shutdown,
    StartError,
    StopReason,
    Strategy,
    SupervisorSpec,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import (
    Boom,
    Crash,
    Journal,
    Note,
    Number,
    Work,
    Worker,
    fails,
    ignores,
    numbers,
    settle,
    states,
    takes,
    worker,
)


async def test_a_stop_of_the_system_takes_over_a_restart_by_path() -> None:
    journal = Journal()
    async with TestSystem() as system:
        await system.start_child(worker("a", journal, start=takes(20.0, 2), stop=takes(3.0)))
        restart = asyncio.create_task(system.restart("a"))
        await settle(1.0)
    with pytest.raises(ActorDead, match="system stops"):
        await restart
    assert journal.take() == ["init a#1", "start a#1", "stop a#1"]


async def test_a_static_child_whose_restart_its_supervisor_overtakes_comes_back_with_it(
    actor_system: TestSystem,
) -> None:
    static = (worker("a", start=takes(3.0, 2)), worker("b"))
    await actor_system.start_child(SupervisorSpec("sup", static, intensity=Intensity(0, 1.0)))
    ref = actor_system.find("sup/a")
    ended = asyncio.create_task(ref.stopped())
    restart = asyncio.create_task(actor_system.restart("sup/a"))
    await settle(1.0)
    await actor_system.restart("sup")
    with pytest.raises(ActorDead):
        await restart
    assert (ref.is_alive, ended.done()) == (True, False)
    ended.cancel()


async def test_a_restart_by_path_that_has_begun_is_done_though_its_caller_gives_up(actor_system: TestSystem) -> None:
    for spec in (worker("a", start=takes(5.0, 2)), worker("a", stop=takes(5.0, 1))):
        ref = await actor_system.start_child(spec)
        with anyio.move_on_after(1.0) as scope:
            await actor_system.restart("a")
        assert scope.cancelled_caught
        assert await ref.ask(Number(), timeout=10.0) == 2
        await ref.stop()
        await actor_system.delete_child("a")


async def test_a_restart_by_path_that_waits_its_turn_goes_with_its_caller(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    slow = asyncio.create_task(actor_system.start_child(worker("slow", start=takes(5.0))))
    await settle()
    with anyio.move_on_after(1.0):
        await actor_system.restart("a")
    await slow
    await settle()
    assert ref.incarnation == 1


async def test_a_group_comes_up_though_the_one_that_it_waits_for_declines(actor_system: TestSystem) -> None:
    slow = Backoff(initial=100.0, maximum=100.0, jitter=0.0)
    children = (worker("a", start=ignores(2), backoff=slow), worker("b"))
    sup = await actor_system.start_child(SupervisorSpec("sup", children, strategy=Strategy.ONE_FOR_ALL))
    await actor_system.find("sup/a").tell(Crash())
    await settle(1.0)
    await actor_system.restart("sup/a")
    await settle()
    assert await states(sup) == {"a": "stopped", "b": "running"}


async def test_a_stop_keeps_its_reason_where_a_restart_fails_meanwhile() -> None:
    # the kill of what took too long takes its time: the stop comes in between
    async def stubborn() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + 1.6
        while loop.time() < due:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(due - loop.time())

    journal = Journal()
    async with TestSystem(intensity=Intensity(1, 100.0)) as system:
        plan = worker("a", journal, start=lambda number: stubborn() if number > 1 else None, start_timeout=1.0)
        ref = await system.start_child(plan)
        await ref.tell(Crash())
        await settle(1.1)
        assert ref.incarnation == 2
    assert (await system.stopped()).detail == "system stops"


async def test_a_drain_can_not_be_suspended_and_ends(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, shutdown=Shutdown.INFINITE))
    await ref.tell(Work(3.0))
    await ref.tell(Note("queued"))
    drain = asyncio.create_task(ref.drain())
    await settle()
    with pytest.raises(ActorError, match=r"is to stop \(shutdown: drained\)"):
        await actor_system.suspend("a")
    await drain
    assert journal.take() == ["start a#1", "begin a#1", "done a#1", "note a#1 queued", "stop a#1"]


async def test_suspend_says_that_a_drain_has_ended_it(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    await ref.tell(Work(3.0))
    await settle()
    suspension = asyncio.create_task(actor_system.suspend("a"))
    await settle()
    await ref.drain()
    with pytest.raises(ActorError, match=r"resumed meanwhile|has ended meanwhile"):
        await suspension


async def test_a_drain_of_a_suspended_actor_that_ends_already_does_not_resume_it(actor_system: TestSystem) -> None:
    class Failing(Actor):
        async def after_start(self) -> None:
            self.context.run_task(self.fail())

        async def fail(self) -> None:
            await anyio.sleep(5.0)
            raise Boom

        async def on_stop(self, reason: StopReason) -> None:
            await anyio.sleep(3.0)

    ref = await actor_system.start_child(ChildSpec("a", Failing))
    await actor_system.suspend("a")
    await settle(6.0)
    await ref.drain()
    assert not actor_system.recorded(ActorResumed)


async def test_who_waits_for_a_suspension_hears_that_another_operator_has_ended_it(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    await ref.tell(Work(3.0))
    await settle()
    first = asyncio.create_task(actor_system.suspend("a", timeout=None))
    await settle()
    actor_system.resume("a")
    with pytest.raises(ActorError, match="resumed meanwhile"):
        await first


async def test_who_waits_for_a_suspension_hears_that_the_actor_has_ended(actor_system: TestSystem) -> None:
    class Failing(Worker):
        @handles
        async def work(self, message: Work) -> None:
            await anyio.sleep(message.seconds)
            raise Boom

    ref = await actor_system.start_child(ChildSpec("a", Failing))
    await ref.tell(Work(3.0))
    await settle()
    with pytest.raises(ActorError, match=r"has ended meanwhile \(crash: Boom.*its next life is not suspended"):
        await actor_system.suspend("a")
    assert await ref.ask(Number()) == 2


class Go(Message):
    """Sets off what a test wants."""


async def test_a_suspension_and_an_ask_can_not_wait_for_each_other(actor_system: TestSystem) -> None:
    class Holding(Worker):
        @handles
        async def go(self, message: Go) -> None:
            await anyio.sleep(1.0)
            with pytest.raises(DeadlockError, match="/test/holding -> /test/asking -> /test/holding"):
                await actor_system.suspend("asking", timeout=None)

    class Asking(Worker):
        @handles
        async def go(self, message: Go) -> None:
            assert await actor_system.find("holding").ask(Number(), timeout=None) == 1

    holding = await actor_system.start_child(ChildSpec("holding", Holding))
    asking = await actor_system.start_child(ChildSpec("asking", Asking))
    await holding.tell(Go())
    await asking.tell(Go())
    await settle(10.0)
    assert (holding.incarnation, asking.incarnation) == (1, 1)
    assert await asking.ask(Number()) == 1


async def test_a_description_shows_no_argument_of_a_factory_and_bears_what_cant_be_printed(
    actor_system: TestSystem,
) -> None:
    class Sulking:
        def __repr__(self) -> str:
            raise Boom

        def __call__(self) -> Worker:
            return Worker()

    def made(account: str) -> Worker:
        return Worker()

    await actor_system.start_child(ChildSpec("a", partial(made, account="hunter2"), metadata={"x": Sulking()}))
    await actor_system.start_child(ChildSpec("b", Sulking()))
    told = actor_system.describe("a")
    assert "made" in told.spec["factory"]
    assert "hunter2" not in str(told)
    assert "Boom" in told.spec["metadata"]
    assert "Sulking" in actor_system.describe("b").spec["factory"]


async def test_restarts_by_two_operators_follow_each_other(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup", (worker("a"), worker("b"))))
    await asyncio.gather(actor_system.restart("sup/a"), actor_system.restart("sup/a"), actor_system.restart("sup/b"))
    assert await numbers(sup) == {"a": 3, "b": 2}


async def test_a_description_says_where_a_zombie_hangs(actor_system: TestSystem) -> None:
    class Stubborn(Worker):
        @handles
        async def work(self, message: Work) -> None:
            loop = asyncio.get_running_loop()
            due = loop.time() + message.seconds
            while loop.time() < due:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(due - loop.time())

    ref = await actor_system.start_child(ChildSpec("a", Stubborn, shutdown=1.0))
    await ref.tell(Work(60.0))
    await settle()
    await ref.stop()
    assert "in work" in str(actor_system.describe("a"))
    await settle(100.0)
    assert actor_system.describe("a").awaits == ()


async def test_a_temporary_child_that_has_gone_is_described_while_the_roster_shows_it(
    actor_system: TestSystem,
) -> None:
    ref = await actor_system.start_child(worker("a", restart=Restart.TEMPORARY))
    await ref.tell(Crash("no such order"))
    await settle(1.0)
    for path in ("a", "/test/a"):
        assert actor_system.describe(path).last_error == ("Boom: no such order",)
    await settle(100.0)
    assert actor_system.roster().find("/test/a") is None
    with pytest.raises(ChildNotFound):
        actor_system.describe("a")


async def test_a_restart_below_a_supervisor_that_is_down_says_when_that_comes_back(actor_system: TestSystem) -> None:
    slow = Backoff(initial=100.0, maximum=100.0, jitter=0.0)
    await actor_system.start_child(SupervisorSpec("sup", (worker("a"),), intensity=Intensity(0, 1.0), backoff=slow))
    ref = actor_system.find("sup/a")
    await ref.tell(Crash())
    await settle(1.0)
    with pytest.raises(ActorDead, match="/test/sup is down; it is restarted in 99 s"):
        await actor_system.restart("sup/a")
    await actor_system.restart("sup")
    assert ref.is_alive
    await actor_system.find("sup").stop()
    with pytest.raises(ActorDead, match="/test/sup is dead"):
        await actor_system.restart("sup/a")


async def test_a_restart_by_path_begins_the_backoff_anew(actor_system: TestSystem) -> None:
    growing = Backoff(initial=1.0, maximum=100.0, factor=10.0, jitter=0.0, reset_after=1000.0)
    ref = await actor_system.start_child(worker("a", backoff=growing))
    for wait in (1.1, 10.1):
        await ref.tell(Crash())
        await settle(wait)
    await actor_system.restart("a")
    await ref.tell(Crash())
    await settle()
    assert [event.delay for event in actor_system.recorded(ActorRestarting)] == [1.0, 10.0, 1.0]


async def test_a_restart_by_path_that_overtakes_the_news_of_a_crash_goes_on_trying(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a", start=fails(2)))
    slow = asyncio.create_task(actor_system.start_child(worker("slow", start=takes(5.0))))
    await settle()
    restart = asyncio.create_task(actor_system.restart("a"))
    await settle()
    await ref.tell(Crash())
    await slow
    with pytest.raises(StartError, match="hook of incarnation 2"):
        await restart
    assert await ref.ask(Number()) == 3
