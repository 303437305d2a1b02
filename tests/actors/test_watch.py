"""watch and Terminated."""

from __future__ import annotations

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ChildSpec,
    Mailbox,
    Message,
    Request,
    Restart,
    StopReason,
    Terminated,
    handles,
)
from actors.testing import Probe, TestSystem
from tests.actors.kit import Crash, Note, Number, Quit, Work, settle, worker


class Watch(Message):
    """Watch this one."""

    ref: ActorRef


class Unwatch(Message):
    """Stop watching, after so many seconds of other work."""

    ref: ActorRef
    seconds: float = 0.0


class Seen(Request[list[str]]):
    """What came, in order."""


class Renew(Request[list[int]]):
    """Start, watch and stop one of the same path three times over; gives the numbers of its lives."""

    restart: Restart
    by_hand: bool


class Watcher(Actor):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @handles
    def watch(self, message: Watch) -> None:
        self.context.watch(message.ref)

    @handles
    async def unwatch(self, message: Unwatch) -> None:
        await anyio.sleep(message.seconds)
        self.context.unwatch(message.ref)

    @handles
    async def work(self, message: Work) -> None:
        await anyio.sleep(message.seconds)

    @handles
    def note(self, message: Note | Terminated) -> None:
        self.seen.append(type(message).__name__)

    @handles
    def get(self, message: Seen) -> list[str]:
        return self.seen


class Warden(Watcher):
    """Ends and starts those whom it watches, all within one handler."""

    @handles
    async def renew(self, message: Renew) -> list[int]:
        system, lives = self.context.system, list[int]()
        for _ in range(3):
            if message.by_hand and lives:
                ref = await system.restart_child("w")
            else:
                ref = await system.start_child(worker("w", restart=message.restart))
            self.context.watch(ref)
            self.context.watch(ref)
            lives.append(ref.incarnation)
            await ref.stop()
            self.context.watch(ref)
        return lives


class DeathPact(Actor):
    """Watches and handles no Terminated."""

    @handles
    def watch(self, message: Watch) -> None:
        self.context.watch(message.ref)

    @handles
    def number(self, message: Number) -> int:
        return self.context.ref.incarnation


async def pair(system: TestSystem, **spec: object) -> tuple[ActorRef, ActorRef]:
    """A watcher and a worker that it does not watch yet."""
    watcher = await system.start_child(ChildSpec("watcher", Watcher, **spec))  # type: ignore[arg-type]
    return watcher, await system.start_child(worker("a"))


async def test_watching_a_dead_actor_gives_terminated_at_once(actor_system: TestSystem, probe: Probe) -> None:
    """101."""
    ref = await actor_system.start_child(worker("a"))
    await ref.stop()
    probe.watch(ref)
    seen = await probe.expect(Terminated)
    assert (seen.path, seen.incarnation, seen.reason.kind) == ("/test/a", 1, "shutdown")


async def test_watching_twice_gives_one_terminated(actor_system: TestSystem) -> None:
    """101."""
    watcher, ref = await pair(actor_system)
    await watcher.tell(Watch(ref))
    await watcher.tell(Watch(ref))
    assert await watcher.ask(Seen()) == []
    await ref.stop()
    await settle()
    assert await watcher.ask(Seen()) == ["Terminated"]


async def test_unwatch_removes_a_terminated_that_is_queued(actor_system: TestSystem) -> None:
    """101."""
    watcher, ref = await pair(actor_system)
    await watcher.tell(Watch(ref))
    await watcher.tell(Unwatch(ref, 1.0))
    await settle()
    await ref.stop()
    assert await watcher.ask(Seen()) == []


async def test_a_restart_sends_no_terminated(actor_system: TestSystem) -> None:
    """101."""
    watcher, ref = await pair(actor_system)
    await watcher.tell(Watch(ref))
    await settle()
    await ref.tell(Crash())
    await settle(1.0)
    assert ref.incarnation == 2
    assert await watcher.ask(Seen()) == []


async def test_an_unhandled_terminated_ends_the_watcher(actor_system: TestSystem) -> None:
    """101."""
    ref = await actor_system.start_child(worker("a"))
    watcher = await actor_system.start_child(ChildSpec("pact", DeathPact))
    await watcher.tell(Watch(ref))
    await settle()
    await ref.stop()
    await settle()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert crash.path == "/test/pact"
    assert "/test/a ended" in crash.reason.detail
    assert await watcher.ask(Number()) == 2


@pytest.mark.parametrize("end", [Quit(), Crash()])
async def test_terminated_carries_the_reason_of_the_end(
    actor_system: TestSystem, probe: Probe, end: Quit | Crash
) -> None:
    """101."""
    ref = await actor_system.start_child(worker("a", restart=Restart.TEMPORARY))
    probe.watch(ref)
    await ref.tell(end)
    seen = await probe.expect(Terminated)
    assert seen.reason.kind == ("normal" if isinstance(end, Quit) else "crash")
    assert isinstance(seen.reason, StopReason)


async def test_terminated_passes_queued_messages_and_a_full_mailbox(actor_system: TestSystem) -> None:
    """99, 101."""
    watcher, ref = await pair(actor_system, mailbox=Mailbox(capacity=1))
    await watcher.tell(Watch(ref))
    await settle()
    await watcher.tell(Work(1.0))
    await settle()
    await watcher.tell(Note("fills it"))
    await ref.stop()
    await settle(2.0)
    assert await watcher.ask(Seen()) == ["Terminated", "Note"]


async def test_a_watcher_that_restarts_watches_no_more(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    probe = await Probe.start(actor_system)
    probe.watch(ref)
    await probe.ref.kill()
    await settle()
    await ref.stop()
    await settle()
    assert probe.messages == []


async def test_watching_again_after_terminated_works_for_the_next_life(actor_system: TestSystem) -> None:
    watcher, ref = await pair(actor_system)
    for times in (1, 2):
        await watcher.tell(Watch(ref))
        assert len(await watcher.ask(Seen())) == times - 1
        await ref.stop()
        await settle()
        assert len(await watcher.ask(Seen())) == times
        await actor_system.restart_child("a")


@pytest.mark.parametrize(("restart", "by_hand"), [(Restart.TEMPORARY, False), (Restart.PERMANENT, True)])
async def test_each_watch_of_one_path_gives_its_own_terminated(
    actor_system: TestSystem, restart: Restart, by_hand: bool
) -> None:
    """101."""
    ref = await actor_system.start_child(ChildSpec("warden", Warden))
    assert await ref.ask(Renew(restart, by_hand)) == ([1, 2, 3] if by_hand else [1, 1, 1])
    assert await ref.ask(Seen()) == ["Terminated"] * 3


async def test_those_of_one_path_in_two_systems_are_watched_apart(actor_system: TestSystem) -> None:
    """101."""
    watcher = await actor_system.start_child(ChildSpec("watcher", Watcher))
    here = await actor_system.start_child(worker("w"))
    await watcher.tell(Watch(here))
    async with TestSystem() as other:
        there = await other.start_child(worker("w"))
        assert there.path == here.path
        await watcher.tell(Watch(there))
        await settle()
        await there.stop()
        assert await watcher.ask(Seen()) == ["Terminated"]
    await here.stop()
    assert await watcher.ask(Seen()) == ["Terminated"] * 2


async def test_news_for_a_former_life_do_not_reach_the_next(actor_system: TestSystem) -> None:
    """101."""
    target = await actor_system.start_child(worker("target"))
    ref = await actor_system.start_child(ChildSpec("pact", DeathPact))
    await ref.tell(Watch(target))
    await settle()
    await target.stop()  # its news crashes the watcher, once
    await settle()
    assert await ref.ask(Number()) == 2
