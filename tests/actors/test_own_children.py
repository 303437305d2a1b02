"""The policy for an actor's own children, and the reason of one's own end."""

from __future__ import annotations

import anyio
import pytest

from actors import (
    Actor,
    ActorStopped,
    Children,
    ChildSpec,
    Intensity,
    MaxChildren,
    Message,
    Restart,
    SpecError,
    Strategy,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, Journal, Note, Number, settle, takes, worker


class Have(Message):
    """Makes the parent start so many children: c0, c1, …"""

    count: int


class Parent(Actor):
    def __init__(self, journal: Journal | None = None, stop: float = 0.0) -> None:
        self.journal = journal
        self.stop = stop

    @handles
    async def have(self, message: Have) -> None:
        for number in range(message.count):
            await self.context.start_child(worker(f"c{number}", self.journal, stop=takes(self.stop)))

    @handles
    def number(self, message: Number) -> int:
        return self.context.ref.incarnation


class Patient(Parent):
    children = Children(intensity=Intensity(50, 5.0))


class Together(Parent):
    children = Children(strategy=Strategy.ONE_FOR_ALL)


class Few(Parent):
    children = Children(max_children=2)


class Swift(Parent):
    children = Children(parallel_shutdown=True)


async def crash(system: TestSystem, path: str, times: int) -> None:
    for _ in range(times):
        await system.find(path).tell(Crash())
        await settle()


async def test_an_actors_own_children_have_the_default_budget_where_it_names_none(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("p", Parent))
    await ref.tell(Have(2))
    await settle()
    await crash(actor_system, "p/c0", 3)
    assert await ref.ask(Number()) == 1
    await crash(actor_system, "p/c0", 1)
    assert await ref.ask(Number()) == 2


async def test_an_actor_names_the_budget_of_its_own_children(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("p", Patient))
    await ref.tell(Have(20))
    await settle()
    for number in range(20):
        await crash(actor_system, f"p/c{number}", 2)
    assert await ref.ask(Number()) == 1
    entry = actor_system.roster().find("/test/p/c0")
    assert entry is not None
    assert (entry.incarnation, entry.intensity) == (3, "50 in 5 s")


async def test_an_actors_own_children_restart_together_where_it_says_so(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("p", Together, args=(journal,)))
    await ref.tell(Have(3))
    await settle()
    journal.take()
    await crash(actor_system, "p/c1", 1)
    assert [event for event in journal.take() if event.startswith("start")] == [
        "start c0#2",
        "start c1#2",
        "start c2#2",
    ]


async def test_an_actor_bounds_the_number_of_its_own_children(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("p", Few, restart=Restart.TEMPORARY))
    await ref.tell(Have(3))
    reason = await ref.stopped()
    assert isinstance(reason.error, MaxChildren)


async def test_an_actors_own_children_stop_at_once_where_it_says_so(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("p", Swift, kwargs={"stop": 2.0}))
    await ref.tell(Have(4))
    await settle()
    began = actor_system.clock.time()
    await ref.stop()
    assert actor_system.clock.time() - began == pytest.approx(2.0, abs=0.01)


async def test_the_policy_is_inherited_and_an_instance_may_use_the_name(actor_system: TestSystem) -> None:
    class Heir(Patient):
        def __init__(self) -> None:
            super().__init__()
            self.children = ["mine"]  # type: ignore[misc, assignment]

    ref = await actor_system.start_child(ChildSpec("p", Heir))
    await ref.tell(Have(1))
    await settle()
    await crash(actor_system, "p/c0", 5)
    assert await ref.ask(Number()) == 1


def test_a_wrong_policy_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(SpecError, match=r"Wrong\.children: got .*allowed: Children"):

        class Wrong(Actor):
            children = "one_for_all"  # type: ignore[assignment]

    with pytest.raises(SpecError, match=r"Negative\.children: .*intensity: got .*-1"):

        class Negative(Actor):
            children = Children(intensity=Intensity(-1, 5.0))


async def test_an_actor_says_why_it_ends(actor_system: TestSystem) -> None:
    class Finite(Actor):
        @handles
        def note(self, message: Note) -> None:
            self.context.stop_self("the session has closed")

    ref = await actor_system.start_child(ChildSpec("a", Finite, restart=Restart.TRANSIENT))
    await ref.tell(Note())
    reason = await ref.stopped()
    assert (reason.kind, reason.detail) == ("normal", "the session has closed")
    (stopped,) = actor_system.recorded(ActorStopped)
    assert stopped.reason == reason


async def test_the_reason_of_ones_own_end_is_a_text(actor_system: TestSystem) -> None:
    class Odd(Actor):
        @handles
        def note(self, message: Note) -> None:
            with pytest.raises(SpecError, match="stop_self: got 5"):
                self.context.stop_self(5)  # type: ignore[arg-type]
            raise Boom

    ref = await actor_system.start_child(ChildSpec("a", Odd, restart=Restart.TEMPORARY))
    with anyio.fail_after(5.0):
        await ref.tell(Note())
        assert (await ref.stopped()).kind == "crash"


def test_a_mixins_children_are_no_policy_either() -> None:
    class Family:
        children = ("ann", "bob")

    with pytest.raises(SpecError, match=r"Parent\.children: got \('ann', 'bob'\)"):

        class Parent(Family, Actor):  # type: ignore[misc]
            pass
