"""Where a message comes from: context variables of the sender in the handler, and `context.sender`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import nullcontext
from contextvars import Context, ContextVar
from typing import Any

import anyio
import pytest
import pytest_asyncio

from actors import (
    Actor,
    ActorDead,
    ActorRef,
    ActorSystem,
    AskRejected,
    ChildSpec,
    DeadLetter,
    Mailbox,
    MailboxFull,
    Message,
    Overflow,
    Reject,
    Reply,
    Request,
    Restart,
    SpecError,
    SupervisorSpec,
    TaskSpec,
    Terminated,
    current_context,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, settle

request_id: ContextVar[str] = ContextVar("request_id", default="none")
tenant: ContextVar[str] = ContextVar("tenant")
unnamed: ContextVar[str] = ContextVar("unnamed", default="unseen")

Seen = tuple[str | None, str, str | None]
NOBODY: Seen = (None, "none", None)


def seen() -> Seen:
    """The sender and the two variables, as they are here."""
    context = current_context()
    return (None if context is None else context.sender, request_id.get(), tenant.get(None))


class Look(Request[Seen]):
    pass


class LookLater(Request[Seen]):
    pass


class Put(Message):
    pass


class Pass(Request[Seen]):
    """Is asked on to another actor."""

    to: ActorRef
    by: str = "ask"


class Spoil(Request[None]):
    """The handler sets the variables itself, and ends somehow."""

    how: str = "return"


class Refuse(Message):
    """The same in a sync handler."""


class Timer(Message):
    every: float = 0.0


class Ticked(Message):
    pass


class Watch(Message):
    ref: ActorRef


class Run(Request[Seen]):
    """Begins work beside the mailbox."""

    how: str


class Witness(Actor):
    """Writes down what its handlers and hooks see."""

    log: list[tuple[str, Seen]]

    def __init__(self, log: list[tuple[str, Seen]] | None = None) -> None:
        self.log = [] if log is None else log

    async def on_start(self) -> None:
        self.log.append(("on_start", seen()))

    async def on_stop(self, reason: Any) -> None:
        self.log.append(("on_stop", seen()))

    @handles
    def look(self, message: Look) -> Seen:
        return seen()

    @handles
    async def look_later(self, message: LookLater) -> Seen:
        before = seen()
        await anyio.sleep(1)
        assert seen() == before
        return before

    @handles
    def put(self, message: Put) -> None:
        self.log.append(("put", seen()))

    @handles
    async def pass_on(self, message: Pass) -> Seen:
        if message.by == "ask":
            return await message.to.ask(Look())
        if message.by == "tell":
            await message.to.tell(Put())
        else:
            message.to.tell_nowait(Put())
        return seen()

    @handles
    async def spoil(self, message: Spoil) -> None:
        request_id.set("spoilt")
        if message.how == "late":
            await anyio.sleep(1)
        if message.how == "reject":
            raise Reject("no", "not now")
        if message.how == "crash":
            raise Boom
        if message.how == "hang":
            await anyio.sleep_forever()

    @handles
    def refuse(self, message: Refuse) -> None:
        request_id.set("spoilt")
        raise Reject("no", "not now")

    @handles
    def timer(self, message: Timer) -> None:
        if message.every:
            self.context.send_every(message.every, Ticked(), key="every")
        else:
            self.context.send_after(1, Ticked())

    @handles
    def ticked(self, message: Ticked) -> None:
        self.context.cancel_timer("every")
        self.log.append(("ticked", seen()))

    @handles
    def watch(self, message: Watch) -> None:
        self.context.watch(message.ref)

    @handles
    def terminated(self, message: Terminated) -> None:
        self.log.append(("terminated", seen()))

    @handles
    async def run(self, message: Run) -> Seen | None:
        if message.how == "reply":
            self.context.run_task(later(), reply=self.context.defer_reply())
            return None
        if message.how == "run_task":
            return await self.context.run_task(later()).result()
        if message.how == "asyncio":
            async with asyncio.TaskGroup() as group:
                return await group.create_task(later())
        if message.how == "start_task":
            return await (await self.context.system.start_task(later)).result()
        if message.how == "start_child":
            return await (await self.context.start_child(TaskSpec("later", later, restart=Restart.TEMPORARY))).result()  # type: ignore[no-any-return]
        return [one async for one in self.context.system.map(map_later, [1, 2, 3])][-1]


async def later() -> Seen:
    await anyio.sleep(1)
    return seen()


async def map_later(_: int) -> Seen:
    return await later()


@pytest_asyncio.fixture
async def system() -> AsyncIterator[TestSystem]:
    request_id.set("of who opens it")  # which is nobody's business
    tenant.set("of who opens it")
    async with TestSystem("t", propagate=(request_id, tenant)) as system:
        yield system


async def witness(system: ActorSystem, name: str = "w", **options: Any) -> tuple[ActorRef, list[tuple[str, Seen]]]:
    log: list[tuple[str, Seen]] = []
    return await system.start_child(ChildSpec(name, Witness, (log,), **options)), log


async def sent_by(name: str | None, send: Any, *args: Any) -> Any:
    """Call in a task of its own, in which the variables have this value; None: no value."""
    context = Context()
    if name is not None:
        context.run(request_id.set, name)
        context.run(tenant.set, name)
    return await asyncio.get_running_loop().create_task(send(*args), context=context)


async def test_the_handler_of_a_tell_sees_the_senders_values(system: TestSystem) -> None:
    ref, log = await witness(system)
    await sent_by("r1", ref.tell, Put())
    context = Context()
    context.run(request_id.set, "r2")
    context.run(ref.tell_nowait, Put())
    await settle()
    assert log == [("on_start", NOBODY), ("put", (None, "r1", "r1")), ("put", (None, "r2", None))]


@pytest.mark.parametrize("request_", [Look(), LookLater()], ids=["sync", "async"])
async def test_the_handler_of_an_ask_sees_the_askers_values_and_the_next_one_not(
    system: TestSystem, request_: Request[Seen]
) -> None:
    ref, _ = await witness(system)
    assert await sent_by("r1", ref.ask, request_) == (None, "r1", "r1")
    assert await sent_by(None, ref.ask, request_) == NOBODY
    assert await sent_by("r2", ref.ask, request_) == (None, "r2", "r2")


async def test_values_are_those_at_the_send_also_of_one_that_waits_for_room(system: TestSystem) -> None:
    ref, log = await witness(system, mailbox=Mailbox(capacity=1))
    async with asyncio.TaskGroup() as group:
        group.create_task(sent_by("first", ref.ask, LookLater()))
        await settle()
        for name in ("a", "b", "c"):
            group.create_task(sent_by(name, ref.tell, Put()))
    await settle()
    assert [values for what, values in log if what == "put"] == [(None, name, name) for name in ("a", "b", "c")]


async def test_a_variable_that_is_not_named_stays_with_its_sender(system: TestSystem) -> None:
    class Reader(Actor):
        @handles
        def look(self, message: Look) -> Seen:
            return None, unnamed.get(), None

    ref = await system.start_child(ChildSpec("reader", Reader))
    unnamed.set("changed")
    assert await ref.ask(Look()) == (None, "unseen", None)


async def test_what_a_handler_sets_in_a_variable_that_is_not_named_stays_for_its_life(system: TestSystem) -> None:
    class Counter(Actor):
        @handles
        def look(self, message: Look) -> Seen:
            unnamed.set(f"{unnamed.get()}+")
            return None, unnamed.get(), None

    ref = await system.start_child(ChildSpec("counter", Counter))
    assert [(await ref.ask(Look()))[1] for _ in range(2)] == ["unseen+", "unseen++"]
    await ref.kill()
    assert await ref.ask(Look()) == (None, "unseen+", None)


async def test_what_the_handler_sends_on_carries_them_too_and_the_sender_is_the_actor(system: TestSystem) -> None:
    first, _ = await witness(system, "first")
    second, log = await witness(system, "second")
    assert await sent_by("r1", first.ask, Pass(second)) == ("/t/first", "r1", "r1")
    assert await sent_by("r2", first.ask, Pass(second, "tell")) == (None, "r2", "r2")
    assert await sent_by("r3", first.ask, Pass(second, "nowait")) == (None, "r3", "r3")
    await settle()
    assert log[1:] == [("put", ("/t/first", "r2", "r2")), ("put", ("/t/first", "r3", "r3"))]


@pytest.mark.parametrize("how", ["return", "late", "reject", "crash", "hang"])
async def test_nothing_is_left_for_the_next_message_however_a_handler_ends(system: TestSystem, how: str) -> None:
    ref, log = await witness(system)
    asker = asyncio.ensure_future(sent_by("r1", ref.ask, Spoil(how)))
    await settle()
    if how == "hang":
        await ref.kill()
    failure = {"reject": AskRejected, "crash": ActorDead, "hang": ActorDead}.get(how)
    with nullcontext() if failure is None else pytest.raises(failure):
        await asker
    assert await sent_by(None, ref.ask, Look()) == NOBODY
    assert {values for what, values in log if what.startswith("on_")} == {NOBODY}


async def test_nothing_is_left_of_a_refused_tell_for_the_hook_that_follows(system: TestSystem) -> None:
    ref, log = await witness(system)
    await sent_by("r1", ref.tell, Refuse())
    await settle()
    await ref.stop()
    assert log == [("on_start", NOBODY), ("on_stop", NOBODY)]


async def test_a_burst_to_an_actor_that_awaits_gives_each_message_its_own(system: TestSystem) -> None:
    ref, _ = await witness(system)
    names = [f"r{number}" if number % 3 else None for number in range(30)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(sent_by(name, ref.ask, LookLater(), 100.0)) for name in names]
    assert [task.result() for task in tasks] == [NOBODY if name is None else (None, name, name) for name in names]


@pytest.mark.parametrize("how", ["run_task", "reply", "asyncio", "start_task", "start_child", "map"])
async def test_work_begun_in_a_handler_goes_on_with_its_values_and_its_sender(system: TestSystem, how: str) -> None:
    ref, _ = await witness(system)

    async def outside() -> Seen:
        return await ref.ask(Run(how), timeout=30)

    assert await sent_by("r1", outside) == (None, "r1", "r1")

    class Caller(Actor):
        @handles
        async def look(self, message: Look) -> Seen:
            return await ref.ask(Run(how), timeout=30)

    caller = await system.start_child(ChildSpec("caller", Caller))
    assert await sent_by("r2", caller.ask, Look(), 40.0) == ("/t/caller", "r2", "r2")


async def test_a_message_to_a_group_carries_them_too(system: TestSystem) -> None:
    logs = []
    for name in ("a", "b"):
        ref, log = await witness(system, name, mailbox=Mailbox(capacity=1))
        system.registry.join("witnesses", ref)
        logs.append(log)
    await sent_by("r1", system.registry.tell_all, "witnesses", Put())
    await sent_by("r2", system.registry.tell_all, "witnesses", Put())  # waits for room
    await settle()
    assert [log[1:] for log in logs] == [[("put", (None, name, name)) for name in ("r1", "r2")]] * 2


async def test_a_supervised_task_sees_its_starters_values_in_every_run(system: TestSystem) -> None:
    runs: list[Seen] = []

    async def flaky() -> None:
        runs.append(seen())
        if len(runs) < 3:
            raise Boom

    ref = await sent_by("r1", system.start_child, TaskSpec("flaky", flaky, restart=Restart.TRANSIENT))
    await ref.result()
    assert runs == [(None, "r1", "r1")] * 3
    static = SupervisorSpec("static", children=(TaskSpec("of-the-tree", flaky),))
    await sent_by("r2", system.start_child, static)
    await settle()
    assert runs[3] == NOBODY


async def test_a_timer_goes_on_for_the_request_that_set_it_and_a_recurring_one_for_nobody(system: TestSystem) -> None:
    ref, log = await witness(system)
    await sent_by("r1", ref.tell, Timer())
    await anyio.sleep(2)
    await sent_by("r2", ref.tell, Timer(every=1.0))
    await anyio.sleep(2)
    assert log[1:] == [("ticked", ("/t/w", "r1", "r1")), ("ticked", ("/t/w", "none", None))]


async def test_the_news_of_an_end_come_from_nobody(system: TestSystem) -> None:
    ref, log = await witness(system)
    other, _ = await witness(system, "other")
    await sent_by("r1", ref.tell, Watch(other))
    await sent_by("r2", other.stop)
    await settle()
    assert log[1:] == [("terminated", NOBODY)]


async def test_a_reply_is_given_for_whoever_asked_whoever_is_in_hand(system: TestSystem) -> None:
    class Board(Actor):
        def __init__(self) -> None:
            self.waiting: list[Reply[Seen]] = []

        @handles
        def look(self, message: Look) -> None:
            self.waiting.append(self.context.defer_reply())

        @handles
        def put(self, message: Put) -> None:
            self.waiting.pop()(seen())

    ref = await system.start_child(ChildSpec("board", Board))

    async def ask() -> tuple[Seen, str]:
        return await ref.ask(Look()), request_id.get()

    asker = asyncio.ensure_future(sent_by("asker", ask))
    await settle()
    await sent_by("teller", ref.tell, Put())
    assert await asker == ((None, "teller", "teller"), "asker")


async def test_dead_letters_and_the_roster_show_the_message_itself(system: TestSystem) -> None:
    ref, _ = await witness(system, mailbox=Mailbox(capacity=1, overflow=Overflow.DROP_OLDEST))
    ref.tell_nowait(Timer())
    ref.tell_nowait(Spoil("hang"))  # in place of the timer
    await settle()
    (entry,) = (entry for entry in system.roster().entries if entry.path == ref.path)
    assert entry.handling == "Spoil"
    await ref.kill()
    await ref.tell(Put())
    ref.tell_nowait(Spoil("hang"))  # in place of it
    await settle()
    ref.tell_nowait(Timer())
    await system.terminate_child("w")
    assert [letter.message for letter in system.recorded(DeadLetter)] == [
        *[Timer(), Spoil("hang"), Put(), Spoil("hang"), Timer()]
    ]


async def test_a_full_mailbox_hands_the_sender_its_own_message_back(system: TestSystem) -> None:
    ref, _ = await witness(system, mailbox=Mailbox(capacity=1, overflow=Overflow.REJECT))
    ref.tell_nowait(Put())
    with pytest.raises(MailboxFull) as error:
        ref.tell_nowait(Put())
    assert error.value.message == Put()


async def test_the_sender_alone_is_recorded_with_trace() -> None:
    async with TestSystem("s", trace=True) as system:
        first, _ = await witness(system, "first")
        second, _ = await witness(system, "second")
        request_id.set("mine")
        assert await first.ask(Pass(second)) == ("/s/first", "none", None)
        assert await first.ask(Look()) == NOBODY


async def test_without_it_there_is_no_sender_and_nothing_travels() -> None:
    async with TestSystem("s") as system:
        first, _ = await witness(system, "first")
        second, _ = await witness(system, "second")
        request_id.set("mine")
        assert await first.ask(Pass(second)) == NOBODY


async def test_a_system_opened_in_a_handler_of_another_does_not_take_its_sender(system: TestSystem) -> None:
    class Host(Actor):
        @handles
        async def look(self, message: Look) -> Seen:
            async with TestSystem("inner", trace=True) as inner:
                ref, log = await witness(inner)
                await ref.tell(Put())
                await settle()
                assert log[0] == ("on_start", (None, request_id.get(), tenant.get()))
                return log[1][1]

    host = await system.start_child(ChildSpec("host", Host))
    assert await sent_by("r1", host.ask, Look()) == ("/t/host", "r1", "r1")


async def test_log_lines_say_who_sent_the_message_in_hand(system: TestSystem, caplog: pytest.LogCaptureFixture) -> None:
    class Talker(Actor):
        @handles
        def put(self, message: Put) -> None:
            self.context.log.warning("put")
            self.context.run_task(self._later())

        async def _later(self) -> None:
            self.context.log.warning("later")

        async def on_stop(self, reason: Any) -> None:
            self.context.log.warning("bye")

    ref = await system.start_child(ChildSpec("talker", Talker))
    first, _ = await witness(system, "first")
    with caplog.at_level(logging.WARNING, "actors"):
        await first.ask(Pass(ref, "tell"))
        await settle()
        await ref.tell(Put())
        await settle()
        await ref.stop()
    lines = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert [(line["event"], line.get("sender")) for line in lines] == [
        *[("put", "/t/first"), ("later", "/t/first"), ("put", None), ("later", None), ("bye", None)]
    ]


@pytest.mark.parametrize("given", [request_id, (request_id, "tenant"), "tenant", None, [[]]], ids=range(5))
def test_what_is_no_context_variable_is_refused(given: Any) -> None:
    with pytest.raises(SpecError, match=r"t: propagate: got .*; allowed: ContextVars in a tuple: \(request_id,\)"):
        ActorSystem("t", propagate=given)


async def test_a_variable_named_twice_is_set_back_all_the_same() -> None:
    async with TestSystem("t", propagate=(request_id, request_id)) as system:
        ref, log = await witness(system)
        assert await sent_by("r1", ref.ask, Look()) == (None, "r1", None)
        await ref.stop()
        assert log == [("on_start", NOBODY), ("on_stop", NOBODY)]
