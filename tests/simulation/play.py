"""One seed, from an empty database to the last check."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import anyio
import msgspec

from actors.testing import virtual_loop
from backbone import Backbone
from tests.simulation.checks import quiet
from tests.simulation.faults import InjectedCrash
from tests.simulation.operations import CALLER, OPERATOR, Client
from tests.simulation.readers import Reader
from tests.simulation.world import DIMENSIONS, EXCUSED, Clock, World

__all__ = ["Outcome", "play"]

_CAUGHT_UP = 120  # virtual seconds until subscribers have all, once nothing goes wrong any more

_MEMORY = Path("/dev/shm")  # noqa: S108 - files in memory, where there are such: thousands of commits need no disk


class Outcome(msgspec.Struct, frozen=True):
    """How a seed came out.

    Attributes:
        wrong: what does not hold; "": everything does.
        hash: of the trace.
        seen: how often each fault has happened.
        trace: line by line.
    """

    seed: int
    wrong: str
    hash: str
    seen: Mapping[str, int]
    trace: tuple[str, ...]


def play(seed: int) -> Outcome:
    """Live through a seed, in a loop and a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="backbone-sim-", dir=_MEMORY if _MEMORY.is_dir() else None))
    world, wrong = World(seed, folder), ""
    try:
        with asyncio.Runner(loop_factory=virtual_loop) as runner:
            runner.run(_play(world))
    except Exception as error:
        wrong = _said(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if world.violations:  # the first may have been told to an actor, which fell and was started again
        wrong = _said(world.violations[0])
    return Outcome(seed, wrong, world.hash(), dict(world.faults.seen), tuple(world.trace))


def _said(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


async def _play(world: World) -> None:
    world.clock = Clock(asyncio.get_running_loop())
    world.note(f"kinds {sorted(world.faults.kinds)}")
    readers = _readers(world)
    lives = world.random.choice([1, 2, 2, 3])
    for life in range(lives):
        if life:
            world.faults.saw("backbone closed and opened again")
        if life == 1:
            world.copy_database()
        if life == 2:
            world.restore_database()
            for reader in readers:
                reader.forget_position()
        await _life(world, readers, last=life == lives - 1)
        left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left or world.left_open():
            raise world.fail(f"left over: tasks {left}, files {world.left_open()}")


def _readers(world: World) -> list[Reader]:
    draw = world.random.choice
    return [
        Reader(world, f"reader-{n}", draw(DIMENSIONS), draw([(), ("A",), ("B", "C")]), draw(["latest", "earliest"]))
        for n in range(draw([2, 3]))
    ]


async def _life(world: World, readers: list[Reader], *, last: bool) -> None:
    """One time that the backbone is open; opening it may be refused while things go wrong."""
    world.faults.on = world.random.random() < 0.5
    while True:
        opened = False
        try:
            async with world.opened() as backbone:
                opened = True
                await _lived(world, backbone, readers, last=last or world.random.random() < 0.5)
            return
        except (*EXCUSED, InjectedCrash) as error:
            if opened or not world.faults.on:
                raise world.fail(f"could not be opened or closed: {error!r}") from error
            world.faults.saw("open refused")
            world.faults.on = False


async def _lived(world: World, backbone: Backbone, readers: list[Reader], *, last: bool) -> None:
    world.faults.on = True
    async with anyio.create_task_group() as reading:
        for reader in readers:
            reading.start_soon(reader.live, backbone, name=reader.name)
        async with anyio.create_task_group() as calling:
            for number in range(3):
                client = Client(world, backbone, f"client-{number}")
                calling.start_soon(client.work, CALLER, world.random.randint(2, 7), name=client.name)
            operator = Client(world, backbone, "operator")
            calling.start_soon(operator.work, OPERATOR, world.random.randint(0, 3), name="operator")
        world.faults.on = False
        if last:
            await quiet(world, backbone)
            await _caught_up(world, readers)
        reading.cancel_scope.cancel()


async def _caught_up(world: World, readers: list[Reader]) -> None:
    """Every subscriber gets what it has not seen yet."""
    behind: list[str] = []
    for _ in range(_CAUGHT_UP):
        behind = [each for reader in readers if (each := reader.behind())]
        if not behind:
            break
        await anyio.sleep(1.0)
    else:
        raise world.fail(f"{_CAUGHT_UP} s after the last fault: {'; '.join(behind)}")
