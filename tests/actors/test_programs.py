"""Programs that do not leave their system in order end all the same, and show their own error."""

from __future__ import annotations

import pytest

from tests.programs import end_of, pythons

PYTHONS = pythons("anyio", "msgspec", "structlog", "actors")

SYSTEM = """
import asyncio, signal, os
from actors import Actor, ActorSystem, ChildSpec, Shutdown, SupervisorSpec

class A(Actor):
    async def on_start(self):
        await self.context.start_child(ChildSpec("kid", Kid))

    async def on_stop(self, reason):
        print("on_stop", flush=True)

class Kid(Actor):
    async def on_stop(self, reason):
        print("kid stops", flush=True)

class Stuck(Actor):
    async def on_stop(self, reason):
        print("stuck", flush=True)
        await asyncio.Event().wait()

async def fill(system):
    await system.start_child(SupervisorSpec("sup", children=(ChildSpec("a", A), SupervisorSpec("pool"))))

async def serve(started):
    async with ActorSystem("s") as system:
        await fill(system)
        started.set()
        await asyncio.Event().wait()
"""

RETURNS = """
async def main():
    started = asyncio.Event()
    main.task = asyncio.create_task(serve(started))
    await started.wait()
asyncio.run(main())
print("ended")
"""

GATHERS = """
async def main():
    started = asyncio.Event()
    task = asyncio.create_task(serve(started))
    await started.wait()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for each in tasks:
        each.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert task.cancelled(), task
asyncio.run(main())
print("ended")
"""

RAISES = """
async def main():
    system = await ActorSystem("s").__aenter__()
    await fill(system)
    raise RuntimeError("my own bug")
asyncio.run(main())
"""

RAISES_INSIDE = """
async def main():
    async with ActorSystem("s") as system:
        await fill(system)
        raise RuntimeError("my own bug")
asyncio.run(main())
"""

GENERATOR = """
async def opened():
    async with ActorSystem("s") as system:
        await fill(system)
        yield system
async def main():
    async for system in opened():
        raise RuntimeError("my own bug")
asyncio.run(main())
"""

KEPT_GENERATOR = GENERATOR.replace("async for system in opened()", "main.kept = opened()\n    async for _ in main.kept")

SWALLOWS = """
async def main():
    try:
        async with ActorSystem("s") as system:
            await system.start_child(ChildSpec("stuck", Stuck, shutdown=Shutdown.INFINITE))
            asyncio.get_running_loop().call_later(0.3, os.kill, os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
    finally:
        print("left")
asyncio.run(main())
"""


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("program", [RETURNS, GATHERS], ids=["returns", "gathers"])
def test_a_host_that_cancels_all_tasks(program: str, python: str) -> None:
    ended = end_of(SYSTEM + program, python)
    assert ended.out.split("\n")[-2] == "ended", ended.err
    assert "kid stops" in ended.out
    assert "on_stop" in ended.out
    assert (ended.code, "Traceback" in ended.err) == (0, False)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    "program",
    [RAISES, RAISES_INSIDE, GENERATOR, KEPT_GENERATOR],
    ids=["never left", "inside", "generator", "kept generator"],
)
def test_a_program_that_raises_shows_its_own_error(program: str, python: str) -> None:
    ended = end_of(SYSTEM + program, python)
    assert ended.code == 1
    assert ended.err.rstrip().endswith("RuntimeError: my own bug")
    assert "kid stops" in ended.out
    assert "on_stop" in ended.out


@pytest.mark.parametrize("python", PYTHONS)
def test_the_second_interrupt_ends_a_stop_that_would_never_end(python: str) -> None:
    ended = end_of(SYSTEM + SWALLOWS, python)
    assert ended.out.split() == ["stuck", "left"]
    assert ended.err.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("python", PYTHONS)
def test_an_interactive_session_that_never_leaves(python: str) -> None:
    lines = [
        f"exec({SYSTEM!r})",
        "system = await ActorSystem('s').__aenter__()",
        "await fill(system)",
        "print('open', system.find('/s/sup/a').is_alive)",
    ]
    ended = end_of("\n".join(lines), python, module="asyncio")
    assert "open True" in ended.out, ended.err
