"""A plain `async def` as a supervised child: its results, restarts, limits and records."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from functools import partial
from typing import Any

import anyio
import msgspec
import pytest
import pytest_asyncio

from actors import (
    Actor,
    ActorDead,
    ActorError,
    ActorRef,
    ActorRestarted,
    AlreadyStarted,
    Backoff,
    ChildSpec,
    DeadlockError,
    Intensity,
    InvalidMessage,
    Message,
    Request,
    Restart,
    Shutdown,
    SpecError,
    SupervisorSpec,
    TaskCancelled,
    TaskHandle,
    TaskRef,
    TaskSpec,
    current_context,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Note, settle


async def double(number: int, *, plus: int = 0) -> int:
    await anyio.sleep(1)
    return 2 * number + plus


async def fail(text: str = "no such feed") -> None:
    await anyio.sleep(1)
    raise Boom(text)


class Flaky:
    """Fails in its first runs."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.runs = 0

    async def __call__(self) -> str:
        self.runs += 1
        await anyio.sleep(1)
        if self.runs <= self.failures:
            raise Boom(f"run {self.runs}")
        return f"run {self.runs} held"


async def test_a_task_is_a_child_and_gives_what_its_function_returns(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("double", double, args=(4,), kwargs={"plus": 1}))
    assert isinstance(ref, TaskRef)
    assert (ref.is_alive, ref.state) == (True, "running")
    assert await ref.result() == 9
    assert await ref.result() == 9
    assert (await ref.stopped()).kind == "normal"
    assert (ref.is_alive, ref.state) == (False, "stopped")


async def test_a_transient_task_is_restarted_until_it_returns(system: TestSystem) -> None:
    flaky = Flaky(2)
    ref = await system.start_child(TaskSpec("flaky", flaky, backoff=Backoff(initial=1, jitter=0)))
    assert await ref.result() == "run 3 held"
    assert len(system.recorded(ActorRestarted)) == 2


async def test_a_temporary_task_gives_the_error_that_it_raised(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("fails", fail, restart=Restart.TEMPORARY))
    with pytest.raises(Boom, match="no such feed"):
        await ref.result()
    with pytest.raises(Boom, match="no such feed"):
        await ref.result()


async def test_a_permanent_task_runs_again_whenever_it_returns(system: TestSystem) -> None:
    flaky = Flaky(0)
    spec = TaskSpec("poll", flaky, restart=Restart.PERMANENT)
    pool = await system.start_child(SupervisorSpec("pool", [spec], intensity=Intensity(5, 60)))
    await anyio.sleep(3.5)
    assert flaky.runs == 4
    assert (await pool.count_children()).active == 1


async def test_a_task_that_keeps_failing_ends_with_its_supervisors_budget(system: TestSystem) -> None:
    pool = await system.start_child(
        SupervisorSpec("pool", [TaskSpec("fails", fail)], intensity=Intensity(2, 60), restart=Restart.TEMPORARY)
    )
    task = system.find(f"{pool.path}/fails")
    assert isinstance(task, TaskRef)
    with pytest.raises(Boom):
        await task.result()
    assert task.incarnation == 3


@pytest.mark.parametrize("error", [BaseException("odd"), GeneratorExit(), asyncio.CancelledError(), StopIteration(3)])
async def test_an_error_of_any_class_is_a_crash_and_never_comes_out_as_such_a_class(
    system: TestSystem, error: BaseException
) -> None:
    async def odd() -> None:
        await anyio.sleep(1)
        raise error

    ref = await system.start_child(TaskSpec("odd", odd, restart=Restart.TEMPORARY))
    with pytest.raises((ActorDead, RuntimeError)):  # a coroutine turns StopIteration into RuntimeError
        await ref.result()
    assert ref.state == "failed"


async def test_a_stop_cancels_the_function_and_lets_it_clean_up(system: TestSystem) -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await asyncio.sleep(2)  # unshielded, and longer than a kill would allow
            cleaned.append("closed")

    ref = await system.start_child(TaskSpec("work", work, restart=Restart.PERMANENT))
    await settle()
    await ref.stop()
    assert cleaned == ["closed"]
    assert ref.incarnation == 1
    with pytest.raises(TaskCancelled, match="has no result: shutdown: cancelled"):
        await ref.result()


async def test_a_function_that_takes_longer_than_its_shutdown_to_clean_up_is_killed(system: TestSystem) -> None:
    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await asyncio.sleep(60)

    ref = await system.start_child(TaskSpec("work", work, shutdown=3.0))
    await settle()
    began = system.clock.time()
    await ref.stop()
    assert 3 <= system.clock.time() - began <= 4.5


async def test_a_brutal_shutdown_does_not_wait(system: TestSystem) -> None:
    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await asyncio.sleep(60)

    ref = await system.start_child(TaskSpec("work", work, shutdown=Shutdown.BRUTAL))
    await settle()
    began = system.clock.time()
    await ref.stop()
    assert system.clock.time() - began <= 1.5


async def test_a_task_that_is_stopped_before_its_first_step_never_begins(system: TestSystem) -> None:
    began: list[int] = []

    async def work() -> None:
        began.append(1)
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(system.start_child, TaskSpec("work", work))
        await anyio.lowlevel.checkpoint()
        await system.terminate_child("work")
    assert len(began) <= 1
    assert [each for each in asyncio.all_tasks() if "work" in each.get_name()] == []


async def test_cancel_stops_for_good_without_waiting_also_a_permanent_one(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("work", anyio.sleep_forever, restart=Restart.PERMANENT))
    ref.cancel()
    with pytest.raises(TaskCancelled):
        await ref.result()
    assert ref.incarnation == 1


async def test_who_gives_up_waiting_for_a_result_leaves_the_task_alone(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("double", double, args=(4,)))
    with anyio.move_on_after(0.5) as scope:
        await ref.result()
    assert scope.cancelled_caught
    assert await ref.result() == 8


async def test_a_deadline_bounds_one_run_and_counts_as_a_crash(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("slow", anyio.sleep, args=(60,), deadline=5, restart=Restart.TEMPORARY))
    began = system.clock.time()
    with pytest.raises(TimeoutError, match="/test/slow took longer than its deadline of 5 s"):
        await ref.result()
    assert system.clock.time() - began == pytest.approx(5, abs=0.1)
    again = await system.start_child(TaskSpec("again", anyio.sleep, args=(60,), deadline=5))
    await anyio.sleep(6)
    assert again.incarnation == 2


async def test_a_deadline_is_of_the_function_and_not_of_what_ends_with_it(system: TestSystem) -> None:
    async def slow_to_end() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await asyncio.sleep(3)

    async def work() -> str:
        context = current_context()
        assert context is not None
        await context.start_child(TaskSpec("part", slow_to_end))
        await anyio.sleep(1)
        return "done"

    ref = await system.start_child(TaskSpec("work", work, deadline=2))
    assert await ref.result() == "done"


async def test_the_roster_shows_the_last_runs_of_a_task_and_so_does_its_json(system: TestSystem) -> None:
    flaky = Flaky(4)
    spec = TaskSpec("flaky", flaky, history=3, backoff=Backoff(initial=1, jitter=0), metadata={"feed": "ecb"})
    pool = await system.start_child(SupervisorSpec("pool", intensity=Intensity(10, 60)))
    ref = await pool.start_child(spec)
    await ref.result()
    entry = system.roster().find(ref.path)
    assert entry is not None
    assert (entry.kind, entry.state, entry.metadata) == ("task", "stopped", {"feed": "ecb"})
    assert [(run.incarnation, run.outcome, run.error) for run in entry.runs] == [
        (3, "failed", "Boom: run 3"),
        (4, "failed", "Boom: run 4"),
        (5, "finished", None),
    ]
    assert all(run.seconds == pytest.approx(1) for run in entry.runs)
    assert all(run.ended_at > run.started_at for run in entry.runs)
    shown = msgspec.json.decode(system.roster().to_json())
    runs = next(each["runs"] for each in shown["entries"] if each["path"] == ref.path)
    assert [run["outcome"] for run in runs] == ["failed", "failed", "finished"]


async def test_a_stopped_task_is_recorded_as_stopped(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("work", anyio.sleep_forever))
    await ref.stop()
    entry = system.roster().find(ref.path)
    assert entry is not None
    assert [run.outcome for run in entry.runs] == ["stopped"]


async def test_a_message_to_a_task_is_refused(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("work", anyio.sleep_forever))
    with pytest.raises(InvalidMessage, match="is a task: it takes no messages"):
        await ref.tell(Note())


async def test_a_task_gets_at_its_context_and_is_refused_what_needs_a_mailbox(system: TestSystem) -> None:
    seen: list[Any] = []

    async def work() -> None:
        context = current_context()
        assert context is not None
        seen.append(context.ref.path)
        context.report_health("degraded", "half of the symbols")
        child = await context.start_child(TaskSpec("part", double, args=(1,)))
        seen.append(await child.result())
        for refused in (
            partial(context.watch, child),
            partial(context.send_after, 1, Note()),
            partial(context.send_every, 1, Note()),
        ):
            with pytest.raises(ActorError, match="has no mailbox"):
                refused()
        await anyio.sleep_forever()

    ref = await system.start_child(TaskSpec("work", work))
    await anyio.sleep(2)
    assert seen == ["/test/work", 2]
    assert ref.health.level == "degraded"
    assert current_context() is None


async def test_the_children_of_a_task_end_with_it(system: TestSystem) -> None:
    async def work() -> None:
        context = current_context()
        assert context is not None
        await context.start_child(TaskSpec("part", anyio.sleep_forever))

    ref = await system.start_child(TaskSpec("work", work))
    await ref.result()
    assert system.roster().find("/test/work/part") is None or not system.find("/test/work").is_alive


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (TaskSpec("a", Actor), "factory: got .* given without calling it"),  # type: ignore[arg-type]
        (TaskSpec("a", 5), "factory: got 5"),  # type: ignore[arg-type]
        (TaskSpec("a", double, deadline=0), "deadline: got 0; allowed: None or seconds > 0"),
        (TaskSpec("a", double, deadline=float("nan")), "deadline: got nan"),
        (TaskSpec("a", double, stall_timeout=-1), "stall_timeout: got -1"),
        (TaskSpec("a", double, history=0), "history: got 0"),
        (ChildSpec("a", double), "factory: .* an `async def` goes into a TaskSpec"),  # type: ignore[arg-type]
    ],
)
async def test_a_wrong_spec_of_a_task_is_refused_where_it_is_given(
    system: TestSystem, spec: ChildSpec, text: str
) -> None:
    with pytest.raises(SpecError, match=text):
        await system.start_child(spec)
    assert await system.which_children() == ()


async def test_a_function_that_is_none_says_so_in_its_crash(system: TestSystem) -> None:
    plain: Any = lambda: 5  # noqa: E731 - checkers refuse what is no `async def`
    ref = await system.start_child(TaskSpec("plain", plain, restart=Restart.TEMPORARY))
    with pytest.raises(SpecError, match="got a int from it; allowed: an `async def`"):
        await ref.result()


async def test_awaiting_its_own_end_is_a_deadlock(system: TestSystem) -> None:
    async def work() -> None:
        context = current_context()
        assert context is not None
        await anyio.sleep(1)  # its supervisor waits for nothing any more
        await context.parent.stopped()

    ref = await system.start_child(TaskSpec("work", work, restart=Restart.TEMPORARY))
    with pytest.raises(DeadlockError):
        await ref.result()


async def test_start_task_runs_below_tasks_and_its_failure_is_the_callers(system: TestSystem) -> None:
    first = await system.start_task(double, 3)
    second = await system.start_task(fail, "gone")
    assert first.path.startswith("/test/tasks/double-")
    assert await first.result() == 6
    with pytest.raises(Boom, match="gone"):
        await second.result()


async def test_start_task_by_name_is_started_once(system: TestSystem) -> None:
    await system.start_task(anyio.sleep_forever, name="feed")
    with pytest.raises(AlreadyStarted):
        await system.start_task(anyio.sleep_forever, name="feed")


async def test_a_hundred_tasks_that_start_at_once_share_one_supervisor(system: TestSystem) -> None:
    refs: list[TaskRef[int]] = []

    async def start(number: int) -> None:
        refs.append(await system.start_task(double, number))

    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(start, number)
    assert sorted([await ref.result() for ref in refs]) == [2 * number for number in range(100)]
    assert [child.id for child in await system.which_children()] == ["tasks"]


async def test_start_task_takes_the_options_of_a_task_spec_and_names_a_wrong_one(system: TestSystem) -> None:
    flaky = Flaky(1)
    began = system.clock.time()
    ref = await system.start_task(flaky, name="flaky", restart=Restart.TRANSIENT)
    assert await ref.result() == "run 2 held"
    assert system.clock.time() - began >= 2.1  # two runs of a second, and a backoff between
    with pytest.raises(SpecError, match="got retries; allowed: backoff, deadline, history, kwargs"):
        await system.start_task(flaky, retries=3)


async def test_tasks_that_run_end_with_the_system(system: TestSystem) -> None:
    ref = await system.start_task(anyio.sleep_forever)
    await system.stop()
    assert (await system.stopped()).kind == "shutdown"
    with pytest.raises(TaskCancelled):
        await ref.result()


class Start(Request[str]):
    """Asks the owner to work in a helper task."""

    work: str


class Finish(Request[int]):
    """Asks for the result of a helper task."""

    work: str


class Cancel(Request[str]):
    """Asks to cancel a helper task."""

    work: str


class Owner(Actor):
    """Runs helper tasks, and keeps their handles."""

    def __init__(self) -> None:
        self.handles: dict[str, TaskHandle[int]] = {}

    @handles
    async def start(self, message: Start) -> str:
        work = double(4) if message.work == "double" else anyio.sleep(60)
        self.handles[message.work] = self.context.run_task(work, name=message.work)  # type: ignore[arg-type]
        return message.work

    @handles
    async def finish(self, message: Finish) -> int:
        return await self.handles[message.work].result()

    @handles
    async def cancel(self, message: Cancel) -> str:
        handle = self.handles[message.work]
        handle.cancel()
        try:
            await handle.result()
        except TaskCancelled as error:
            return f"{handle.state}: {error}"
        return handle.state


@pytest_asyncio.fixture
async def owner(system: TestSystem) -> ActorRef:
    return await system.start_child(ChildSpec("owner", Owner))


async def test_the_handle_of_a_helper_task_gives_its_result(owner: ActorRef) -> None:
    await owner.ask(Start("double"))
    assert await owner.ask(Finish("double")) == 8


async def test_cancelling_a_helper_task_is_no_crash_of_its_actor(owner: ActorRef) -> None:
    await owner.ask(Start("sleep"))
    text = "cancelled: /test/owner:sleep was cancelled before it had a result"
    assert await owner.ask(Cancel("sleep")) == text
    assert owner.incarnation == 1


class Trip(Message):
    """Makes the handler raise."""


async def test_stopped_waits_through_restarts_for_the_end_for_good(system: TestSystem) -> None:
    class Fragile(Actor):
        @handles
        def crash(self, message: Trip) -> None:
            raise Boom

    ref = await system.start_child(ChildSpec("fragile", Fragile))
    ended: list[str] = []

    async def wait() -> None:
        ended.append((await ref.stopped()).kind)

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await settle()
        await ref.tell(Trip())
        await settle()
        assert ended == []
        assert ref.incarnation == 2
        await ref.stop()
    assert ended == ["shutdown"]
    assert (await ref.stopped()).kind == "shutdown"


async def test_stopped_waits_while_a_supervisor_that_may_bring_it_back_is_in_backoff(system: TestSystem) -> None:
    class Fragile(Actor):
        @handles
        def crash(self, message: Trip) -> None:
            raise Boom

    slow = Backoff(initial=5, jitter=0)
    spec = SupervisorSpec("pool", [ChildSpec("fragile", Fragile)], intensity=Intensity(0, 60), backoff=slow)
    await system.start_child(spec)
    ref = system.find("/test/pool/fragile")
    await ref.tell(Trip())
    await anyio.sleep(1)
    assert not ref.is_alive
    with anyio.move_on_after(10) as waited:
        await ref.stopped()
    assert waited.cancelled_caught
    assert ref.is_alive


async def test_who_gives_up_waiting_for_an_end_leaves_nothing_behind(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("work", anyio.sleep_forever))
    for _ in range(100):
        with anyio.move_on_after(0.1):
            await ref.stopped()
    assert not ref._cell.watchers


async def test_a_result_stays_whoever_stops_the_task_or_the_system_afterwards(system: TestSystem) -> None:
    done = await system.start_child(TaskSpec("done", double, args=(2,)))
    failed = await system.start_child(TaskSpec("failed", fail, restart=Restart.TEMPORARY))
    unread = await system.start_task(double, 3)
    await anyio.sleep(2)
    await done.stop()
    done.cancel()
    await failed.stop()
    assert await done.result() == 4
    await system.stop()
    assert (await done.result(), await unread.result()) == (4, 6)
    assert (done.state, failed.state) == ("stopped", "failed")
    with pytest.raises(Boom):
        await failed.result()


async def test_a_task_that_returns_in_the_turn_of_its_stop_keeps_its_result(system: TestSystem) -> None:
    go = anyio.Event()

    async def work() -> str:
        await go.wait()
        return "done"

    ref = await system.start_child(TaskSpec("work", work))
    await settle()
    go.set()
    await anyio.lowlevel.checkpoint()
    ref.cancel()
    entry = system.roster().find(ref.path)
    try:
        assert await ref.result() == "done"
    except TaskCancelled:
        entry = system.roster().find(ref.path)
        assert entry is not None
        assert [run.outcome for run in entry.runs] == ["stopped"]


async def polite(seconds: float = 60.0) -> str:
    """Takes a cancellation for the end of its work."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        return "half"
    return "whole"


@pytest.mark.parametrize("how", ["stall", "deadline", "kill", "helper"])
async def test_who_returns_because_it_was_interrupted_has_not_finished(system: TestSystem, how: str) -> None:
    async def fall() -> None:
        await anyio.sleep(1)
        raise Boom

    async def work() -> str:
        context = current_context()
        assert context is not None
        if how == "helper":
            context.run_task(fall())
        return await polite()

    limits: dict[str, Any] = {"stall": {"stall_timeout": 1}, "deadline": {"deadline": 1}}.get(how, {})
    ref = await system.start_child(TaskSpec("work", work, **limits))
    await anyio.sleep(0.5)
    if how == "kill":
        await ref.kill()
    await anyio.sleep(1)
    assert ref.incarnation == 2
    entry = system.roster().find(ref.path)
    assert entry is not None
    assert [run.outcome for run in entry.runs] == ["failed"]


async def test_a_zombie_does_not_speak_for_its_successor(system: TestSystem) -> None:
    runs = 0

    async def stubborn() -> str:
        nonlocal runs
        runs += 1
        mine = runs
        ends = system.clock.time() + (10 if mine == 1 else 1)
        while system.clock.time() < ends:
            with contextlib.suppress(asyncio.CancelledError):
                await anyio.sleep(0.5)
        return f"run {mine}"

    ref = await system.start_child(TaskSpec("stubborn", stubborn, deadline=2))
    assert await ref.result() == "run 2"
    await anyio.sleep(30)
    assert await ref.result() == "run 2"


async def test_a_task_may_start_others_at_once(system: TestSystem) -> None:
    async def parent() -> int:
        return await (await system.start_task(double, 4)).result()

    assert await (await system.start_task(parent)).result() == 8


async def test_a_task_that_is_stopped_may_stop_what_it_started(system: TestSystem) -> None:
    inner: list[TaskRef[None]] = []

    async def outer() -> None:
        inner.append(await system.start_task(anyio.sleep_forever))
        try:
            await inner[0].result()
        finally:
            await inner[0].stop()

    ref = await system.start_task(outer)
    await anyio.sleep(1)
    began = system.clock.time()
    await ref.stop()
    assert system.clock.time() - began < 1
    assert not inner[0].is_alive


async def test_a_slow_end_of_one_task_holds_up_no_other(system: TestSystem) -> None:
    async def slow_to_end() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await asyncio.sleep(4)

    slow = [await system.start_task(slow_to_end) for _ in range(3)]
    await settle()
    began = system.clock.time()
    for ref in slow:
        ref.cancel()
    assert await (await system.start_task(double, 1)).result() == 2
    assert system.clock.time() - began == pytest.approx(1, abs=0.1)
    for ref in slow:
        await ref.stopped()
    assert system.clock.time() - began == pytest.approx(4, abs=0.1)


async def test_a_start_whose_caller_is_gone_leaves_no_task_without_an_owner(system: TestSystem) -> None:
    await system.start_task(double, 1)
    for turns in range(12):
        async with anyio.create_task_group() as group:
            group.start_soon(system.start_task, anyio.sleep_forever)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    await anyio.sleep(2)
    started = await system.find("/test/tasks").count_children()  # type: ignore[attr-defined]
    assert started.active <= 12


async def test_a_failure_may_be_asked_for_often(system: TestSystem) -> None:
    ref = await system.start_task(fail)
    lengths = set()
    for _ in range(10):
        with pytest.raises(Boom) as caught:
            await ref.result()
        lengths.add(len(caught.traceback))
    assert len(lengths) == 1


async def test_the_name_tasks_is_told_apart_from_a_child_of_ones_own(system: TestSystem) -> None:
    await system.start_child(SupervisorSpec("tasks"))
    with pytest.raises(ActorError, match="/test/tasks is the name of the supervisor of start_task and map"):
        await system.start_task(double, 1)


async def test_start_task_after_its_supervisor_was_stopped_by_hand_starts_it_again(system: TestSystem) -> None:
    await system.start_task(double, 1)
    await system.terminate_child("tasks")
    assert await (await system.start_task(double, 2)).result() == 4


async def test_a_task_that_always_fails_does_not_end_the_others(system: TestSystem) -> None:
    async def at_once() -> None:
        raise Boom

    other = await system.start_task(anyio.sleep, 300)
    await system.start_task(at_once, restart=Restart.PERMANENT, backoff=None)
    await anyio.sleep(200)
    assert other.is_alive


async def test_a_result_that_nobody_holds_is_let_go(system: TestSystem) -> None:
    class Large:
        pass

    alive: weakref.WeakSet[Large] = weakref.WeakSet()

    async def make() -> Large:
        large = Large()
        alive.add(large)
        return large

    for _ in range(20):
        await (await system.start_task(make)).result()
    await settle()
    gc.collect()
    assert len(alive) <= 1  # that of the last, in the supervisor's own frame
    assert len([entry for entry in system.roster().entries if entry.kind == "task"]) == 20
