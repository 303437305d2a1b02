"""ask, tell and the mailbox."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorRef,
    AskRejected,
    AskTimeout,
    ChildSpec,
    DeadLetter,
    DeadlockError,
    InvalidMessage,
    Mailbox,
    MailboxFull,
    Message,
    Overflow,
    Reject,
    Reply,
    Request,
    Restart,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, CrashAsk, Journal, Note, Number, Work, settle, worker


class Slow(Request[str]):
    """Answers with its text after so many seconds."""

    text: str
    seconds: float = 0.0


class Server(Actor):
    def __init__(self) -> None:
        self.log: list[str] = []

    @handles
    async def slow(self, message: Slow) -> str:
        self.log.append(f"begin {message.text}")
        await anyio.sleep(message.seconds)
        self.log.append(f"end {message.text}")
        return message.text


async def caught(kind: type[Exception], call: Callable[[], Any]) -> Any:
    with pytest.raises(kind) as info:
        await call()
    return info.value


async def test_an_ask_timeout_names_target_message_type_and_elapsed_time(actor_system: TestSystem) -> None:
    """86."""
    ref = await actor_system.start_child(ChildSpec("server", Server))
    error = await caught(AskTimeout, lambda: ref.ask(Slow("x", 10.0), timeout=2.5))
    assert error.path == "/test/server"
    assert error.message == Slow("x", 10.0)
    assert error.elapsed == pytest.approx(2.5)
    assert error.ref == ref
    for part in ("/test/server", "Slow", "2.500 s"):
        assert part in str(error)


async def test_a_late_reply_never_reaches_a_later_ask_and_is_counted_once(actor_system: TestSystem) -> None:
    """87."""
    ref = await actor_system.start_child(ChildSpec("server", Server))
    await caught(AskTimeout, lambda: ref.ask(Slow("first", 2.0), timeout=1.0))
    assert await ref.ask(Slow("second", 2.0), timeout=10.0) == "second"
    letters = actor_system.recorded(DeadLetter)
    assert [(letter.message, letter.reason) for letter in letters] == [(Slow("first", 2.0), "late reply")]
    assert actor_system.roster().dead_letters == 1


async def test_an_ask_to_a_dead_actor_fails_at_once(actor_system: TestSystem) -> None:
    """88."""
    ref = await actor_system.start_child(worker("a"))
    await ref.stop()
    began = anyio.current_time()
    error = await caught(ActorDead, lambda: ref.ask(Number()))
    assert anyio.current_time() == began
    assert (error.path, error.message, error.ref) == ("/test/a", Number(), ref)


async def test_a_target_that_dies_in_an_ask_fails_the_asker_at_once_with_its_error(actor_system: TestSystem) -> None:
    """88."""
    ref = await actor_system.start_child(worker("a"))
    began = anyio.current_time()
    error = await caught(ActorDead, lambda: ref.ask(CrashAsk(), timeout=60.0))
    assert anyio.current_time() == began
    assert isinstance(error.__cause__, Boom)


async def test_a_target_that_is_killed_in_an_ask_fails_the_asker_at_once(actor_system: TestSystem) -> None:
    """88."""
    ref = await actor_system.start_child(ChildSpec("server", Server, restart=Restart.TEMPORARY))
    errors: list[ActorDead] = []

    async def ask() -> None:
        errors.append(await caught(ActorDead, lambda: ref.ask(Slow("x", 60.0), timeout=90.0)))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await settle()
        began = anyio.current_time()
        await ref.kill()
    assert anyio.current_time() == began
    assert errors[0].reason is not None
    assert errors[0].reason.kind == "killed"


class Later(Request[int]):
    """Is answered from a helper task."""


class Deferring(Actor):
    def __init__(self) -> None:
        self.replies: list[Reply[int]] = []

    @handles
    def later(self, message: Later) -> int:
        reply: Reply[int] = self.context.defer_reply()
        self.replies.append(reply)
        if len(self.replies) == 1:
            self.context.run_task(self.answer(reply))
        return 0

    async def answer(self, reply: Reply[int]) -> None:
        await anyio.sleep(3.0)
        reply(7)
        reply(8)

    @handles
    def wrong(self, message: Note) -> None:
        self.context.defer_reply()


async def test_a_deferred_reply_is_given_later_by_another_task_and_a_second_one_ignored(
    actor_system: TestSystem,
) -> None:
    """89."""
    ref = await actor_system.start_child(ChildSpec("a", Deferring))
    assert await ref.ask(Later()) == 7
    await settle(5.0)
    assert actor_system.recorded(DeadLetter) == []


async def test_a_deferred_reply_fails_when_the_actor_ends(actor_system: TestSystem) -> None:
    """89."""
    ref = await actor_system.start_child(ChildSpec("a", Deferring))
    async with anyio.create_task_group() as group:
        group.start_soon(caught, ActorDead, lambda: ref.ask(Later()))
        await settle()
        await ref.stop()


async def test_deferring_where_nobody_asked_is_an_error(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Deferring))
    await ref.tell(Note())
    await settle()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert "defer_reply() is for handlers of a Request" in crash.reason.detail


class Finish(Request[str]):
    """Stops the actor; its reply is the last."""


class Finisher(Actor):
    @handles
    def finish(self, message: Finish) -> str:
        self.context.stop_self()
        return "bye"

    async def on_stop(self, reason: Any) -> None:
        raise Boom


async def test_a_reply_given_with_stop_is_delivered_even_if_the_stop_hook_raises(actor_system: TestSystem) -> None:
    """90."""
    ref = await actor_system.start_child(ChildSpec("a", Finisher, restart=Restart.TEMPORARY))
    assert await ref.ask(Finish()) == "bye"


async def test_tell_never_raises_for_an_error_of_the_handler(actor_system: TestSystem) -> None:
    """91."""
    ref = await actor_system.start_child(worker("a"))
    await ref.tell(Crash())
    ref.tell_nowait(Crash())
    await settle()
    assert ref.incarnation == 3


async def test_messages_of_one_sender_are_handled_in_order_and_one_at_a_time(actor_system: TestSystem) -> None:
    """92."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await ref.tell(Work(1.0))
    for number in range(100):
        await ref.tell(Note(str(number)))
    await ref.tell(Work(1.0))
    await ref.tell(Note("last"))
    await settle(5.0)
    order = [f"note a#1 {number}" for number in range(100)]
    assert journal.events == [
        "start a#1", "begin a#1", "done a#1", *order, "begin a#1", "done a#1", "note a#1 last",
    ]  # fmt: skip


class Go(Request[str]):
    """Asks the next one in `refs`, which gets the rest."""

    refs: tuple[ActorRef, ...] = ()


class Link(Actor):
    @handles
    async def go(self, message: Go) -> str:
        if not message.refs:
            return "end"
        try:
            return await message.refs[0].ask(Go(message.refs[1:]), timeout=60.0)
        except DeadlockError as error:
            return " ".join(error.chain)


async def test_an_ask_to_oneself_raises_deadlock_error(actor_system: TestSystem) -> None:
    """93."""
    a = await actor_system.start_child(ChildSpec("a", Link))
    assert await a.ask(Go((a,))) == "/test/a /test/a"


async def test_an_ask_that_leads_back_raises_deadlock_error_with_the_chain(actor_system: TestSystem) -> None:
    """93."""
    a, b, c = [await actor_system.start_child(ChildSpec(name, Link)) for name in "abc"]
    assert await a.ask(Go((b, a))) == "/test/b /test/a /test/b"
    assert await a.ask(Go((b, c, a))) == "/test/c /test/a /test/b /test/c"
    assert await a.ask(Go((b, c))) == "end"


class AskLater(Request[str]):
    """Asks back from a helper task, which holds up nobody."""

    ref: ActorRef


class Helped(Link):
    @handles
    def later(self, message: AskLater) -> str:
        self.context.run_task(message.ref.ask(Go((self.context.ref,))), reply=self.context.defer_reply())
        return ""


async def test_run_task_and_defer_reply_clear_the_ask_chain(actor_system: TestSystem) -> None:
    """93."""
    a = await actor_system.start_child(ChildSpec("a", Helped))
    b = await actor_system.start_child(ChildSpec("b", Helped))
    assert await a.ask(AskLater(b)) == "end"


async def test_cancelling_the_asker_leaves_the_handler_running_and_drops_the_reply(actor_system: TestSystem) -> None:
    """96."""
    ref = await actor_system.start_child(ChildSpec("server", Server))
    with anyio.move_on_after(1.0) as scope:
        await ref.ask(Slow("x", 2.0))
    assert scope.cancelled_caught
    await settle(2.0)
    assert [letter.reason for letter in actor_system.recorded(DeadLetter)] == ["late reply"]
    entry = actor_system.roster().find("/test/server")
    assert entry is not None
    assert entry.handled == 1


class Burst(Request[float]):
    """Asks `target` a hundred times; replies with the processor seconds that it took."""

    target: ActorRef


class Asker(Actor):
    @handles
    async def burst(self, message: Burst) -> float:
        began = time.process_time()
        for _ in range(100):
            await message.target.ask(Number())
        return time.process_time() - began

    @handles
    def note(self, message: Note) -> None:
        pass


async def test_half_a_million_queued_messages_do_not_slow_the_actors_own_asks(actor_system: TestSystem) -> None:
    """97."""
    target = await actor_system.start_child(worker("target"))
    spec = ChildSpec("asker", Asker, mailbox=Mailbox(capacity=1_000_000))
    ref = await actor_system.start_child(spec)
    alone = min([await ref.ask(Burst(target)) for _ in range(5)])
    times: list[float] = []

    async def ask() -> None:
        times.append(await ref.ask(Burst(target)))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(ask)
        await checkpoint()
        for _ in range(500_000):
            ref.tell_nowait(_NOTE)
    assert min(times) < 10 * alone


_NOTE = Note()


def box(capacity: int, overflow: Overflow = Overflow.WAIT) -> Mailbox:
    return Mailbox(capacity, overflow)


async def test_tell_waits_for_room(actor_system: TestSystem) -> None:
    """98."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, mailbox=box(1)))
    await ref.tell(Work(1.0))
    await settle()
    await ref.tell(Note("1"))
    began = anyio.current_time()
    await ref.tell(Note("2"))
    assert anyio.current_time() == pytest.approx(began + 1.0, abs=0.01)
    await settle()
    assert journal.events[-2:] == ["note a#1 1", "note a#1 2"]


async def test_tell_nowait_raises_mailbox_full_with_the_message(actor_system: TestSystem) -> None:
    """98."""
    ref = await actor_system.start_child(worker("a", mailbox=box(1)))
    ref.tell_nowait(Note("1"))
    with pytest.raises(MailboxFull) as info:
        ref.tell_nowait(Note("2"))
    assert info.value.message == Note("2")
    assert info.value.path == "/test/a"


async def test_a_tell_that_timed_out_is_not_delivered(actor_system: TestSystem) -> None:
    """98."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, mailbox=box(1)))
    await ref.tell(Work(10.0))
    await settle()
    await ref.tell(Note("1"))
    error = await caught(MailboxFull, lambda: ref.tell(Note("2"), timeout=2.0))
    assert error.elapsed == pytest.approx(2.0)
    await settle(20.0)
    assert journal.events[-1] == "note a#1 1"


async def test_a_cancelled_tell_is_not_delivered_and_its_place_goes_to_the_next(actor_system: TestSystem) -> None:
    """98."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, mailbox=box(1)))
    await ref.tell(Work(10.0))
    await settle()
    await ref.tell(Note("1"))
    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()

        async def cancelled() -> None:
            with scope:
                await ref.tell(Note("2"), timeout=None)

        group.start_soon(cancelled)
        await settle()
        group.start_soon(lambda: ref.tell(Note("3"), timeout=None))
        await settle()
        scope.cancel()
    await settle(20.0)
    assert journal.events[-2:] == ["note a#1 1", "note a#1 3"]


async def test_senders_that_wait_keep_their_order_also_against_a_later_nowait(actor_system: TestSystem) -> None:
    """98."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, mailbox=box(1)))
    await ref.tell(Work(1.0))
    await settle()
    await ref.tell(Note("0"))
    async with anyio.create_task_group() as group:
        for number in range(1, 6):
            group.start_soon(ref.tell, Note(str(number)))
            await settle()
        with pytest.raises(MailboxFull):
            ref.tell_nowait(Note("pushes in"))
    await settle()
    assert journal.events[-6:] == [f"note a#1 {number}" for number in range(6)]


async def test_all_waiting_senders_fail_when_the_actor_dies(actor_system: TestSystem) -> None:
    """98."""
    ref = await actor_system.start_child(worker("a", mailbox=box(1)))
    await ref.tell(Work(1.0))
    await settle()
    await ref.tell(Note("0"))
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(caught, ActorDead, lambda: ref.tell(Note("x"), timeout=None))
        group.start_soon(caught, ActorDead, lambda: ref.ask(Number(), timeout=None))
        await settle()
        await ref.stop()


async def test_an_ask_that_waits_for_room_has_one_deadline_for_room_and_reply(actor_system: TestSystem) -> None:
    """98."""
    ref = await actor_system.start_child(worker("a", mailbox=box(1)))
    await ref.tell(Work(2.0))
    await settle()
    await ref.tell(Work(2.0))
    began = anyio.current_time()
    await caught(AskTimeout, lambda: ref.ask(Number(), timeout=3.0))
    assert anyio.current_time() == pytest.approx(began + 3.0)


async def test_stop_kill_watch_and_the_roster_get_through_a_full_mailbox(actor_system: TestSystem) -> None:
    """99."""
    ref = await actor_system.start_child(worker("a", mailbox=box(1), restart=Restart.TEMPORARY))
    await ref.tell(Work(1.0))
    await settle()
    await ref.tell(Note("fills it"))
    entry = actor_system.roster(detail=True).find("/test/a")
    assert entry is not None
    assert entry.mailbox_depth == 1
    await ref.kill()
    assert not ref.is_alive


@pytest.mark.parametrize(
    ("overflow", "kept", "lost"),
    [(Overflow.DROP_OLDEST, ["3", "4"], ["1", "2"]), (Overflow.DROP_NEWEST, ["1", "2"], ["3", "4"])],
)
async def test_what_a_full_mailbox_drops_is_counted_and_dead_lettered(
    actor_system: TestSystem, overflow: Overflow, kept: list[str], lost: list[str]
) -> None:
    """100."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, mailbox=box(2, overflow)))
    await ref.tell(Work(1.0))
    await settle()
    for number in range(1, 5):
        await ref.tell(Note(str(number)))
    entry = actor_system.roster().find("/test/a")
    assert entry is not None
    assert entry.dropped == 2
    await settle(2.0)
    assert [event.split()[-1] for event in journal.events[3:]] == kept
    letters = actor_system.recorded(DeadLetter)
    assert [letter.message.text for letter in letters] == lost
    assert "mailbox full" in letters[0].reason


async def test_an_ask_that_is_dropped_fails_at_once(actor_system: TestSystem) -> None:
    """100."""
    ref = await actor_system.start_child(worker("a", mailbox=box(1, Overflow.DROP_NEWEST)))
    await ref.tell(Work(1.0))
    await settle()
    await ref.tell(Note("fills it"))
    error = await caught(ActorDead, lambda: ref.ask(Number()))
    assert "mailbox full" in str(error)


async def test_reject_refuses_a_message_at_once_where_that_is_the_policy(actor_system: TestSystem) -> None:
    """100."""
    ref = await actor_system.start_child(worker("a", mailbox=box(1, Overflow.REJECT)))
    await ref.tell(Note("1"))
    began = anyio.current_time()
    await caught(MailboxFull, lambda: ref.tell(Note("2")))
    assert anyio.current_time() == began


class Alien(Message):
    """Nobody handles this."""


@pytest.mark.parametrize("how", ["tell", "tell_nowait", "ask"])
async def test_a_message_class_outside_the_declared_ones_is_refused_when_sent(
    actor_system: TestSystem, how: str
) -> None:
    """103."""
    ref = await actor_system.start_child(worker("a"))

    async def send() -> None:
        result = getattr(ref, how)(Alien())
        if how != "tell_nowait":
            await result

    error = await caught(InvalidMessage, send)
    assert error.message == Alien()
    assert "Note" in error.accepted
    assert "Alien" in str(error)
    assert "Note" in str(error)


async def test_a_message_that_is_not_a_request_cannot_be_asked(actor_system: TestSystem) -> None:
    """103."""
    ref = await actor_system.start_child(worker("a"))
    error = await caught(InvalidMessage, lambda: ref.ask(Note()))  # type: ignore[arg-type]
    assert "Request" in str(error)


async def test_an_actor_may_declare_a_union(actor_system: TestSystem) -> None:
    """103."""

    class Union(Actor):
        @handles
        def both(self, message: Number | Later) -> int:
            return 1 if isinstance(message, Number) else 2

    ref = await actor_system.start_child(ChildSpec("a", Union))
    assert (await ref.ask(Number()), await ref.ask(Later())) == (1, 2)


class Guarded(Actor):
    @handles
    async def guard(self, message: Slow) -> str:
        raise Reject("closed", "come back on Monday")

    @handles
    def note(self, message: Note) -> None:
        raise Reject("closed")

    @handles
    def later(self, message: Later) -> int:
        self.context.run_task(self.refuse(), reply=self.context.defer_reply())
        return 0

    async def refuse(self) -> None:
        raise Reject("busy")


async def test_reject_refuses_one_request_without_a_crash(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Guarded))
    error = await caught(AskRejected, lambda: ref.ask(Slow("x")))
    assert (error.code, error.text, error.path) == ("closed", "come back on Monday", "/test/a")
    assert (await caught(AskRejected, lambda: ref.ask(Later()))).code == "busy"
    await ref.tell(Note("x"))
    await settle()
    assert ref.incarnation == 1
    assert actor_system.recorded(ActorCrashed) == []
    assert [letter.reason for letter in actor_system.recorded(DeadLetter)] == ["rejected: closed"]


async def test_an_actor_that_waits_for_room_in_its_own_full_mailbox_hears_so_at_once(
    actor_system: TestSystem,
) -> None:
    class Talker(Actor):
        @handles
        async def note(self, message: Note) -> None:
            await self.context.ref.tell(Note("1"))
            await self.context.ref.tell(Note("2"))

    ref = await actor_system.start_child(ChildSpec("a", Talker, mailbox=box(1), restart=Restart.TEMPORARY))
    await ref.tell(Note())
    await settle()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert isinstance(crash.reason.error, MailboxFull)
