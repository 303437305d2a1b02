"""Who has ended for good, and who comes back: what becomes of messages and watches in between."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorRef,
    ActorSystem,
    Backoff,
    ChildSpec,
    DeadLetter,
    Intensity,
    Mailbox,
    Restart,
    Strategy,
    SupervisorRef,
    SupervisorSpec,
    Terminated,
    handles,
)
from actors.testing import Probe, TestSystem
from tests.actors.kit import Boom, Crash, Journal, Note, Number, Quit, Work, Worker, fails, settle, takes, worker

SLOW = Backoff(initial=10.0, jitter=0.0)


def paths(probe: Probe) -> list[str]:
    """Whose ends it heard of."""
    return [message.path for message in probe.messages]


@pytest.mark.parametrize("end", [Quit(), Crash()], ids=["leaves", "crashes"])
async def test_what_is_sent_to_a_permanent_actor_between_two_lives_is_kept(
    actor_system: TestSystem, end: Quit | Crash
) -> None:
    """22."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, backoff=SLOW, stop=takes(2.0, 1)))
    await ref.tell(end)
    await ref.tell(Note("queued"))
    for when in ("in the stop hook", "in backoff"):
        await settle(1.0 if when == "in the stop hook" else 5.0)
        await ref.tell(Note(when))
    assert await ref.ask(Number(), timeout=30.0) == 2
    assert [event for event in journal.events if event.startswith("note")] == [
        "note a#2 queued",
        "note a#2 in the stop hook",
        "note a#2 in backoff",
    ]
    assert [letter.message for letter in actor_system.recorded(DeadLetter) if isinstance(letter.message, Note)] == []


class Fickle(Actor):
    """Stops itself, and then crashes over it."""

    @handles
    def crash(self, message: Crash) -> None:
        self.context.stop_self()
        raise Boom

    @handles
    def number(self, message: Number) -> int:
        return self.context.ref.incarnation


@pytest.mark.parametrize("restart", [Restart.PERMANENT, Restart.TRANSIENT])
async def test_an_actor_that_crashes_after_it_stopped_itself_takes_messages_until_it_is_back(
    actor_system: TestSystem, restart: Restart
) -> None:
    """22."""
    ref = await actor_system.start_child(ChildSpec("a", Fickle, restart=restart, backoff=SLOW))
    await ref.tell(Crash())
    await settle(1.0)
    assert await ref.ask(Number(), timeout=30.0) == 2


async def test_who_watches_a_permanent_actor_that_leaves_hears_nothing(actor_system: TestSystem, probe: Probe) -> None:
    """101."""
    ref = await actor_system.start_child(worker("a", backoff=SLOW))
    probe.watch(ref)
    await ref.tell(Quit())
    await settle(1.0)
    late = await Probe.start(actor_system, "late")
    late.watch(ref)
    await probe.expect_nothing(within=20.0)
    assert (ref.incarnation, late.messages) == (2, [])
    await ref.stop()
    assert paths(probe) == paths(late) == ["/test/a"]


async def tree(system: ActorSystem, **fields: object) -> SupervisorRef:
    """A supervisor that gives up at the first crash, with two actors and one more level."""
    inner = SupervisorSpec("inner", children=[worker("c")])
    children = [worker("a"), worker("b"), inner]
    options: dict[str, object] = {"intensity": Intensity(0), **fields}
    return await system.start_child(SupervisorSpec("top", children=children, **options))  # type: ignore[arg-type]


def below(system: ActorSystem) -> list[ActorRef]:
    """All of the tree's, but the top."""
    return [system.find(f"/test/top/{path}") for path in ("a", "b", "inner", "inner/c")]


@pytest.mark.parametrize("backoff", [None, SLOW], ids=["at once", "later"])
async def test_static_children_that_come_back_with_their_supervisor_have_not_ended(
    actor_system: TestSystem, probe: Probe, backoff: Backoff | None
) -> None:
    """101."""
    await tree(actor_system, backoff=backoff)
    refs = below(actor_system)
    for ref in refs:
        probe.watch(ref)
    await refs[0].tell(Crash())
    await settle(1.0)
    late = await Probe.start(actor_system, "late")
    for ref in refs:
        late.watch(ref)
    await probe.expect_nothing(within=20.0)
    assert [ref.incarnation for ref in refs] == [2, 2, 2, 2]
    assert late.messages == []


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
async def test_they_have_ended_where_their_supervisor_does_not_come_back(
    actor_system: TestSystem, probe: Probe, restart: Restart
) -> None:
    """101."""
    await tree(actor_system, restart=restart)
    refs = below(actor_system)
    for ref in refs:
        probe.watch(ref)
    await refs[1].tell(Crash())
    await settle(1.0)
    assert sorted(paths(probe)) == sorted(ref.path for ref in refs)
    (crashed,) = [message for message in probe.messages if message.path == "/test/top/b"]
    assert crashed.reason.kind == "crash"


async def test_they_have_ended_where_the_restart_of_their_supervisor_is_given_up(
    actor_system: TestSystem, probe: Probe
) -> None:
    """101."""
    top = await tree(actor_system, backoff=SLOW)
    refs = below(actor_system)
    for ref in refs:
        probe.watch(ref)
    await refs[0].tell(Crash())
    await settle(1.0)
    assert probe.messages == []
    await top.stop()
    assert sorted(paths(probe)) == sorted(ref.path for ref in refs)


async def test_they_have_ended_where_their_supervisor_fails_to_come_back(
    actor_system: TestSystem, probe: Probe
) -> None:
    """101."""
    children = [worker("a"), worker("b", start=fails(2, 3))]
    backoff = Backoff(initial=1.0, jitter=0.0, max_restarts=2)
    await actor_system.start_child(SupervisorSpec("top", children=children, intensity=Intensity(0), backoff=backoff))
    a, b = (actor_system.find(f"/test/top/{name}") for name in "ab")
    probe.watch(a)
    probe.watch(b)
    await a.tell(Crash())
    await settle(1.5)
    assert probe.messages == []
    await settle(5.0)
    assert sorted(paths(probe)) == [a.path, b.path]


async def test_who_watches_from_another_system_hears_of_the_end_of_a_whole_system(
    actor_system: TestSystem, probe: Probe
) -> None:
    """101."""
    async with ActorSystem("other") as other:
        await other.start_child(SupervisorSpec("sup", children=[worker("a")]))
        probe.watch(other.find("/other/sup/a"))
        await settle()
    await settle()
    assert paths(probe) == ["/other/sup/a"]


async def test_a_crash_whose_news_a_stop_overtakes_is_told_to_watchers_and_askers(
    actor_system: TestSystem, probe: Probe
) -> None:
    """101."""
    sup = await actor_system.start_child(SupervisorSpec("sup"))
    ref = await sup.start_child(worker("a"))
    probe.watch(ref)
    told: list[float] = []

    async def start_slowly() -> None:
        with pytest.raises(ActorDead):
            await sup.start_child(worker("slow", start=takes(5.0)))

    async def ask() -> None:
        with pytest.raises(ActorDead):
            await ref.ask(Number(), timeout=60.0)
        told.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        group.start_soon(start_slowly)
        await settle()
        await ref.tell(Crash())
        group.start_soon(ask)
        await settle()
        await sup.stop()
        assert paths(probe) == ["/test/sup/a"]
        await settle()
    assert told == [pytest.approx(anyio.current_time(), abs=0.01)]


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_who_restarts_in_a_group_has_not_ended(
    actor_system: TestSystem, probe: Probe, strategy: Strategy
) -> None:
    """101."""
    inner = SupervisorSpec("inner", children=[worker("c")])
    children = (worker("a", backoff=SLOW), worker("b"), inner)
    await actor_system.start_child(SupervisorSpec("top", children=children, strategy=strategy))
    refs = below(actor_system)
    for ref in refs:
        probe.watch(ref)
    await refs[0].tell(Crash())
    await probe.expect_nothing(within=20.0)
    assert [ref.incarnation for ref in refs] == [2, 2, 2, 2]
    assert Terminated not in {type(message) for message in probe.messages}


class LastWord(Actor):
    """At its crash, one of those that wait for room gives up, and passes its place on."""

    def __init__(self, senders: list[asyncio.Task[object]]) -> None:
        self.senders = senders

    @handles
    async def work(self, message: Work) -> None:
        await anyio.sleep(message.seconds)

    @handles
    def crash(self, message: Crash) -> None:
        self.senders[0].cancel()
        raise Boom

    @handles
    def number(self, message: Number) -> int:
        return 1


@pytest.mark.parametrize("how", ["tell", "ask"])
async def test_who_was_given_room_at_the_end_of_the_actor_is_told_of_that(actor_system: TestSystem, how: str) -> None:
    senders: list[asyncio.Task[object]] = []
    spec = ChildSpec("a", LastWord, args=(senders,), restart=Restart.TEMPORARY, mailbox=Mailbox(1))
    ref = await actor_system.start_child(spec)
    await ref.tell(Work())
    await settle()
    await ref.tell(Crash())
    for _ in range(2):
        senders.append(asyncio.ensure_future(getattr(ref, how)(Number(), timeout=None)))
        await settle()
    await asyncio.wait(senders, timeout=60.0)
    assert senders[0].cancelled()
    assert isinstance(senders[1].exception(), ActorDead)


async def test_one_that_left_and_is_killed_by_the_stop_that_follows_takes_nothing_more(
    actor_system: TestSystem,
) -> None:
    class Leaving(Worker):
        @handles
        async def work(self, message: Work) -> None:
            self.context.stop_self()
            await anyio.sleep(message.seconds)

    refused: list[ActorDead] = []

    def tell(_: object) -> None:
        try:
            ref.tell_nowait(Note())
        except ActorDead as error:
            refused.append(error)

    ref = await actor_system.start_child(ChildSpec("a", Leaving, restart=Restart.TRANSIENT, shutdown=1.0))
    actor_system.events.sink(lambda kind: kind is ActorCrashed, tell)
    await ref.tell(Work(60.0))
    await settle()
    await ref.stop()
    assert len(refused) == 1
