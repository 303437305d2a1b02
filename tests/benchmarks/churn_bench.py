"""A churn: everything that an actor system can begin and end, again and again; what remains of it must not grow.

Two minutes of it: `CHURN_SECONDS=120 .venv/bin/python -m tests.benchmarks churn` (default: 20 seconds).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import statistics
import weakref
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import TypeVarTuple

import anyio
import anyio.lowlevel

from actors import Actor, ActorError, ActorRef, ActorSystem, ChildSpec, Intensity, Message, Request, Restart, handles
from actors import Terminated as End
from tests.benchmarks.measure import resident_mib
from tests.benchmarks.report import Floor, Report, Table, flat

Ts = TypeVarTuple("Ts")
SAMPLES = 40
CHILDREN = 5  # in a round
ALLOWED = 0.02  # growth of the resident memory from the second quarter to the last


class Panic(BaseException):
    """No Exception."""


class Mute(Exception):
    """Can't be printed."""

    def __str__(self) -> str:
        raise ValueError


class Fail(Message):
    """Raise this."""

    error: type[BaseException]


class Wait(Request[int]):
    """Is answered later, by a task beside the mailbox."""


class Watch(Message):
    """Watch this one."""

    ref: ActorRef


class Tick(Message):
    """Of a timer."""


class Busy(Actor):
    """Has timers, tasks and children, and fails on demand."""

    async def on_start(self) -> None:
        """Start what has to end with it."""
        self.payload = bytes(10_000)
        self.context.send_every(0.01, Tick())
        self.context.send_after(60.0, Tick(), key="late")
        self.context.run_task(anyio.sleep(60.0))
        await self.context.start_child(ChildSpec("child", Idle, restart=Restart.TEMPORARY))

    @handles
    def fail(self, message: Fail) -> None:
        """Fail."""
        raise message.error

    @handles
    def wait(self, _message: Wait) -> int:
        """Answer later."""
        self.context.run_task(_later(), reply=self.context.defer_reply())
        return 0

    @handles
    def tick(self, _message: Tick) -> None:
        """A timer's."""


class Idle(Actor):
    """Does nothing."""


class Watcher(Actor):
    """Hears of the ends."""

    @handles
    def watch(self, message: Watch) -> None:
        """Watch."""
        self.context.watch(message.ref)

    @handles
    def ended(self, _message: End) -> None:
        """One has ended."""


async def _later() -> int:
    await anyio.sleep(0.05)
    return 1


async def _step(item: int) -> int:
    await anyio.lowlevel.checkpoint()
    if item == 3:
        raise Mute
    return item


class CountedLoop(asyncio.SelectorEventLoop):
    """Knows how many of its timers are to come."""

    def __init__(self) -> None:
        super().__init__()
        self._timers = weakref.WeakSet[asyncio.TimerHandle]()

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Count it, too."""
        timer = super().call_at(when, callback, *args, context=context)
        self._timers.add(timer)
        return timer

    def timers(self) -> int:
        """Those that have neither fired nor been cancelled."""
        return sum(not timer.cancelled() and timer.when() > self.time() for timer in self._timers)


@dataclass(frozen=True)
class Sample:
    """What there is between two rounds."""

    seconds: float
    rounds: int
    rss: float  # MiB
    tasks: int
    timers: int


async def one_round(system: ActorSystem, watcher: ActorRef) -> None:
    """Begin and end everything once."""
    errors = (ValueError, Panic, Mute, GeneratorExit)
    with system.events.subscribe(capacity=16):
        refs = [await system.start_child(ChildSpec(str(number), Busy)) for number in range(CHILDREN)]
        for ref, error in zip(refs, errors, strict=False):
            await watcher.tell(Watch(ref))
            with anyio.move_on_after(0.0):
                await ref.ask(Wait(), timeout=None)
            await ref.tell(Fail(error))
        async for _ in system.watch_roster():
            break
        await _tasks(system)
        for ref in refs:
            with contextlib.suppress(ActorError):
                await ref.stop()
            await system.delete_child(ref.id)


async def _tasks(system: ActorSystem) -> None:
    done, failed = await system.start_task(_later), await system.start_task(_step, 3)
    stopped = await system.start_task(anyio.sleep, 3600.0, shutdown=3600.0)
    stopped.cancel()
    for ref in (done, failed, stopped):
        with contextlib.suppress(ActorError, Mute):
            await ref.result()
    with contextlib.suppress(ExceptionGroup):
        async for _ in system.map(_step, range(8), limit=3):
            pass
    async with system.map(_step, range(1000), limit=3) as left_early:
        await anext(left_early)


async def churn(seconds: float) -> list[Sample]:
    """Rounds for so long, and samples at even distances."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, CountedLoop)
    began, rounds, samples = loop.time(), 0, list[Sample]()
    async with ActorSystem("churn", intensity=Intensity(10**9)) as system:
        watcher = await system.start_child(ChildSpec("watcher", Watcher))
        while (elapsed := loop.time() - began) < seconds:
            await one_round(system, watcher)
            rounds += 1
            if elapsed >= seconds * len(samples) / SAMPLES:
                gc.collect()
                samples.append(Sample(elapsed, rounds, resident_mib(), len(asyncio.all_tasks()), loop.timers()))
    samples.append(Sample(loop.time() - began, rounds, resident_mib(), len(asyncio.all_tasks()) - 1, loop.timers()))
    return samples


def run(quick: bool = False) -> Report:
    """For CHURN_SECONDS, by default 20 seconds; a tenth of that where `quick`."""
    seconds = float(os.environ.get("CHURN_SECONDS", "20")) * (0.1 if quick else 1.0)
    logging.getLogger("actors").setLevel(logging.CRITICAL)
    with asyncio.Runner(loop_factory=CountedLoop) as runner:
        *samples, last = runner.run(churn(seconds))
    quarter = len(samples) // 4
    shown = [*samples[:: max(1, len(samples) // 12)], samples[-1], last]
    rows = [
        (f"{each.seconds:.0f}", f"{each.rounds:,}", f"{each.rss:.1f}", str(each.tasks), str(each.timers))
        for each in shown
    ]
    return Report(
        title="Churn of the actor runtime",
        tables=[Table("Over time", ("seconds", "rounds", "RSS, MiB", "tasks", "timers"), rows, _NOTE)],
        floors=_floors(samples[quarter : 2 * quarter], samples[-quarter:], last),
        packages=("anyio", "msgspec"),
        intro=f"{seconds:.0f} s on one core. Each round: {_ROUND}.",
    )


_ROUND = (
    f"{CHILDREN} actors with timers, a helper task and a child each, watched, asked by somebody who gives up, crashed "
    "by errors of all classes, restarted, stopped and deleted; supervised tasks that return, fail and are cancelled; a "
    "map read to its end and one left early; a subscription that nobody reads; a step of watch_roster"
)
_NOTE = "The last row is after the system was left. Flat: from the second quarter to the last one no median grows."


def _floors(second: Sequence[Sample], fourth: Sequence[Sample], last: Sample) -> list[Floor]:
    before, after = (statistics.median(each.rss for each in part) for part in (second, fourth))
    floors = [flat("RSS, median of the last quarter", before, after, of="the second quarter", allowed=ALLOWED)]
    for what in ("tasks", "timers"):
        was, now = (statistics.median(getattr(each, what) for each in part) for part in (second, fourth))
        floors.append(Floor(f"{what}, median of the last quarter", f"at most {was + 1:g}", f"{now:g}", now <= was + 1))
        left = getattr(last, what)
        floors.append(Floor(f"{what} after the system was left", "0", str(left), left == 0))
    return floors
