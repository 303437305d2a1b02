"""Logs: one structured line for each lifecycle event."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest

from actors import Actor, Backoff, ChildSpec, Intensity, Restart, SupervisorSpec, handles
from actors.testing import Faults, TestSystem
from tests.actors.kit import Crash, Note, Quit, Worker, settle, worker


def lines(caplog: pytest.LogCaptureFixture, path: str) -> list[tuple[int, str]]:
    """Level and text of all lines about this path."""
    return [
        (record.levelno, record.getMessage()) for record in caplog.records if f"path='{path}'" in record.getMessage()
    ]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="actors")
    return caplog


async def test_each_lifecycle_event_is_one_line_with_path_incarnation_and_reason(
    actor_system: TestSystem, log: pytest.LogCaptureFixture
) -> None:
    ref = await actor_system.start_child(worker("a", backoff=Backoff(initial=2.0, jitter=0.0)))
    await ref.tell(Crash())
    await settle(5.0)
    await ref.stop()
    assert [text.replace("event='", "").split("'")[0] for _, text in lines(log, "/test/a")] == [
        "ActorStarted", "DeadLetter", "ActorCrashed", "ActorRestarting",
        "ActorStarted", "ActorRestarted", "ActorStopped",
    ]  # fmt: skip
    crashed, stopped = lines(log, "/test/a")[2], lines(log, "/test/a")[-1]
    fields = "path='/test/a' incarnation=1 reason='crash: Boom: boom' restart='permanent' supervisor='/test'"
    level, text = crashed
    assert (level, text.split("\n")[0]) == (logging.WARNING, f"event='ActorCrashed' {fields} message_type='Crash'")
    assert stopped == (
        logging.DEBUG,
        "event='ActorStopped' path='/test/a' incarnation=2 reason='shutdown: terminated'",
    )


async def test_what_went_badly_is_louder(actor_system: TestSystem, log: pytest.LogCaptureFixture) -> None:
    release = asyncio.Event()
    sup = await actor_system.start_child(SupervisorSpec("sup", intensity=Intensity(0, 1.0), restart=Restart.TEMPORARY))
    ref = await sup.start_child(ChildSpec("z", Faults.swallow_cancellation(Worker, release=release)))
    await ref.tell(Note())
    await settle()
    await ref.kill()
    release.set()
    await settle(1.0)
    loud = [text.split("'")[1] for level, text in lines(log, "/test/sup/z") if level >= logging.ERROR]
    assert loud == ["ZombieDetected"]
    (tripped,) = [text for level, text in lines(log, "/test/sup") if level >= logging.ERROR]
    assert "IntensityExceeded" in tripped
    assert "offender='/test/sup/z'" in tripped


async def test_a_lost_message_is_logged_by_its_type_never_by_its_content(
    actor_system: TestSystem, log: pytest.LogCaptureFixture
) -> None:
    ref = await actor_system.start_child(worker("a"))
    await ref.tell(Quit())
    ref.tell_nowait(Note("secret"))
    await ref.stop()
    assert "message_type='Note'" in log.text
    assert "secret" not in log.text


class Talkative(Actor):
    @handles
    def note(self, message: Note) -> None:
        self.context.log.info("noted", text=message.text)


async def test_an_actors_own_lines_carry_its_path_and_incarnation(
    actor_system: TestSystem, log: pytest.LogCaptureFixture
) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Talkative))
    await ref.tell(Note("hello"))
    await settle()
    assert lines(log, "/test/a")[-1] == (logging.INFO, "event='noted' path='/test/a' incarnation=1 text='hello'")


def test_structlog_is_imported_only_when_a_line_is_written() -> None:
    """Lines of a start and of the actor itself are below the default level: nothing is imported for them."""
    script = """
import asyncio, sys
from actors import Actor, ActorSystem, ChildSpec
class A(Actor):
    async def on_start(self):
        self.log = self.context.log.bind(of="mine")
        self.log.info("below the level", n=1)
async def main():
    async with ActorSystem("s") as system:
        await system.start_child(ChildSpec("a", A))
asyncio.run(main())
assert "structlog" not in sys.modules and "actors.testing" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_runtime_imports_anyio_msgspec_and_the_standard_library_only() -> None:
    script = """
import sys
before = set(sys.modules)
import actors
names = {name.partition(".")[0] for name in set(sys.modules) - before}
foreign = {name for name in names if name not in sys.stdlib_module_names and not name.startswith("_")}
assert foreign <= {"actors", "anyio", "msgspec", "idna", "sniffio", "typing_extensions"}, foreign
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
