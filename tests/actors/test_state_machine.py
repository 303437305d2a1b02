"""Hypothesis plays operator and misfortune on a tree of supervisors; a simple model says what has to happen.

Other examples than those of each day: `HYPOTHESIS_PROFILE=random .venv/bin/pytest tests/actors/test_state_machine.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors import (
    ActorDead,
    ActorError,
    ActorRef,
    AlreadyPresent,
    AlreadyStarted,
    AskTimeout,
    Backoff,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    ChildSpec,
    Intensity,
    Restart,
    StartError,
    SupervisorRef,
    SupervisorSpec,
    SystemFailed,
    TaskRef,
    TaskSpec,
)
from actors.testing import TestSystem, VirtualLoop, virtual_loop
from tests.actors.clerk import ODD
from tests.actors.kit import Crash, Note, Number, Quit, cancel, settle, turns
from tests.actors.model import FAILED, IGNORED, Group, Job, Model, Node
from tests.actors.trees import BACKOFFS, INDEX, KINDS, OUTER, RESTARTS, Leaf, Patience, World

T = TypeVar("T")
NAMES = st.sampled_from(["d0", "d1", "a0", "x0"])


class Supervision(RuleBasedStateMachine):
    """Each rule does one thing to the runtime and to the model; then both must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=virtual_loop)
        self.loop: VirtualLoop = self.runner.get_loop()  # type: ignore[assignment]
        self.world = World()
        self.system = TestSystem(intensity=Intensity(10**9))
        self.farewell = (0, 0, False)
        self.asks: list[tuple[asyncio.Task[int], float, Node | None, int]] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(outer=OUTER)
    def grow(self, outer: Group) -> None:
        self.run(self.system.__aenter__())
        self.model = self.world.model = Model(self.loop.time())
        self.model.adopt(self.model.root, outer)
        self.model.start(self.model.root, outer)
        self.run(self.system.start_child(self.spec(outer)))

    def spec(self, node: Node) -> Any:
        if isinstance(node, Group):
            return SupervisorSpec(
                node.id,
                children=[self.spec(child) for child in node.static],
                strategy=node.strategy,
                intensity=node.intensity,
                restart=node.restart,
                backoff=node.backoff,
            )
        if isinstance(node, Job):
            return TaskSpec(node.id, self.world.work, args=(node.path,), restart=node.restart, backoff=node.backoff)
        return ChildSpec(node.id, Leaf, args=(self.world,), restart=node.restart, backoff=node.backoff)

    def pick(self, index: int) -> Node:
        nodes = [node for node in self.model.nodes() if node.path != "/test/outer"]
        return nodes[index % len(nodes)] if nodes else self.model.root.children[0]

    def alive(self, index: int, kind: type[Node] = Node) -> list[Node]:
        """One living actor, or task, if there is one."""
        self.sync()
        nodes = [node for node in self.model.nodes() if node.alive and type(node) is kind]
        return [nodes[index % len(nodes)]] if nodes else []

    def group(self, index: int) -> Group:
        groups = [node for node in self.model.nodes() if isinstance(node, Group) and node.alive]
        return groups[index % len(groups)] if groups else self.model.root

    async def supervisor(self, group: Group) -> SupervisorRef | TestSystem:
        if group is self.model.root:
            return self.system
        above = await self.supervisor(self.model.parents[group])
        (ref,) = [child.ref for child in await above.which_children() if child.id == group.id]
        assert isinstance(ref, SupervisorRef)
        return ref

    async def ref(self, node: Node) -> Any:
        above = await self.supervisor(self.model.parents[node])
        (ref,) = [child.ref for child in await above.which_children() if child.id == node.id]
        return ref

    def happen(self, work: Coroutine[Any, Any, Any], expected: type[ActorError] | None = None) -> None:
        """Do it, let it take effect, and expect this refusal."""

        async def body() -> None:
            try:
                raised = await work and None
            except ActorError as error:
                raised = error
            assert type(raised) is (expected or type(None)), f"raised {raised!r}; expected {expected}"
            await settle()

        self.run(body())
        self.model.advance(self.loop.time())

    def sync(self) -> None:
        self.model.now = self.loop.time()

    @rule(index=INDEX)
    def crash(self, index: int) -> None:
        for node in self.alive(index):
            ref = self.run(self.ref(node))
            self.model.end(node, abnormal=True)
            self.happen(ref.tell(Crash()))

    @rule(index=INDEX, times=st.integers(1, 4))
    def crash_again_and_again(self, index: int, times: int) -> None:
        for _ in range(times):
            self.crash(index)

    @rule(index=INDEX)
    def quit(self, index: int) -> None:
        for node in self.alive(index):
            ref = self.run(self.ref(node))
            self.model.end(node, abnormal=False)
            self.happen(ref.tell(Quit()))

    @rule(index=INDEX, odd=st.none() | st.sampled_from(ODD))
    def end_a_task(self, index: int, odd: Callable[[], BaseException] | None) -> None:
        for node in self.alive(index, Job):
            self.model.end(node, abnormal=odd is not None)
            self.happen(self.order(node, odd))

    async def order(self, node: Node, odd: Callable[[], BaseException] | None) -> None:
        self.world.orders[node.path].set_result(None if odd is None else odd())

    @rule(index=INDEX)
    def cancel_a_task(self, index: int) -> None:
        for node in self.alive(index, Job):
            ref = self.run(self.ref(node))
            self.model.terminate(node)
            self.happen(self.cancel_ref(ref))

    async def cancel_ref(self, ref: TaskRef[None]) -> None:
        ref.cancel()

    @rule(index=INDEX, kind=KINDS)
    def kill(self, index: int, kind: type[Node]) -> None:
        for node in self.alive(index, kind):
            ref = self.run(self.ref(node))
            self.model.end(node, abnormal=True, hook=False)
            self.happen(ref.kill())

    @rule(index=INDEX)
    def cancel_from_outside(self, index: int) -> None:
        """The task of an actor, of a supervised task, or of a supervisor, with all that is below it."""
        self.sync()
        nodes = self.model.nodes()
        node = nodes[index % len(nodes)]
        if node.alive:
            self.model.cancel(node)
            self.happen(self.cancelled(node.path))

    async def cancelled(self, path: str) -> None:
        cancel(path)

    @rule(index=INDEX, count=st.integers(0, 40), everything=st.booleans())
    def choose_the_end(self, index: int, count: int, everything: bool) -> None:
        self.farewell = (index, count, everything)

    @rule(index=INDEX, outcomes=st.lists(st.sampled_from([FAILED, FAILED, IGNORED]), max_size=3))
    def spoil_next_starts(self, index: int, outcomes: list[str]) -> None:
        path = self.pick(index).path
        for plan in (path, f"runtime {path}"):
            self.model.plans[plan].clear()
            self.model.plans[plan].extend(outcomes)

    @rule(where=st.integers(0, 3), name=NAMES, kind=KINDS, restart=RESTARTS, backoff=BACKOFFS)
    def start(self, where: int, name: str, kind: type[Node], restart: Restart, backoff: Backoff | None) -> None:
        group, node = self.group(where), kind(name, restart, backoff)
        if group is self.model.root:
            return
        self.sync()
        present = group.child(name)
        expected: type[ActorError] | None = None
        supervisor = self.run(self.supervisor(group))
        if present is not None:
            expected = AlreadyStarted if present.alive else AlreadyPresent
        else:
            self.model.adopt(group, node)
            expected = StartError if self.model.start(group, node) == FAILED else None
        self.happen(supervisor.start_child(self.spec(node)), expected)
        self.happen(supervisor.terminate_child("nobody"), ChildNotFound)

    @rule(index=INDEX)
    def restart(self, index: int) -> None:
        node = self.pick(index)
        self.sync()
        supervisor = self.run(self.supervisor(self.model.parents[node]))
        expected: type[ActorError] | None = ChildRunning if node.alive else ChildRestarting if node.pending else None
        if expected is None and self.model.restart(node) == FAILED:
            expected = StartError
        self.happen(supervisor.restart_child(node.id), expected)

    @rule(index=INDEX)
    def drain(self, index: int) -> None:
        """What was told before is still handled."""
        for node in self.alive(index):
            ref = self.run(self.ref(node))
            self.model.terminate(node, queued=3)
            self.happen(self.fill_and_drain(ref))

    async def fill_and_drain(self, ref: ActorRef) -> None:
        for _ in range(3):
            await ref.tell(Note())
        await ref.drain()

    @rule(index=INDEX, by_ref=st.booleans())
    def terminate(self, index: int, by_ref: bool) -> None:
        node = self.pick(index)
        self.sync()
        supervisor = self.run(self.supervisor(self.model.parents[node]))
        ref = self.run(self.ref(node))
        self.model.terminate(node)
        self.happen(ref.stop() if by_ref and ref is not None else supervisor.terminate_child(node.id))

    @rule(index=INDEX)
    def delete(self, index: int) -> None:
        node = self.pick(index)
        if isinstance(node, Group):
            return
        self.sync()
        supervisor = self.run(self.supervisor(self.model.parents[node]))
        expected: type[ActorError] | None = ChildRunning if node.alive else ChildRestarting if node.pending else None
        if expected is None:
            self.model.delete(node)
        self.happen(supervisor.delete_child(node.id), expected)

    @rule(seconds=st.sampled_from([0.5, 1.3, 3.6, 11.0]))
    def wait(self, seconds: float) -> None:
        self.happen(anyio.sleep(seconds))

    @precondition(lambda self: len(self.asks) < 20)
    @rule(index=INDEX, patient=st.booleans())
    def ask(self, index: int, patient: bool) -> None:
        node = self.pick(index)
        ref = self.run(self.ref(node))
        if ref is None or type(node) is not Node:
            return
        task = self.loop.create_task(ref.ask(Patience() if patient else Number(), timeout=5.0))
        self.asks.append((task, self.loop.time(), node, node.incarnation))
        self.happen(settle())

    @invariant()
    def the_actors_did_what_the_model_says_in_that_order(self) -> None:
        assert self.world.events == (self.model.events if hasattr(self, "model") else [])

    @invariant()
    def no_two_incarnations_are_alive(self) -> None:
        assert self.world.twins == []

    @invariant()
    def the_children_are_as_in_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        groups = [self.model.root, *(node for node in self.model.nodes() if isinstance(node, Group) and node.alive)]
        for group in groups:
            supervisor = self.run(self.supervisor(group))
            found = self.run(supervisor.which_children())
            assert [child.id for child in found] == [node.id for node in group.children]
            for child, node in zip(found, group.children, strict=True):
                assert (child.ref is not None) is node.alive, child
                assert child.ref is None or child.ref.incarnation == node.incarnation
                assert node.due is None or child.state == "restarting", child
            count = self.run(supervisor.count_children())
            assert (count.specs, count.active) == (len(found), sum(node.alive for node in group.children))

    @invariant()
    def the_runs_of_tasks_are_remembered(self) -> None:
        for node in self.model.nodes() if hasattr(self, "model") else ():
            if isinstance(node, Job):
                entry = self.system.roster().find(node.path)
                assert entry is not None
                assert [run.outcome for run in entry.runs] == node.runs[-10:]

    @invariant()
    def the_intensity_is_counted_right(self) -> None:
        if not hasattr(self, "model"):
            return
        self.sync()
        for node in self.model.nodes():
            if isinstance(node, Group) and node.alive:
                entry = self.system.roster().find(node.path)
                assert entry is not None
                assert entry.restarts_in_window == len(self.model.counted(node))

    @invariant()
    def only_the_living_have_tasks(self) -> None:
        if hasattr(self, "model"):
            living = {"/test", *(node.path for node in self.model.nodes() if node.alive)}
            busy = {name.partition(":")[0] for name in self.run(self.leftovers())}
            assert busy == living, f"{sorted(busy)} have tasks; {sorted(living)} are alive"

    async def leftovers(self) -> list[str]:
        return self.system.leftovers()

    @invariant()
    def every_ask_is_answered_or_fails_in_time(self) -> None:
        for task, asked, node, number in list(self.asks):
            if task.done():
                error = task.exception()
                assert isinstance(error, ActorDead | AskTimeout) if error else task.result() == number
                self.asks.remove((task, asked, node, number))
            else:
                assert self.loop.time() - asked < 3.01
                assert node is not None
                assert node.alive
                assert node.incarnation == number

    def teardown(self) -> None:
        try:
            self.run(self.leave())
            outcomes = self.run(self.outcomes())
            assert all(isinstance(each, int | ActorDead | AskTimeout) for each in outcomes)
            assert asyncio.all_tasks(self.loop) == set()
        finally:
            self.runner.close()

    async def leave(self) -> None:
        """Perhaps in the middle of a restart, and perhaps with a host that cancels all tasks at that moment."""
        index, count, everything = self.farewell
        nodes = [node for node in self.model.nodes() if node.alive and type(node) is Node] if count else []
        if nodes:
            await self.system.find(nodes[index % len(nodes)].path).tell(Crash())
            await turns(count)
        leaving = asyncio.ensure_future(self.system.__aexit__(None, None, None))
        if everything:
            await turns(count % 3)
            asks = {task for task, *_ in self.asks}
            for task in asyncio.all_tasks() - {asyncio.current_task(), leaving} - asks:
                task.cancel()
        await asyncio.wait({leaving}, timeout=60.0)
        assert leaving.done(), "leaving waits for ever"
        assert isinstance(leaving.exception(), SystemFailed | None) if everything else leaving.result() is None

    async def outcomes(self) -> list[Any]:
        return await asyncio.gather(*(task for task, *_ in self.asks), return_exceptions=True)


Supervision.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSupervision = Supervision.TestCase
