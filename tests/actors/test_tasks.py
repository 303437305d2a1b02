"""Whose task is it: of a living actor, an orphan, or the embedding process's own. And those that will not die."""

from __future__ import annotations

import asyncio

import anyio

from actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorRestarted,
    ActorSystem,
    ChildSpec,
    Message,
    OrphanDetected,
    Restart,
    StopReason,
    Strategy,
    SupervisorSpec,
    ZombieDetected,
    handles,
)
from actors.testing import Faults, Probe, TestSystem
from tests.actors.kit import Boom, Journal, Note, Number, Quit, Worker, settle, worker


class Client:
    """A client library that keeps tasks of its own in the background, and takes no notice of who uses it."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def connect(self) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(self.read(), name="reader"))

    async def read(self) -> None:
        await asyncio.get_running_loop().create_task(self.beat(), name="heartbeat")

    async def beat(self) -> None:
        await asyncio.sleep(3600)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Connect(Message):
    """Open the client."""


class Owner(Actor):
    def __init__(self, client: Client, tidy: bool) -> None:
        self.client, self.tidy = client, tidy

    @handles
    def connect(self, message: Connect) -> None:
        self.client.connect()

    async def on_stop(self, reason: StopReason) -> None:
        if self.tidy:
            await self.client.close()


async def start(system: ActorSystem, client: Client, tidy: bool = True) -> ActorRef:
    spec = ChildSpec("owner", Owner, args=(client, tidy), restart=Restart.TEMPORARY)
    ref = await system.start_child(spec)
    await ref.tell(Connect())
    await settle()
    return ref


async def test_a_librarys_background_tasks_stand_under_the_actor_that_started_it(actor_system: TestSystem) -> None:
    await start(actor_system, Client())
    roster = actor_system.roster()
    tasks = [(entry.path, entry.kind) for entry in roster.entries if entry.kind == "task"]
    assert sorted(tasks) == [
        ("/test/owner:heartbeat(Client.beat)", "task"),
        ("/test/owner:reader(Client.read)", "task"),
    ]
    assert roster.orphans == ()


async def test_tasks_that_outlive_their_actor_are_orphans(actor_system: TestSystem) -> None:
    client = Client()
    ref = await start(actor_system, client, tidy=False)
    await ref.stop()
    assert sorted(actor_system.roster().orphans) == [
        "/test/owner:heartbeat(Client.beat)",
        "/test/owner:reader(Client.read)",
    ]
    await client.close()
    await settle()
    assert actor_system.roster().orphans == ()


async def test_a_task_left_by_a_former_incarnation_is_an_orphan_while_the_next_one_runs(
    actor_system: TestSystem,
) -> None:
    client = Client()
    ref = await actor_system.start_child(ChildSpec("owner", Owner, args=(client, False)))
    await ref.tell(Connect())
    await settle()
    await ref.kill()
    await settle()
    assert ref.is_alive
    assert len(actor_system.roster().orphans) == 2
    await client.close()


async def test_the_embedding_processs_own_tasks_are_host_tasks(actor_system: TestSystem) -> None:
    task = asyncio.get_running_loop().create_task(asyncio.sleep(3600), name="the host's")
    await start(actor_system, Client())
    roster = actor_system.roster()
    assert "the host's" in roster.host_tasks
    assert roster.orphans == ()
    assert not [entry for entry in roster.entries if entry.id == "the host's"]
    task.cancel()


async def test_what_a_host_task_starts_on_an_actors_behalf_stays_the_hosts(actor_system: TestSystem) -> None:
    client = Client()
    client.connect()
    await settle()
    assert {"reader", "heartbeat"} <= set(actor_system.roster().host_tasks)
    await client.close()


async def test_another_systems_tasks_are_in_its_own_roster_only(actor_system: TestSystem) -> None:
    async with TestSystem("other") as other:
        await start(other, Client())
        mine, theirs = actor_system.roster(), other.roster()
        assert not [name for name in (*mine.host_tasks, *mine.orphans) if "owner" in name or "reader" in name]
        assert theirs.find("/other/owner:reader(Client.read)") is not None


class Helping(Actor):
    """Starts helper tasks."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    async def on_stop(self, reason: StopReason) -> None:
        self.journal.add("stop", "actor")

    @handles
    def note(self, message: Note) -> None:
        self.context.run_task(self.helper(message.text), name=message.text)

    async def helper(self, text: str) -> None:
        try:
            if text == "fails":
                await anyio.sleep(1.0)
                raise Boom(text)
            if text == "returns":
                return
            await anyio.sleep(3600)
        finally:
            self.journal.add("end", text)

    @handles
    def number(self, message: Number) -> int:
        return self.context.ref.incarnation

    @handles
    def quit(self, message: Quit) -> None:
        self.context.stop_self()


async def test_helper_tasks_are_in_the_roster_and_end_with_their_actor(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Helping, args=(journal,)))
    for text in ("returns", "poll", "push"):
        await ref.tell(Note(text))
    await settle(2.0)
    entry = actor_system.roster().find("/test/a:poll")
    assert entry is not None
    assert (entry.kind, entry.id, entry.handling_for_s) == ("task", "poll", 2.0)
    await ref.stop()
    assert journal.events == ["end returns", "end poll", "end push", "stop actor"]
    assert actor_system.roster().find("/test/a:poll") is None


async def test_a_helpers_failure_is_its_actors_crash(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(ChildSpec("a", Helping, args=(journal,)))
    await ref.tell(Note("fails"))
    await ref.tell(Note("poll"))
    await settle(2.0)
    assert await ref.ask(Number()) == 2
    (crash,) = actor_system.recorded(ActorCrashed)
    assert crash.reason.detail == "task fails: Boom: fails"
    assert journal.events == ["end fails", "end poll", "stop actor"]


class Stubborn(Actor):
    """Its helper refuses to end until it is released."""

    def __init__(self, release: asyncio.Event) -> None:
        self.release = release

    @handles
    def note(self, message: Note) -> None:
        self.context.run_task(self.helper(), name="stubborn")

    async def helper(self) -> None:
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                continue


async def test_a_helper_that_will_not_end_becomes_an_orphan_and_holds_up_nobody(actor_system: TestSystem) -> None:
    release = asyncio.Event()
    ref = await actor_system.start_child(ChildSpec("a", Stubborn, args=(release,)))
    await ref.tell(Note())
    await settle()
    began = anyio.current_time()
    await ref.stop()
    assert anyio.current_time() - began < 1.0
    assert [(event.path, event.task) for event in actor_system.recorded(OrphanDetected)] == [("/test/a", "stubborn")]
    assert actor_system.roster().orphans == ("/test/a:stubborn",)
    release.set()
    await settle(10.0)
    assert actor_system.roster().orphans == ()


async def zombie(system: TestSystem, release: asyncio.Event, **spec: object) -> ActorRef:
    """Start an actor and have it refuse to die in the handler of a Note."""
    factory = Faults.swallow_cancellation(Worker, release=release)
    ref = await system.start_child(ChildSpec("z", factory, **spec))  # type: ignore[arg-type]
    await ref.tell(Note())
    await settle()
    return ref


async def test_an_actor_that_does_not_die_after_a_kill_is_marked_and_replaced(actor_system: TestSystem) -> None:
    release = asyncio.Event()
    ref = await zombie(actor_system, release)
    began = anyio.current_time()
    await ref.kill()
    await settle()
    assert anyio.current_time() - began < 1.1
    assert await ref.ask(Number()) == 2
    (event,) = actor_system.recorded(ZombieDetected)
    assert (event.path, event.incarnation) == ("/test/z", 1)
    assert "Note" in event.detail
    roster = actor_system.roster()
    entry, live = roster.find("/test/z#1"), roster.find("/test/z")
    assert entry is not None
    assert live is not None
    assert (entry.state, entry.incarnation, entry.handling) == ("zombie", 1, "Note")
    assert (live.state, live.incarnation, live.handling) == ("running", 2, None)
    release.set()
    await settle(10.0)
    assert actor_system.roster().find("/test/z#1") is None
    assert (ref.is_alive, await ref.ask(Number())) == (True, 2)
    assert [crash.reason.kind for crash in actor_system.recorded(ActorCrashed)] == ["killed"]


async def test_a_zombie_never_blocks_its_siblings_restart(actor_system: TestSystem) -> None:
    release, journal = asyncio.Event(), Journal()
    sup = await actor_system.start_child(SupervisorSpec("sup", strategy=Strategy.ONE_FOR_ALL))
    sibling = await sup.start_child(worker("sibling", journal))
    factory = Faults.swallow_cancellation(Worker, release=release)
    ref = await sup.start_child(ChildSpec("z", factory, args=(journal,), shutdown=2.0))
    await ref.tell(Note())
    await settle()
    await sibling.kill()
    await settle(4.0)
    assert (sibling.incarnation, ref.incarnation) == (2, 2)
    assert len(actor_system.recorded(ActorRestarted)) == 2
    release.set()
    await settle(10.0)


async def test_a_zombie_does_not_keep_its_system_from_closing() -> None:
    release = asyncio.Event()
    began = anyio.current_time()
    async with ActorSystem("lax") as system:
        factory = Faults.swallow_cancellation(Worker, release=release)
        ref = await system.start_child(ChildSpec("z", factory, shutdown=2.0))
        await ref.tell(Note())
        await settle()
    assert anyio.current_time() - began < 4.0
    release.set()
    await settle(10.0)


async def test_the_asker_of_a_zombie_is_told(actor_system: TestSystem) -> None:
    release = asyncio.Event()
    factory = Faults.swallow_cancellation(Worker, release=release)
    ref = await actor_system.start_child(ChildSpec("z", factory, restart=Restart.TEMPORARY))
    probe = await Probe.start(actor_system)
    errors: list[BaseException] = []

    async def ask() -> None:
        try:
            await ref.ask(Number(), timeout=60.0)
        except Exception as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await settle()
        probe.watch(ref)
        await settle()
        await ref.kill()
    assert "zombie" in str(errors[0])
    release.set()
    await settle(10.0)
