"""Three operators do what they like to a tree that crashes, starts slowly and stops slowly, all drawn from one seed.

What the roster shows can be described; a suspension that returns holds; when all is calm again nobody waits for ever,
names are those of the living, and the runtime has no fault to tell (`TestSystem` fails on one). More seeds, as for
`test_conservation.py`: FUZZ_FIRST, FUZZ_SEEDS.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable

import anyio
import pytest

from actors import (
    Actor,
    ActorError,
    ActorRef,
    Backoff,
    ChildSpec,
    Intensity,
    Message,
    Restart,
    Shutdown,
    StopReason,
    Strategy,
    SupervisorRef,
    SupervisorSpec,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, Note, Quit, Work, settle

SHUTDOWNS: tuple[float | Shutdown, ...] = (0.3, 5.0, Shutdown.BRUTAL, Shutdown.INFINITE)
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("FUZZ_SEEDS", "40")))


class Weather(random.Random):
    """Where chance comes from, and whether anything fails now."""

    calm = False

    def strikes(self, likely: float) -> bool:
        return not self.calm and self.random() < likely

    async def pause(self) -> None:
        await anyio.sleep(0 if self.calm else self.choice([0, 0, 0.01, 0.5, 2.0]))


class Node(Actor):
    """Has a name, a timer, and children down to some depth; everything in it may fail or take its time."""

    def __init__(self, weather: Weather, depth: int) -> None:
        self.weather, self.depth = weather, depth

    async def on_start(self) -> None:
        self.context.register(self.context.ref.path)
        self.context.join("all")
        if self.weather.strikes(0.15):
            raise Boom
        await self.weather.pause()
        for number in range(2 if self.depth else 0):
            await self.context.start_child(node(f"kid{number}", self.weather, self.depth - 1))
        self.context.send_every(0.7, Note("tick"))

    async def on_stop(self, reason: StopReason) -> None:
        await self.weather.pause()
        if self.weather.strikes(0.1):
            raise Boom

    @handles
    def note(self, message: Note) -> None:
        if self.weather.strikes(0.01):
            raise Boom

    @handles
    async def work(self, message: Work) -> None:
        await anyio.sleep(message.seconds)

    @handles
    def crash(self, message: Crash) -> None:
        raise Boom

    @handles
    def quit(self, message: Quit) -> None:
        self.context.stop_self()


def node(id: str, weather: Weather, depth: int) -> ChildSpec:  # noqa: A002 - the field's name
    return ChildSpec(
        id,
        Node,
        args=(weather, depth),
        restart=weather.choice([Restart.PERMANENT, Restart.PERMANENT, *Restart]),
        backoff=weather.choice([None, None, Backoff(0.5, 2.0), Backoff(1.0, 1.0, max_restarts=2)]),
        shutdown=weather.choice(SHUTDOWNS),
        drain_on_stop=weather.random() < 0.3,
        stall_timeout=weather.choice([None, 1.5]),
    )


def desk(id: str, weather: Weather, below: tuple[SupervisorSpec, ...] = ()) -> SupervisorSpec:  # noqa: A002
    return SupervisorSpec(
        id,
        children=(*below, *(node(f"node{number}", weather, weather.choice([0, 0, 1])) for number in range(3))),
        strategy=weather.choice(list(Strategy)),
        intensity=Intensity(weather.choice([1, 5, 100]), 2.0),
        parallel_shutdown=weather.random() < 0.3,
        backoff=weather.choice([None, Backoff(0.5, 1.0)]),
    )


class Operator:
    """Does one thing after the other to whatever the roster shows."""

    def __init__(self, system: TestSystem, weather: Weather) -> None:
        self.system, self.weather = system, weather

    async def run(self) -> None:
        for _ in range(15):
            await self.weather.pause()
            path = self.weather.choice([entry.path for entry in self.system.roster().entries if "#" not in entry.path])
            assert path in str(self.system.describe(path))
            with anyio.move_on_after(self.weather.choice([0.0, 0.2, 1.0, 1000.0, 1000.0])):
                try:
                    await self.act(self.system.find(path))
                except ActorError:
                    continue

    async def act(self, ref: ActorRef) -> None:
        weather, system = self.weather, self.system
        acts: list[Callable[[], Awaitable[object]]] = [
            ref.kill,
            ref.stop,
            ref.drain,
            *[lambda: self.suspend(ref)] * 3,
            *[lambda: system.restart(ref.path)] * 3,
            *[lambda: ref.tell(self.message(), 1.0)] * 2,
            lambda: system.registry.tell_all("all", self.message(), 1.0),
            lambda: self.administer(ref),
            lambda: self.resume(ref),
        ]
        if ref.path != "/test":
            await weather.choice(acts)()

    def message(self) -> Message:
        return self.weather.choice([Work(1.0), Crash(), Note(), Quit()])

    async def suspend(self, ref: ActorRef) -> None:
        life = ref.incarnation
        await self.system.suspend(ref.path, timeout=self.weather.choice([None, 0.5, 5.0]))
        entry = self.system.roster().find(ref.path)
        assert entry is not None
        assert (entry.state in ("suspended", "stopping"), entry.incarnation) == (True, life)

    async def resume(self, ref: ActorRef) -> None:
        self.system.resume(ref.path)

    async def administer(self, ref: ActorRef) -> None:
        above = self.system.find(ref.path.rpartition("/")[0])
        if isinstance(above, SupervisorRef):
            await self.weather.choice([above.restart_child, above.terminate_child, above.delete_child])(ref.id)
        if isinstance(ref, SupervisorRef):
            await ref.set_intensity(Intensity(self.weather.choice([0, 3]), 1.0))
            await ref.start_child(node(f"hired{self.weather.random()}", self.weather, 0))


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_operators_do_the_tree_goes_on_and_the_roster_is_true(seed: int) -> None:
    weather = Weather(seed)
    with anyio.fail_after(5000):
        async with TestSystem(seed=seed, intensity=Intensity(10**6, 1.0)) as system:
            spec = desk("top", weather, (desk("low", weather),))
            weather.calm = True  # while it starts
            await system.start_child(spec)
            weather.calm = False
            async with anyio.create_task_group() as operators:
                for _ in range(3):
                    operators.start_soon(Operator(system, weather).run)
            weather.calm = True
            for entry in system.roster().entries:
                if entry.state == "suspended":
                    system.resume(entry.path)
            await settle(200.0)
            for entry in system.roster().entries:
                assert entry.state in ("running", "stopped", "failed"), f"{entry.path} is {entry.state}"
                assert not [child for child in await children(system, entry.path) if child == "restarting"]
            assert set(system.registry.names()) <= {entry.path for entry in system.roster().entries}
        assert (system.registry.names(), system.registry.groups()) == ((), ())


async def children(system: TestSystem, path: str) -> list[str]:
    """The states of a running supervisor's children, in its own words."""
    try:
        ref = system.find(path)
        return [child.state for child in await ref.which_children()] if isinstance(ref, SupervisorRef) else []
    except ActorError:
        return []
