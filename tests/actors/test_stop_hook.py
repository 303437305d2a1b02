"""What a stop hook starts: it runs, and it has ended when the stop returns."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from actors import (
    Actor,
    ActorRef,
    ActorStarted,
    ActorStopped,
    ChildSpec,
    Message,
    OrphanDetected,
    StopReason,
    SupervisorSpec,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, Journal, Note, Quit, settle, worker


class Late(Actor):
    """Starts things in its stop hook, in a way that the test chooses; may have had some before."""

    def __init__(self, what: str, journal: Journal, before: bool = False) -> None:
        self.what, self.journal, self.before = what, journal, before

    async def on_start(self) -> None:
        if self.before:
            await getattr(self, self.what)("early")

    async def on_stop(self, reason: StopReason) -> None:
        await getattr(self, self.what)("late")
        await anyio.sleep(1.0)
        self.journal.add("stopped", "a")

    async def task(self, name: str) -> None:
        self.context.run_task(self.wait(name), name=name)

    async def task_of_a_task(self, name: str) -> None:
        self.context.run_task(self.spawn(name), name=name)

    async def timer(self, name: str) -> None:
        self.context.send_after(0.5, Note(name))

    async def child(self, name: str) -> None:
        await self.context.start_child(worker(name, self.journal))

    async def branch(self, name: str) -> None:
        await self.context.start_child(SupervisorSpec(name, children=[worker("leaf", self.journal)]))

    async def wait(self, name: str) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.journal.add("cancelled", name)

    async def spawn(self, name: str) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.context.run_task(self.wait(name), name=f"{name} again")

    @handles
    def note(self, message: Note) -> None:
        self.journal.add("note", message.text)

    @handles
    def end(self, message: Crash | Quit) -> None:
        if isinstance(message, Quit):
            self.context.stop_self()
        else:
            raise Boom


WHATS = ["task", "task_of_a_task", "timer", "child", "branch"]


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("before", [False, True], ids=["none before", "some before"])
async def test_what_a_stop_hook_starts_has_ended_when_the_stop_returns(
    actor_system: TestSystem, what: str, before: bool
) -> None:
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Late, args=(what, journal, before)))
    began = anyio.current_time()
    await ref.stop()
    assert anyio.current_time() == pytest.approx(began + 1.0)
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("/test/a")] == []
    journal.take()
    await settle(5.0)
    assert journal.take() == []
    assert actor_system.recorded(OrphanDetected) == []
    started, stopped = ({event.path for event in actor_system.recorded(kind)} for kind in (ActorStarted, ActorStopped))
    assert started == stopped


@pytest.mark.parametrize("how", [Crash(), Quit()], ids=["crash", "normal end"])
async def test_a_stop_hooks_child_and_task_do_not_meet_the_next_life(actor_system: TestSystem, how: Message) -> None:
    journal = Journal()
    for what in WHATS:
        ref: ActorRef = await actor_system.start_child(ChildSpec(what, Late, args=(what, journal)))
        await ref.tell(how)
        await settle(3.0)
        assert (ref.is_alive, ref.incarnation) == (True, 2)
        names = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(f"/test/{what}")]
        assert names == [f"/test/{what}"]
