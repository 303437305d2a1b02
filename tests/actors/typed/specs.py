"""What a spec may start. A line with `ignore` must be refused by the checker it names; no other may."""

from __future__ import annotations

from functools import partial
from typing import Any

from actors import Actor, ChildSpec, Ignore, Message, StopReason, SupervisorSpec, TaskSpec, handles
from actors.testing import Faults, Probe, TestSystem


class Add(Message):
    amount: int = 1


class Counter(Actor):
    def __init__(self, start: int = 0) -> None:
        self.total = start

    @handles
    def add(self, message: Add) -> None:
        self.total += message.amount


class Hooked(Actor):
    async def on_start(self) -> Ignore | None:
        return None

    async def after_start(self) -> None: ...

    async def on_stop(self, reason: StopReason) -> None: ...

    def inspect(self) -> dict[str, Any]:
        return {"secret": None}


def make(start: int) -> Counter:
    return Counter(start)


def text(start: int) -> str:
    return str(start)


async def poll(times: int = 1) -> int:
    return times


def of(kind: type[Actor]) -> ChildSpec:
    return ChildSpec("any", kind)


SOUND = [
    ChildSpec("class", Counter, kwargs={"start": 1}),
    ChildSpec("hooked", Hooked),
    ChildSpec("function", make, args=(1,)),
    ChildSpec("lambda", lambda: Counter(1)),
    ChildSpec("partial", partial(Counter, 1)),
    ChildSpec("faulty", Faults.crash_on(Counter, nth=3)),
    TaskSpec("task", poll, args=(1,)),
    TaskSpec("lambda", lambda: poll(1)),
    TaskSpec("partial", partial(poll, 1)),
    SupervisorSpec("supervisor", [ChildSpec("class", Counter), TaskSpec("task", poll)]),
]

ChildSpec("int", int)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ChildSpec("text", text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ChildSpec("task", poll)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ChildSpec("partial", partial(poll, 1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ChildSpec("instance", Counter())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
TaskSpec("actor", Counter)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
TaskSpec("text", text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
TaskSpec("called", poll(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def start(system: TestSystem, probe: Probe) -> None:
    await system.start_child(of(Counter))
    await probe.ref.tell(Add())
    await probe.expect(Add)
    await probe.expect(int)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
