"""Telling all members of a group: who gets it, who does not, and how long that takes."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from actors import (
    Actor,
    ActorDead,
    ActorRef,
    ChildSpec,
    DeadLetter,
    InvalidMessage,
    Mailbox,
    MailboxFull,
    Overflow,
    Request,
    Told,
    handles,
)
from actors.testing import Probe, TestSystem, VirtualLoop
from tests.actors.kit import Journal, Note, Work, settle, takes, turns_until, worker


class Deaf(Actor):
    """Handles nothing."""


async def joined(system: TestSystem, *specs: ChildSpec) -> list[ActorRef]:
    """These children, as members of "readers"."""
    refs = [await system.start_child(spec) for spec in specs]
    for ref in refs:
        system.registry.join("readers", ref)
    return refs


async def filled(ref: ActorRef, seconds: float) -> None:
    """Keep an actor with a mailbox of one busy for so long, and its mailbox full."""
    await ref.tell(Work(seconds))
    await settle()
    ref.tell_nowait(Note("before"))


def small(id: str, journal: Journal, overflow: Overflow = Overflow.WAIT) -> ChildSpec:  # noqa: A002 - the field's name
    return worker(id, journal, mailbox=Mailbox(capacity=1, overflow=overflow))


def notes(journal: Journal, text: str) -> list[str]:
    """Who has got this note, in order."""
    return [event.split()[1] for event in journal.events if event.startswith("note") and event.endswith(f" {text}")]


async def test_all_members_are_told_in_the_order_of_joining(system: TestSystem) -> None:
    journal = Journal()
    await joined(system, *(worker(name, journal) for name in ("c", "a", "b")))
    assert await system.registry.tell_all("readers", Note("x")) == Told(3, {})
    assert system.registry.tell_all_nowait("readers", Note("y")) == Told(3, {})
    await settle()
    assert notes(journal, "x") == notes(journal, "y") == ["c#1", "a#1", "b#1"]


async def test_a_group_of_nobody_is_told_nothing(system: TestSystem) -> None:
    assert await system.registry.tell_all("nobody", Note()) == Told(0, {})
    assert system.registry.tell_all_nowait("nobody", Note()) == Told(0, {})


@pytest.mark.parametrize("nowait", [False, True], ids=["waits", "nowait"])
async def test_one_that_is_full_and_one_that_is_deaf_do_not_lose_the_others(system: TestSystem, nowait: bool) -> None:
    journal = Journal()
    full, _, _, last = await joined(
        system, small("full", journal), ChildSpec("deaf", Deaf), worker("between", journal), worker("last", journal)
    )
    system.registry.join("readers", system.ref)
    await filled(full, 60.0)
    began = system.clock.time()
    if nowait:
        told = system.registry.tell_all_nowait("readers", Note("x"))
    else:
        told = await system.registry.tell_all("readers", Note("x"), timeout=3.0)
    assert system.clock.time() - began == pytest.approx(0.0 if nowait else 3.0)
    assert told.delivered == 2
    assert {path: type(error) for path, error in told.refused.items()} == {
        "/test/full": MailboxFull,
        "/test/deaf": InvalidMessage,
        "/test": InvalidMessage,
    }
    assert told.refused["/test/full"].message == Note("x")
    await last.drain()
    assert notes(journal, "x") == ["between#1", "last#1"]


async def test_the_full_are_waited_for_side_by_side_and_after_all_others(system: TestSystem) -> None:
    journal = Journal()
    refs = await joined(system, small("stuck", journal), small("a", journal), small("b", journal), worker("c", journal))
    for ref, seconds in zip(refs, (60.0, 2.0, 1.0), strict=False):
        await filled(ref, seconds)
    told: list[Told] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell_all, system, told)
        await settle()
        assert notes(journal, "x") == ["c#1"]
        await settle(2.5)
        assert notes(journal, "x") == ["c#1", "b#1", "a#1"]
    assert (told[0].delivered, [*told[0].refused]) == (3, ["/test/stuck"])
    assert told[0].refused["/test/stuck"].elapsed == pytest.approx(5.0)


async def test_the_time_for_telling_the_others_is_part_of_the_timeout(system: TestSystem) -> None:
    journal, loop = Journal(), asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    full, *_ = await joined(system, small("full", journal), *(worker(f"a{number}", journal) for number in range(100)))
    await filled(full, 60.0)
    began = system.clock.time()
    loop.call_soon(loop.jump, 2.0)  # somebody else's turn takes two seconds
    assert [*(await system.registry.tell_all("readers", Note("x"), timeout=3.0)).refused] == ["/test/full"]
    assert system.clock.time() - began == pytest.approx(3.0)


async def tell_all(system: TestSystem, told: list[Told]) -> None:
    told.append(await system.registry.tell_all("readers", Note("x")))


async def test_one_that_ends_while_it_is_waited_for_is_refused_as_dead(system: TestSystem) -> None:
    journal = Journal()
    full, _ = await joined(system, small("full", journal), worker("a", journal))
    await filled(full, 2.0)
    told: list[Told] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell_all, system, told)
        await settle()
        await full.stop()
    assert told[0].delivered == 1
    assert isinstance(told[0].refused["/test/full"], ActorDead)
    assert system.registry.members("readers") == (system.find("a"),)


async def test_a_member_that_takes_nothing_more_is_refused_as_dead(system: TestSystem) -> None:
    journal = Journal()
    leaver, _ = await joined(system, worker("leaver", journal, stop=takes(5.0)), worker("a", journal))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leaver.drain)
        await settle()
        told = await system.registry.tell_all("readers", Note("x"))
    assert (told.delivered, type(told.refused["/test/leaver"])) == (1, ActorDead)


async def test_a_member_in_backoff_gets_it_in_its_next_life(system: TestSystem) -> None:
    journal = Journal()
    ref, _ = await joined(system, worker("a", journal), worker("b", journal))
    await ref.kill()
    assert await system.registry.tell_all("readers", Note("x")) == Told(2, {})
    await settle()
    assert sorted(notes(journal, "x")) == ["a#2", "b#1"]


async def test_who_joins_or_leaves_meanwhile_does_not_change_who_is_told(system: TestSystem) -> None:
    journal = Journal()
    full, early = await joined(system, small("full", journal), small("early", journal))
    late = await system.start_child(worker("late", journal))
    await filled(full, 1.0)
    await filled(early, 2.0)
    told: list[Told] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell_all, system, told)
        await settle()
        system.registry.join("readers", late)
        system.registry.leave("readers", early)
    await settle()
    assert told == [Told(2, {})]
    assert notes(journal, "x") == ["full#1", "early#1"]


async def test_what_a_policy_drops_counts_as_taken(system: TestSystem) -> None:
    journal = Journal()
    policies = (Overflow.REJECT, Overflow.DROP_NEWEST, Overflow.DROP_OLDEST)
    refs = await joined(system, *(small(policy.name.lower(), journal, policy) for policy in policies))
    for ref in refs:
        await filled(ref, 1.0)
    told = await system.registry.tell_all("readers", Note("x"))
    assert (told.delivered, [*told.refused]) == (2, ["/test/reject"])
    await settle(2.0)
    assert notes(journal, "x") == ["drop_oldest#1"]


class Announce(Request[Told]):
    """Tell the group from a handler."""


class Herald(Actor):
    def __init__(self) -> None:
        self.heard = 0

    async def on_start(self) -> None:
        self.context.join("readers")

    @handles
    async def announce(self, message: Announce) -> Told:
        return await self.context.system.registry.tell_all("readers", Note("x"))

    @handles
    def note(self, message: Note) -> None:
        self.heard += 1

    def inspect(self) -> dict[str, int]:
        return {"heard": self.heard}


async def test_a_member_that_tells_the_group_tells_itself(system: TestSystem) -> None:
    herald = await system.start_child(ChildSpec("herald", Herald))
    assert await herald.ask(Announce()) == Told(1, {})
    await settle()
    entry = system.roster(detail=True).find("/test/herald")
    assert entry is not None
    assert entry.detail == {"heard": 1}


async def test_a_member_whose_own_mailbox_is_full_does_not_wait_for_itself(system: TestSystem) -> None:
    herald = await system.start_child(ChildSpec("herald", Herald, mailbox=Mailbox(capacity=1)))
    probe = await Probe.start(system)
    system.registry.join("readers", probe.ref)
    began = system.clock.time()
    told: list[Told] = []

    async def ask() -> None:
        told.append(await herald.ask(Announce(), timeout=30.0))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(herald.tell, Note("fills it"))
    assert [*told[0].refused] == ["/test/herald"]
    assert system.clock.time() - began < 5.0
    assert (await probe.expect(Note)).text == "x"


async def test_who_gives_up_waiting_has_told_those_that_had_room(system: TestSystem) -> None:
    journal = Journal()
    full, _ = await joined(system, small("full", journal), worker("a", journal))
    await filled(full, 2.0)
    with anyio.move_on_after(1.0) as scope:
        await system.registry.tell_all("readers", Note("x"), timeout=None)
    assert scope.cancelled_caught
    await settle(5.0)
    assert notes(journal, "x") == ["a#1"]


async def test_without_a_timeout_it_waits_until_all_have_room(system: TestSystem) -> None:
    journal = Journal()
    (full,) = await joined(system, small("full", journal))
    await filled(full, 600.0)
    assert await system.registry.tell_all("readers", Note("x"), timeout=None) == Told(1, {})


async def test_what_is_no_message_is_refused_by_each(system: TestSystem) -> None:
    await joined(system, worker("a"))
    told = await system.registry.tell_all("readers", Note)  # type: ignore[arg-type]
    assert "is a class; give an instance" in str(told.refused["/test/a"])
    assert told.delivered == 0


async def test_telling_a_group_for_ever_lets_others_run(system: TestSystem) -> None:
    """hazard: starvation by a tight mailbox loop."""
    journal = Journal()
    (full,) = await joined(system, small("full", journal, Overflow.DROP_NEWEST))
    await filled(full, 60.0)
    seen: list[int] = []

    async def flood() -> None:
        while True:
            await system.registry.tell_all("readers", Note("x"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(flood)
        await turns_until(lambda: seen.append(1) or len(seen) > 50)  # type: ignore[func-returns-value]
        tasks.cancel_scope.cancel()
    assert len(system.recorded(DeadLetter)) > 50
