"""Mistakes of authors and hosts: refused where they are made, with what is allowed."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest

from actors import (
    Actor,
    ActorDead,
    ActorError,
    ActorStarted,
    ActorSystem,
    Backoff,
    ChildNotFound,
    ChildSpec,
    Intensity,
    InvalidMessage,
    Mailbox,
    Message,
    Request,
    Restart,
    SpecError,
    SupervisorSpec,
    SystemFailed,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Crash, Note, Number, Worker, settle, states, worker


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"args": "text"}, "args"),
        ({"args": 5}, "args"),
        ({"kwargs": 5}, "kwargs"),
        ({"kwargs": {1: 2}}, "kwargs"),
        ({"metadata": 7}, "metadata"),
        ({"drain_on_stop": "no"}, "drain_on_stop"),
        ({"significant": 1}, "significant"),
        ({"mailbox": Mailbox(True)}, "mailbox"),
        ({"mailbox": Mailbox(1.5)}, "mailbox"),  # type: ignore[arg-type]
        ({"backoff": 5}, "backoff"),
        ({"backoff": Backoff(reset_after=-1.0)}, "backoff"),
        ({"backoff": Backoff(initial="1")}, "backoff"),  # type: ignore[arg-type]
        ({"backoff": Backoff(max_restarts=1.5)}, "backoff"),  # type: ignore[arg-type]
    ],
    ids=str,
)
async def test_a_wrong_field_of_a_childs_spec_is_named(
    actor_system: TestSystem, fields: dict[str, Any], named: str
) -> None:
    """8."""
    with pytest.raises(SpecError, match=f"a: {named}: got .*; allowed: "):
        await actor_system.start_child(ChildSpec("a", Worker, **fields))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"children": 5}, "children"),
        ({"intensity": Intensity("3")}, "intensity"),  # type: ignore[arg-type]
        ({"intensity": Intensity(1.5)}, "intensity"),  # type: ignore[arg-type]
        ({"intensity": Intensity(1, "5")}, "intensity"),  # type: ignore[arg-type]
        ({"max_children": "3"}, "max_children"),
        ({"max_children": True}, "max_children"),
        ({"parallel_shutdown": "yes"}, "parallel_shutdown"),
        ({"metadata": [1]}, "metadata"),
    ],
    ids=str,
)
async def test_a_wrong_field_of_a_supervisors_spec_is_named(
    actor_system: TestSystem, fields: dict[str, Any], named: str
) -> None:
    """8."""
    with pytest.raises(SpecError, match=f"sup: {named}: got .*; allowed: "):
        await actor_system.start_child(SupervisorSpec("sup", **fields))


@pytest.mark.parametrize("name", ["", "a/b", None, 5])
def test_a_systems_name_is_an_id(name: Any) -> None:
    with pytest.raises(SpecError, match="a non-empty text without '/'"):
        ActorSystem(name)


@pytest.mark.parametrize("seconds", [0, -1.0, "1", None])
def test_a_kill_timeout_is_some_seconds(seconds: Any) -> None:
    with pytest.raises(SpecError, match="kill_timeout"):
        ActorSystem("s", kill_timeout=seconds)


async def test_a_path_is_found_as_it_is_or_below_the_root(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    assert actor_system.find("/test/a") is actor_system.find("a") is ref
    assert actor_system.find("/test") is actor_system.ref
    for path in ("/testa", "/a", "/other/a", "/test/b", "b"):
        with pytest.raises(ChildNotFound):
            actor_system.find(path)


@pytest.mark.parametrize("capacity", [0, -1, 1.5, True, None])
async def test_a_subscription_without_room_is_refused(actor_system: TestSystem, capacity: Any) -> None:
    with pytest.raises(SpecError, match="capacity"):
        actor_system.events.subscribe(capacity=capacity)


async def test_a_subscription_to_what_is_no_class_is_refused(actor_system: TestSystem) -> None:
    with pytest.raises(SpecError, match="classes of events"):
        actor_system.events.subscribe("ActorStarted")  # type: ignore[call-overload]
    await actor_system.start_child(worker("a"))


async def test_all_readers_of_a_subscription_get_events_and_end_with_it(actor_system: TestSystem) -> None:
    subscription = actor_system.events.subscribe(ActorStarted)
    read: list[str] = []

    async def reader() -> None:
        read.extend([event.path async for event in subscription])

    async with anyio.create_task_group() as group:
        group.start_soon(reader)
        group.start_soon(reader)
        await settle()
        for name in ("a", "b"):
            await actor_system.start_child(worker(name))
        await settle()
        subscription.close()
    assert sorted(read) == ["/test/a", "/test/b"]


async def test_a_subscription_to_a_closed_system_has_ended() -> None:
    async with ActorSystem("test") as system:
        pass
    assert [event async for event in system.events.subscribe()] == []


async def test_a_supervisor_in_backoff_is_said_to_come_back(actor_system: TestSystem) -> None:
    backoff = Backoff(initial=10.0, jitter=0.0)
    spec = SupervisorSpec("sup", children=[worker("a")], intensity=Intensity(0), backoff=backoff)
    sup = await actor_system.start_child(spec)
    a = actor_system.find("/test/sup/a")
    await a.tell(Crash())
    await settle(1.0)
    with pytest.raises(ActorDead, match=r"/test/sup is down; it is restarted in 9 s: try again then"):
        await sup.start_child(worker("b"))
    with pytest.raises(ActorDead, match=r"/test/sup/a is down .*its restart is not decided yet"):
        await a.tell(Note())


class Ailing(Actor):
    """Says that it is ill, and falls."""

    @handles
    def crash(self, message: Crash) -> None:
        self.context.report_health("failed", "about to fall")
        raise RuntimeError


async def test_health_begins_anew_with_each_life(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Ailing, backoff=Backoff(initial=5.0)))
    await ref.tell(Crash())
    await settle(1.0)
    assert ref.health.level == "failed"
    await settle(10.0)
    entry = actor_system.roster().find("/test/a")
    assert entry is not None
    assert (entry.incarnation, entry.health.level, ref.health.level) == (2, "ok", "ok")


def test_a_handler_names_a_message_and_gives_one_reply() -> None:
    with pytest.raises(TypeError, match="Message itself is never sent"):

        class Everything(Actor):
            @handles
            def anything(self, message: Message) -> None: ...

    with pytest.raises(TypeError, match="Request itself is never sent"):

        class Answers(Actor):
            @handles
            def anything(self, message: Note | Request) -> None: ...  # type: ignore[type-arg]

    with pytest.raises(TypeError, match="a handler can't yield"):

        class Streams(Actor):
            @handles
            async def note(self, message: Note) -> AsyncIterator[int]:
                yield 1


class Promise(Request[int]):
    """Is answered by a future that the handler returns."""

    kind: str


class Promising(Actor):
    """Its hook and its handlers return what is to be awaited, and are no coroutine functions."""

    def __init__(self) -> None:
        self.begun = 0

    def on_start(self) -> Any:
        return asyncio.ensure_future(self.begin())

    async def begin(self) -> None:
        await anyio.sleep(1.0)
        self.begun = 40

    @handles
    def promise(self, message: Promise) -> Any:
        if message.kind == "gather":
            return asyncio.gather(self.answer())
        return asyncio.ensure_future(self.answer())

    async def answer(self) -> int:
        await anyio.sleep(1.0)
        return self.begun + 2


async def test_a_future_that_is_returned_is_awaited(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Promising))
    assert await ref.ask(Promise("task")) == 42
    assert await ref.ask(Promise("gather")) == [42]  # type: ignore[comparison-overlap]


async def test_a_class_that_is_sent_in_place_of_a_message_is_refused_with_a_hint(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    sends: tuple[Any, ...] = (ref.tell, ref.ask)
    for send in sends:
        with pytest.raises(InvalidMessage, match=r"Number, which is a class; give an instance: Number\(\.\.\.\)"):
            await send(Number)


async def test_a_copy_of_a_ref_is_the_ref_and_it_leaves_its_process_by_its_path(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    assert copy.copy(ref) is copy.deepcopy([ref])[0] is ref
    with pytest.raises(TypeError, match=r"/test/a: a ref lives in one process; send its path"):
        pickle.dumps(ref)


class Hasty(Actor):
    def __init__(self) -> None:
        self.context.log.info("too early")


async def test_a_context_in_init_says_when_it_is_there(actor_system: TestSystem) -> None:
    with pytest.raises(ActorError, match=r"Hasty\.context is not there in __init__; use it from on_start on"):
        await actor_system.start_child(ChildSpec("a", Hasty))


SENDS: dict[str, Callable[[Any], Any]] = {
    "tell_nowait": lambda ref: ref.tell_nowait(Note()),
    "tell": lambda ref: asyncio.run(ref.tell(Note())),
    "ask": lambda ref: asyncio.run(ref.ask(Number())),
}


@pytest.mark.parametrize("how", SENDS)
async def test_in_debug_mode_a_send_from_another_thread_is_refused_with_what_to_do(how: str) -> None:
    asyncio.get_running_loop().set_debug(True)
    errors: list[str] = []

    def send() -> None:
        try:
            SENDS[how](ref)
        except ActorError as error:
            errors.append(str(error))

    async with TestSystem() as system:
        ref = await system.start_child(worker("a"))
        thread = threading.Thread(target=send)
        thread.start()
        thread.join()
    assert errors == ["/test/a: sent from another thread; use loop.call_soon_threadsafe(ref.tell_nowait, message)"]


async def test_a_body_that_swallows_its_cancellation_is_not_left_cancelled() -> None:
    async def body() -> None:
        async with ActorSystem("test", intensity=Intensity(0)) as system:
            await (await system.start_child(worker("a"))).tell(Crash())
            with suppress(asyncio.CancelledError):  # a host that goes on, as if nothing had been
                await anyio.sleep_forever()

    with pytest.raises(SystemFailed):
        await body()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await anyio.sleep(1.0)


class Ender(Worker):
    """Ends its own system by a task beside its mailbox."""

    @handles
    def note(self, message: Note) -> None:
        self.context.run_task(self.context.system.stop())


async def test_a_system_that_is_stopped_from_inside_ends_the_body_without_an_error() -> None:
    reached: list[str] = []
    async with TestSystem() as system:
        ref = await system.start_child(ChildSpec("a", Ender))
        await ref.tell(Note())
        await anyio.sleep_forever()
        reached.append("never")
    task = asyncio.current_task()
    assert (reached, task is not None and task.cancelling()) == ([], 0)
    assert not ref.is_alive


async def test_a_refused_system_leaves_its_supervisor_as_it_was(actor_system: TestSystem) -> None:
    await actor_system.start_child(worker("a", restart=Restart.TEMPORARY))
    with pytest.raises(SpecError):
        await actor_system.start_child(SupervisorSpec("sup", children=[worker("b", metadata=7)]))
    assert await states(actor_system) == {"a": "running"}  # type: ignore[arg-type]
