"""What an operator does to a running tree: suspend and resume, restart by path, look at one child, change a budget."""

from __future__ import annotations

import asyncio

import anyio
import msgspec
import pytest

from actors import (
    Actor,
    ActorError,
    ActorRestarted,
    ActorResumed,
    ActorSuspended,
    AskTimeout,
    Backoff,
    ChildNotFound,
    ChildSpec,
    DeadlockError,
    Intensity,
    IntensityExceeded,
    Mailbox,
    MailboxFull,
    Message,
    Restart,
    SpecError,
    StartError,
    Strategy,
    SupervisorRef,
    SupervisorSpec,
    TaskSpec,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, Journal, Note, Number, Work, fails, numbers, settle, states, worker


def state(system: TestSystem, path: str) -> str:
    entry = system.roster().find(path)
    assert entry is not None
    return entry.state


async def test_a_suspended_actor_takes_no_message_until_it_is_resumed(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await actor_system.suspend("a", why="the feed is being moved")
    assert state(actor_system, "/test/a") == "suspended"
    assert ref.is_alive
    for number in range(3):
        await ref.tell(Note(str(number)))
    await settle(60.0)
    assert journal.take() == ["start a#1"]
    actor_system.resume("/test/a")
    await settle()
    assert journal.take() == ["note a#1 0", "note a#1 1", "note a#1 2"]
    assert state(actor_system, "/test/a") == "running"
    events = actor_system.recorded(ActorSuspended, ActorResumed)
    assert [(type(event), getattr(event, "why", None)) for event in events] == [
        (ActorSuspended, "the feed is being moved"),
        (ActorResumed, None),
    ]


async def test_suspend_waits_for_the_message_in_hand(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await ref.tell(Work(3.0))
    await ref.tell(Note())
    await settle()
    began = actor_system.clock.time()
    await actor_system.suspend("a")
    assert actor_system.clock.time() - began == pytest.approx(3.0, abs=0.01)
    await settle(10.0)
    assert journal.take() == ["start a#1", "begin a#1", "done a#1"]


async def test_suspend_says_when_the_message_in_hand_takes_too_long_and_holds_all_the_same(
    actor_system: TestSystem,
) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await ref.tell(Work(3.0))
    await ref.tell(Note())
    await settle()
    with pytest.raises(AskTimeout, match=r"/test/a .*more than 1 s"):
        await actor_system.suspend("a", timeout=1.0)
    await settle(10.0)
    assert journal.take() == ["start a#1", "begin a#1", "done a#1"]
    actor_system.resume("a")
    await settle()
    assert journal.take() == ["note a#1 "]


async def test_suspending_or_resuming_twice_changes_nothing(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    actor_system.resume("a")
    await actor_system.suspend("a")
    await actor_system.suspend("a")
    actor_system.resume("a")
    actor_system.resume("a")
    assert await ref.ask(Number()) == 1
    assert len(actor_system.recorded(ActorSuspended, ActorResumed)) == 2


async def test_an_ask_of_a_suspended_actor_says_so(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    await actor_system.suspend("a")
    with pytest.raises(AskTimeout, match="it is suspended"):
        await ref.ask(Number(), timeout=1.0)


async def test_the_mailbox_of_a_suspended_actor_keeps_its_bound(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a", mailbox=Mailbox(2)))
    await actor_system.suspend("a")
    await ref.tell(Note())
    await ref.tell(Note())
    with pytest.raises(MailboxFull):
        await ref.tell(Note(), timeout=1.0)


async def test_a_suspended_actor_can_be_stopped(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await actor_system.suspend("a")
    await ref.tell(Note())
    await ref.stop()
    assert journal.take() == ["start a#1", "stop a#1"]


async def test_a_suspended_actor_can_be_killed_and_its_next_life_runs(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await actor_system.suspend("a")
    await ref.tell(Note("kept"))
    await ref.kill()
    await settle()
    assert journal.take() == ["start a#1", "start a#2", "note a#2 kept"]


async def test_a_drain_of_a_suspended_actor_handles_what_is_queued(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await actor_system.suspend("a")
    await ref.tell(Note("queued"))
    await ref.drain()
    assert journal.take() == ["start a#1", "note a#1 queued", "stop a#1"]


async def test_the_system_stops_though_actors_are_suspended() -> None:
    journal = Journal()
    async with TestSystem() as system:
        await system.start_child(worker("a", journal))
        await system.suspend("a")
    assert journal.take() == ["start a#1", "stop a#1"]


async def test_news_of_a_watched_actor_wait_for_the_resumption(actor_system: TestSystem) -> None:
    class Watching(Actor):
        async def on_start(self) -> None:
            self.context.watch(actor_system.find("target"))

    target = await actor_system.start_child(worker("target"))
    watching = await actor_system.start_child(ChildSpec("w", Watching, restart=Restart.TEMPORARY))
    await actor_system.suspend("w")
    await target.stop()
    await settle(10.0)
    assert watching.is_alive
    actor_system.resume("w")
    assert (await watching.stopped()).kind == "crash"  # it handles no Terminated


async def test_only_running_actors_can_be_suspended(actor_system: TestSystem) -> None:
    async def forever() -> None:
        await anyio.sleep_forever()

    await actor_system.start_child(SupervisorSpec("sup"))
    await actor_system.start_child(TaskSpec("task", forever))
    stopped = await actor_system.start_child(worker("stopped"))
    await stopped.stop()
    for path, why in (("sup", "is a supervisor"), ("task", "is a task"), ("stopped", "is stopped")):
        with pytest.raises(ActorError, match=why):
            await actor_system.suspend(path)
        with pytest.raises(ActorError, match=why):
            actor_system.resume(path)
    with pytest.raises(ChildNotFound):
        await actor_system.suspend("nobody")


async def test_an_actor_cant_wait_for_its_own_suspension(actor_system: TestSystem) -> None:
    class Itself(Actor):
        @handles
        async def note(self, message: Note) -> None:
            with pytest.raises(DeadlockError):
                await self.context.system.suspend(self.context.ref.path)

    ref = await actor_system.start_child(ChildSpec("a", Itself))
    await ref.tell(Note())
    await ref.drain()
    assert not [each for each in actor_system.roster().entries if each.failed]


async def test_restart_by_path_keeps_the_mailbox_and_counts_nothing(actor_system: TestSystem) -> None:
    journal = Journal()
    sup = await actor_system.start_child(SupervisorSpec("sup", intensity=Intensity(0, 5.0)))
    ref = await sup.start_child(worker("a", journal))
    await actor_system.suspend("sup/a")
    await ref.tell(Note("kept"))
    assert await actor_system.restart("/test/sup/a") == ref
    await settle()
    assert journal.take() == ["start a#1", "stop a#1", "start a#2", "note a#2 kept"]
    assert journal.reasons["a#1"].kind == "shutdown"
    entry = actor_system.roster().find("/test/sup/a")
    assert entry is not None
    assert (entry.state, entry.restarts, entry.restarts_in_window) == ("running", 1, 0)
    assert len(actor_system.recorded(ActorRestarted)) == 1


async def test_restart_by_path_leaves_the_siblings_alone_whatever_the_strategy(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(
        SupervisorSpec("sup", children=(worker("a"), worker("b")), strategy=Strategy.ONE_FOR_ALL)
    )
    await actor_system.restart("sup/a")
    assert await numbers(sup) == {"a": 2, "b": 1}


async def test_restart_by_path_brings_up_what_waits_for_its_backoff_and_the_group_with_it(
    actor_system: TestSystem,
) -> None:
    slow = Backoff(initial=100.0, maximum=100.0, jitter=0.0)
    sup = await actor_system.start_child(
        SupervisorSpec("sup", children=(worker("a", backoff=slow), worker("b")), strategy=Strategy.ONE_FOR_ALL)
    )
    await actor_system.find("sup/a").tell(Crash())
    await settle(1.0)
    assert await states(sup) == {"a": "restarting", "b": "stopped"}
    await actor_system.restart("sup/a")
    await settle()
    assert await numbers(sup) == {"a": 2, "b": 2}
    await settle(200.0)
    assert await numbers(sup) == {"a": 2, "b": 2}


async def test_restart_by_path_starts_what_was_stopped(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    await ref.stop()
    await actor_system.restart("a")
    assert await ref.ask(Number()) == 2


async def test_a_restart_by_path_that_fails_is_told_and_goes_on_as_after_a_crash(actor_system: TestSystem) -> None:
    quick = Backoff(initial=1.0, maximum=1.0, jitter=0.0)
    ref = await actor_system.start_child(worker("a", start=fails(2), backoff=quick))
    with pytest.raises(StartError, match="hook of incarnation 2"):
        await actor_system.restart("a")
    await settle(2.0)
    assert await ref.ask(Number()) == 3


async def test_a_stopped_child_whose_start_fails_stays_down(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a", start=fails(2)))
    await ref.stop()
    with pytest.raises(StartError):
        await actor_system.restart("a")
    await settle(60.0)
    assert (ref.is_alive, ref.incarnation) == (False, 2)


async def test_the_root_and_temporary_children_cant_be_restarted_by_path(actor_system: TestSystem) -> None:
    await actor_system.start_child(worker("t", restart=Restart.TEMPORARY))
    with pytest.raises(ActorError, match="temporary"):
        await actor_system.restart("t")
    with pytest.raises(ActorError, match="root"):
        await actor_system.restart("/test")


async def test_a_supervisor_can_be_restarted_by_path_with_its_static_children(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(worker("a"),)))
    await actor_system.restart("sup")
    assert (sup.incarnation, await numbers(sup)) == (2, {"a": 2})


async def test_an_actor_can_restart_its_sibling_but_not_what_it_is_a_part_of(actor_system: TestSystem) -> None:
    class Operator(Actor):
        @handles
        async def note(self, message: Note) -> None:
            await self.context.system.restart("sup/a")
            with pytest.raises(DeadlockError):
                await self.context.system.restart("sup")

    sup = await actor_system.start_child(SupervisorSpec("sup", children=(worker("a"), ChildSpec("op", Operator))))
    op = actor_system.find("sup/op")
    await op.tell(Note())
    await settle()
    assert await numbers(sup) == {"a": 2, "op": 1}


async def test_a_child_tells_its_spec_by_id(actor_system: TestSystem) -> None:
    spec = worker("a")
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(spec,)))
    assert await sup.get_spec("a") == spec
    assert await actor_system.get_spec("sup") == SupervisorSpec("sup", children=(spec,))
    with pytest.raises(ChildNotFound, match=r"'b'.*a"):
        await sup.get_spec("b")


async def crash(sup: SupervisorRef, times: int) -> None:
    for _ in range(times):
        child = (await sup.which_children())[0].ref
        assert child is not None
        await child.tell(Crash())
        await settle()


async def test_a_supervisors_budget_can_be_raised_while_it_runs(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(worker("a"),), intensity=Intensity(1, 100.0)))
    await crash(sup, 1)
    await sup.set_intensity(Intensity(5, 100.0))
    await crash(sup, 4)
    assert (sup.incarnation, await numbers(sup)) == (1, {"a": 6})
    entry = actor_system.roster().find("/test/sup")
    assert entry is not None
    assert (entry.intensity, entry.restarts_in_window) == ("5 in 100 s", 5)
    await crash(sup, 1)
    assert len(actor_system.recorded(IntensityExceeded)) == 1


async def test_a_lowered_budget_counts_what_lies_in_the_window_and_ends_with_the_supervisors_life(
    actor_system: TestSystem,
) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(worker("a"),), intensity=Intensity(5, 100.0)))
    await crash(sup, 2)
    await sup.set_intensity(Intensity(2, 100.0))
    await crash(sup, 1)
    assert sup.incarnation == 2
    await crash(sup, 5)
    assert sup.incarnation == 2


async def test_a_wrong_budget_is_refused_where_the_caller_stands(actor_system: TestSystem) -> None:
    with pytest.raises(SpecError, match=r"/test: intensity: got .*-1"):
        await actor_system.set_intensity(Intensity(-1, 1.0))


class Wait(Message):
    """Makes the handler wait for a future."""


class Waiting(Actor):
    def __init__(self, password: str) -> None:
        self.password = password

    @handles
    async def wait(self, message: Wait) -> None:
        await self.deeper()

    async def deeper(self) -> None:
        self.context.run_task(anyio.sleep_forever(), name="beside")
        await asyncio.get_running_loop().create_future()

    @handles
    def crash(self, message: Crash) -> None:
        try:
            raise KeyError("EURUSD")
        except KeyError as missing:
            raise Boom("no such symbol") from missing


async def test_describe_tells_what_is_known_of_one_child(actor_system: TestSystem) -> None:
    spec = ChildSpec("a", Waiting, args=("hunter2",), metadata={"team": "fx"}, backoff=Backoff(jitter=0.0))
    ref = await actor_system.start_child(spec)
    await ref.tell(Crash())
    await settle(10.0)
    await ref.tell(Wait())
    await settle()
    told = actor_system.describe("/test/a")
    assert told.entry.path == "/test/a"
    assert told.entry.handling == "Wait"
    assert told.spec["factory"] == "Waiting"
    assert "EURUSD" not in told.spec
    assert told.last_error == ("Boom: no such symbol", "KeyError: 'EURUSD'")
    assert [each.what for each in told.happened] == ["ActorCrashed", "ActorRestarting", "ActorRestarted"]
    assert [place.rpartition(" ")[2] for place in told.awaits] == ["wait", "deeper"]
    assert all("test_operations.py:" in place for place in told.awaits)
    assert set(told.background) == {"beside"}
    text = str(told)
    for words in ("/test/a is running since", "handling Wait", "team", "no such symbol", "in deeper", "beside"):
        assert words in text
    assert "hunter2" not in text + repr(told)
    assert msgspec.json.decode(told.to_json())["entry"]["metadata"] == {"team": "fx"}


async def test_describe_keeps_the_last_ten_events_of_one_child(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup", intensity=Intensity(100, 1.0)))
    await sup.start_child(worker("a"))
    await crash(sup, 9)
    told = actor_system.describe("sup/a")
    assert len(told.happened) == 10
    assert told.happened[-1].what == "ActorRestarted"
    assert told.happened[-1].incarnation == 10
    assert "restarts=9" in str(told.happened[-1])


async def test_describe_tells_of_health_suspension_and_what_is_down(actor_system: TestSystem) -> None:
    class Sick(Actor):
        async def after_start(self) -> None:
            self.context.report_health("degraded", why="no data since noon")

    await actor_system.start_child(ChildSpec("a", Sick))
    await settle()
    await actor_system.suspend("a", why="maintenance")
    told = actor_system.describe("a")
    assert [each.what for each in told.happened] == ["HealthChanged", "ActorSuspended"]
    assert "no data since noon" in str(told)
    assert "why=maintenance" in str(told)
    await actor_system.find("a").stop()
    assert "is stopped" in str(actor_system.describe("a"))
    assert actor_system.describe("a").awaits == ()


async def test_describe_tells_of_supervisors_tasks_and_failed_starts(actor_system: TestSystem) -> None:
    async def poll() -> None:
        await anyio.sleep_forever()

    await actor_system.start_child(SupervisorSpec("sup", strategy=Strategy.REST_FOR_ONE))
    await actor_system.start_child(TaskSpec("task", poll))
    assert actor_system.describe("sup").spec["strategy"] == "rest_for_one"
    await settle()
    places = actor_system.describe("task").awaits
    assert any(place.endswith("in poll") for place in places)
    ref = await actor_system.start_child(worker("w", start=fails(2)))
    await ref.stop()
    with pytest.raises(StartError):
        await actor_system.restart_child("w")
    assert actor_system.describe("w").last_error == ("Boom: hook of incarnation 2",)
    with pytest.raises(ChildNotFound):
        actor_system.describe("nobody")
