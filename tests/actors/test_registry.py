"""The registry: unique names, groups, and until when somebody is in them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from actors import (
    IGNORE,
    Actor,
    ActorDead,
    ActorError,
    ActorRef,
    ActorSystem,
    Backoff,
    ChildSpec,
    GroupJoined,
    GroupLeft,
    Ignore,
    Intensity,
    NameLeft,
    NameNotFound,
    NameRegistered,
    NameTaken,
    Request,
    Restart,
    Shutdown,
    SpecError,
    StartError,
    Strategy,
    SupervisorSpec,
    TaskSpec,
    Terminated,
    current_context,
    handles,
)
from actors.testing import Faults, TestSystem
from tests.actors.kit import Boom, Crash, Note, Number, Quit, Worker, cancel, fails, settle, takes, worker

SLOW = Backoff(initial=10.0, jitter=0.0)
NOTHING: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


class Feed(Worker):
    """Registers itself, in each life anew."""

    async def on_start(self) -> Ignore | None:
        self.context.register("feed")
        self.context.join("readers")
        return await super().on_start()


def feed(id: str = "feed", **spec: object) -> ChildSpec:  # noqa: A002 - the field's name
    return ChildSpec(id, Feed, **spec)  # type: ignore[arg-type]


def listed(system: ActorSystem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All names, and all groups."""
    return system.registry.names(), system.registry.groups()


async def test_a_name_leads_to_the_ref_wherever_that_stands(system: TestSystem) -> None:
    sup = await system.start_child(SupervisorSpec("sup"))
    ref = await sup.start_child(worker("a"))
    system.registry.register("feed", ref)
    assert system.registry.whereis("feed") is ref
    assert system.registry.lookup("feed") is ref
    assert system.registry.whereis("other") is None


async def test_a_taken_name_is_refused_and_names_its_holder(system: TestSystem) -> None:
    first, second = [await system.start_child(worker(name)) for name in ("a", "b")]
    system.registry.register("feed", first)
    with pytest.raises(NameTaken, match=r"^/test/a has the name 'feed'; use its ref, or choose another name$") as taken:
        system.registry.register("feed", second)
    assert (taken.value.ref, taken.value.path, taken.value.name) == (first, "/test/a", "feed")
    assert system.registry.whereis("feed") is first


async def test_a_second_registration_by_the_same_ref_changes_nothing(system: TestSystem) -> None:
    ref = await system.start_child(feed())
    system.registry.register("feed", ref)
    system.registry.join("readers", ref)
    assert listed(system) == (("feed",), ("readers",))
    assert len(system.recorded(NameRegistered)) == len(system.recorded(GroupJoined)) == 1


async def test_a_name_that_nobody_has_says_which_there_are(system: TestSystem) -> None:
    with pytest.raises(NameNotFound, match=r"^nobody in test has the name 'feed'; there are: none$"):
        system.registry.lookup("feed")
    ref = await system.start_child(worker("a"))
    for number in range(12):
        system.registry.register(f"n{number}", ref)
    with pytest.raises(NameNotFound, match=r"there are: n0, .*, n9 and 2 more$") as missing:
        system.registry.lookup("feed")
    assert missing.value.names == system.registry.names() == tuple(f"n{number}" for number in range(12))


async def test_a_name_that_was_taken_away_is_free(system: TestSystem) -> None:
    first, second = [await system.start_child(worker(name)) for name in ("a", "b")]
    system.registry.register("feed", first)
    assert system.registry.unregister("feed")
    assert not system.registry.unregister("feed")
    system.registry.register("feed", second)
    await first.stop()  # which has lost its say in it
    assert system.registry.whereis("feed") is second


async def test_groups_keep_the_order_of_joining_and_are_there_while_they_have_members(system: TestSystem) -> None:
    refs = [await system.start_child(worker(name)) for name in ("c", "a", "b")]
    for ref in (*refs, refs[0]):
        system.registry.join("readers", ref)
    assert system.registry.members("readers") == tuple(refs)
    assert system.registry.leave("readers", refs[1])
    assert not system.registry.leave("readers", refs[1])
    assert not system.registry.leave("writers", refs[0])
    system.registry.join("readers", refs[1])
    assert system.registry.members("readers") == (refs[0], refs[2], refs[1])
    for ref in refs:
        system.registry.leave("readers", ref)
    assert (system.registry.members("readers"), system.registry.groups()) == ((), ())


@pytest.mark.parametrize("name", ["", None, 5])
async def test_a_name_is_any_text_that_is_not_empty(system: TestSystem, name: str) -> None:
    ref = await system.start_child(worker("a"))
    for add in (system.registry.register, system.registry.join):
        with pytest.raises(SpecError, match=r"allowed: any text that is not empty"):
            add(name, ref)
    assert listed(system) == NOTHING


async def test_only_refs_of_the_same_system_are_taken(system: TestSystem) -> None:
    async with ActorSystem("other") as other:
        theirs = await other.start_child(feed())
        assert listed(system) == NOTHING
        for add in (system.registry.register, system.registry.join):
            with pytest.raises(SpecError, match=r"got /other/feed, of another system; allowed: who lives in this test"):
                add("feed", theirs)
            with pytest.raises(SpecError, match=r"got str; allowed: an ActorRef"):
                add("feed", "/test/a")  # type: ignore[arg-type]
        system.registry.register("feed", await system.start_child(worker("a")))
        assert other.registry.whereis("feed") is theirs


async def test_the_dead_are_refused(system: TestSystem) -> None:
    ref = await system.start_child(worker("a"))
    await ref.stop()
    for add in (system.registry.register, system.registry.join):
        with pytest.raises(ActorDead, match=r"^/test/a is dead \(shutdown: terminated\)$"):
            add("feed", ref)
    assert listed(system) == NOTHING


async def test_there_is_no_registry_before_the_system_is_open_and_nobody_in_it_afterwards() -> None:
    system = ActorSystem("test")
    with pytest.raises(ActorError, match=r"not open"):
        _ = system.registry
    async with system:
        ref = await system.start_child(feed())
        system.registry.register("root", system.ref)
    assert listed(system) == NOTHING
    with pytest.raises(ActorDead):
        system.registry.register("feed", ref)


class Late(Actor):
    """Keeps its context, and lets go of a zombie's."""

    contexts: list[object] = []  # noqa: RUF012 - of the class

    async def on_start(self) -> None:
        self.contexts.append(self.context)

    @handles
    def crash(self, message: Crash) -> None:
        raise Boom


async def test_an_incarnation_that_has_ended_registers_nobody(system: TestSystem) -> None:
    Late.contexts.clear()
    ref = await system.start_child(ChildSpec("a", Late))
    await ref.tell(Crash())
    await settle()
    old, new = Late.contexts
    for add in (old.register, old.join):  # type: ignore[attr-defined]
        with pytest.raises(ActorDead):
            add("feed")
    assert listed(system) == NOTHING
    new.register("feed")  # type: ignore[attr-defined]
    assert system.registry.whereis("feed") is ref


async def test_supervisors_and_tasks_have_names_too(system: TestSystem) -> None:
    async def wait() -> None:
        context = current_context()
        assert context is not None
        context.register("poll")
        context.join("jobs")
        await anyio.sleep_forever()

    sup = await system.start_child(SupervisorSpec("sup"))
    task = await sup.start_child(TaskSpec("task", wait))
    await settle()
    system.registry.register("all", sup)
    assert [system.registry.whereis(name) for name in ("poll", "all")] == [task, sup]
    await sup.stop()
    assert listed(system) == NOTHING


async def crash(ref: ActorRef) -> None:
    await ref.tell(Crash())
    await settle()


async def kill(ref: ActorRef) -> None:
    await ref.kill()


async def cancel_task(ref: ActorRef) -> None:
    cancel(ref.path)
    await settle()


@pytest.mark.parametrize("end", [crash, kill, cancel_task])
async def test_a_restart_keeps_names_and_groups(system: TestSystem, end: Callable[[ActorRef], Awaitable[None]]) -> None:
    ref = await system.start_child(worker("a", backoff=SLOW))
    system.registry.register("feed", ref)
    system.registry.join("readers", ref)
    await end(ref)
    assert not ref.is_alive
    assert system.registry.whereis("feed") is ref  # in backoff
    with pytest.raises(NameTaken):
        system.registry.register("feed", system.ref)
    assert await ref.ask(Number(), timeout=30.0) == 2
    assert system.registry.members("readers") == (ref,)
    assert system.recorded(NameLeft, GroupLeft) == []


async def test_a_group_restart_keeps_the_names_of_all(system: TestSystem) -> None:
    children = (feed(), worker("b", restart=Restart.TRANSIENT))
    await system.start_child(SupervisorSpec("sup", children, strategy=Strategy.ONE_FOR_ALL))
    system.registry.register("b", system.find("sup/b"))
    await system.find("sup/b").tell(Crash())
    await settle()
    assert [system.find(f"sup/{name}").incarnation for name in ("feed", "b")] == [2, 2]
    assert listed(system) == (("feed", "b"), ("readers",))
    assert system.recorded(NameLeft, GroupLeft) == []


async def test_who_comes_back_with_its_supervisor_keeps_its_name_meanwhile(system: TestSystem) -> None:
    sup = await system.start_child(SupervisorSpec("sup", (feed(),), intensity=Intensity(0, 1.0), backoff=SLOW))
    ref = system.find("sup/feed")
    dynamic = await sup.start_child(worker("dynamic"))
    system.registry.register("dynamic", dynamic)
    await ref.tell(Crash())
    await settle(5.0)
    assert not sup.is_alive
    assert system.registry.whereis("feed") is ref
    assert system.registry.whereis("dynamic") is None  # which does not come back
    await settle(10.0)
    assert (ref.incarnation, system.registry.whereis("feed")) == (2, ref)
    assert [event.name for event in system.recorded(NameLeft)] == ["dynamic"]


async def test_who_would_have_come_back_loses_its_name_with_the_last_hope(system: TestSystem) -> None:
    sup = await system.start_child(SupervisorSpec("sup", (feed(),), intensity=Intensity(0, 1.0), backoff=SLOW))
    await system.find("sup/feed").tell(Crash())
    await settle(5.0)
    assert listed(system) == (("feed",), ("readers",))
    await sup.stop()
    assert listed(system) == NOTHING


async def test_a_name_is_free_before_the_call_that_stops_its_holder_returns(system: TestSystem) -> None:
    sup = await system.start_child(SupervisorSpec("sup"))
    for number in range(20):
        ref = await sup.start_child(feed(f"feed{number}"))
        await (ref.stop, ref.drain, lambda ref=ref: sup.terminate_child(ref.id), ref.stop)[number % 4]()
    last = await sup.start_child(feed())
    await sup.stop()
    system.registry.register("feed", await system.start_child(worker("next")))
    assert not last.is_alive


async def leaves(ref: ActorRef) -> None:
    await ref.tell(Quit())
    await settle()


@pytest.mark.parametrize("end", [crash, kill, leaves, cancel_task])
async def test_an_end_for_good_of_any_kind_frees_the_name(
    system: TestSystem, end: Callable[[ActorRef], Awaitable[None]]
) -> None:
    ref = await system.start_child(feed(restart=Restart.TEMPORARY))
    await end(ref)
    assert listed(system) == NOTHING
    assert [event.path for event in system.recorded(NameLeft, GroupLeft)] == ["/test/feed"] * 2


async def test_a_brutal_end_frees_the_name(system: TestSystem) -> None:
    ref = await system.start_child(feed(shutdown=Shutdown.BRUTAL))
    await ref.stop()
    assert listed(system) == NOTHING


async def test_a_zombie_that_is_not_replaced_frees_the_name(system: TestSystem) -> None:
    release = anyio.Event()
    factory = Faults.swallow_cancellation(Worker, release=release)  # type: ignore[arg-type]
    ref = await system.start_child(ChildSpec("a", factory, restart=Restart.TEMPORARY))
    system.registry.register("feed", ref)
    await ref.tell(Note())
    await settle()
    await ref.kill()
    await settle()
    assert listed(system) == NOTHING
    assert [entry.names for entry in system.roster().entries if entry.state == "zombie"] == [()]
    release.set()
    await settle()


async def test_the_row_of_a_zombie_does_not_claim_the_name_of_its_successor(system: TestSystem) -> None:
    release = anyio.Event()
    factory = Faults.swallow_cancellation(Worker, release=release)  # type: ignore[arg-type]
    ref = await system.start_child(ChildSpec("a", factory))
    system.registry.register("feed", ref)
    await ref.tell(Note())
    await settle()
    await ref.kill()
    await settle()
    assert [entry.path for entry in system.roster().entries if entry.names] == ["/test/a"]
    release.set()
    await settle()


async def test_exhausted_restarts_free_the_name(system: TestSystem) -> None:
    ref = await system.start_child(feed(backoff=Backoff(initial=1.0, jitter=0.0, max_restarts=1)))
    await ref.tell(Crash())
    await settle(2.0)
    assert system.registry.whereis("feed") is ref
    await ref.tell(Crash())
    await settle(2.0)
    assert listed(system) == NOTHING


@pytest.mark.parametrize("restart", list(Restart))
async def test_a_name_is_free_before_a_failed_start_is_reported(system: TestSystem, restart: Restart) -> None:
    for _ in range(20):
        with pytest.raises(StartError):
            await system.start_child(feed(kwargs={"start": fails()}, restart=restart))
        assert listed(system) == NOTHING
        declined = await system.start_child(feed("declines", kwargs={"start": lambda _: IGNORE}, restart=restart))
        assert not declined.is_alive
        assert listed(system) == NOTHING
        if restart is not Restart.TEMPORARY:
            await system.delete_child("declines")


async def test_a_static_child_whose_start_fails_leaves_no_name(system: TestSystem) -> None:
    with pytest.raises(StartError):
        await system.start_child(SupervisorSpec("sup", (feed(), worker("b", start=fails()))))
    assert listed(system) == NOTHING


async def test_a_start_that_takes_too_long_leaves_no_name(system: TestSystem) -> None:
    with pytest.raises(StartError):
        await system.start_child(feed(kwargs={"start": takes(99.0)}, start_timeout=1.0))
    assert listed(system) == NOTHING


async def test_a_start_that_finds_its_name_taken_fails_with_that_and_leaves_the_holder_alone(
    system: TestSystem,
) -> None:
    first = await system.start_child(feed())
    with pytest.raises(StartError) as failed:
        await system.start_child(feed("second"))
    assert isinstance(failed.value.cause, NameTaken)
    assert failed.value.cause.ref is first
    assert system.registry.members("readers") == (first,)


async def test_what_is_started_again_by_hand_registers_itself_anew(system: TestSystem) -> None:
    ref = await system.start_child(worker("a"))
    system.registry.register("feed", ref)
    await ref.stop()
    await system.restart_child("a")
    assert listed(system) == NOTHING
    system.registry.register("feed", ref)
    assert system.registry.whereis("feed") is ref


class Heir(Actor):
    """Takes the name of the one it watches, when that has ended."""

    def __init__(self, other: ActorRef) -> None:
        self.other = other

    async def on_start(self) -> None:
        self.context.watch(self.other)

    @handles
    def ended(self, message: Terminated) -> None:
        self.context.register("feed")


@pytest.mark.parametrize("end", [crash, kill, leaves])
async def test_the_name_is_free_when_terminated_arrives(
    system: TestSystem, end: Callable[[ActorRef], Awaitable[None]]
) -> None:
    holder = await system.start_child(worker("a", restart=Restart.TEMPORARY))
    heir = await system.start_child(ChildSpec("heir", Heir, args=(holder,)))
    system.registry.register("feed", holder)  # after the watch
    await end(holder)
    await settle()
    assert system.registry.whereis("feed") is heir
    assert heir.incarnation == 1


class Replace(Request[str]):
    """Stop this one, and give its name to another."""

    old: ActorRef
    new: ActorRef


class Manager(Actor):
    @handles
    async def replace(self, message: Replace) -> str:
        await message.old.stop()
        self.context.system.registry.register("feed", message.new)
        return self.context.system.registry.lookup("feed").path


@pytest.mark.parametrize("spec", [worker("a"), TaskSpec("a", anyio.sleep_forever)], ids=["actor", "task"])
async def test_a_handler_that_stops_the_holder_may_give_the_name_away_at_once(
    system: TestSystem, spec: ChildSpec | TaskSpec
) -> None:
    old, new = await system.start_child(spec), await system.start_child(worker("b"))
    manager = await system.start_child(ChildSpec("manager", Manager))
    system.registry.register("feed", old)
    assert await manager.ask(Replace(old, new)) == "/test/b"
    await settle()
    assert system.registry.whereis("feed") is new
    assert [event.path for event in system.recorded(NameLeft)] == ["/test/a"]


async def test_the_roster_shows_names_and_groups_and_changes_with_them(system: TestSystem) -> None:
    ref = await system.start_child(worker("a"))
    changes = aiter(system.watch_roster(min_interval=0.0))
    rows = []
    for change in (
        lambda: None,
        lambda: system.registry.register("feed", ref),
        lambda: system.registry.join("readers", ref),
        lambda: system.registry.unregister("feed"),
        lambda: system.registry.leave("readers", ref),
    ):
        change()
        entry = (await anext(changes)).find("/test/a")
        assert entry is not None
        rows.append((entry.names, entry.groups))
    assert rows == [((), ()), (("feed",), ()), (("feed",), ("readers",)), ((), ("readers",)), ((), ())]
    system.registry.register("feed", ref)
    assert b'"names":["feed"],"groups":[]' in system.roster().to_json()
    await ref.stop()
    dead = system.roster().find("/test/a")
    assert dead is not None
    assert dead.names == ()


async def test_events_tell_of_names_and_groups_and_are_not_built_for_nobody() -> None:
    async with ActorSystem("test") as system:
        await (await system.start_child(feed("early"))).stop()
        unheard = system.events.published
        with system.events.subscribe(NameRegistered, NameLeft, GroupJoined, GroupLeft) as events:
            ref = await system.start_child(feed())
            system.registry.unregister("feed")
            await ref.stop()
            heard: list[Any] = [events.get_nowait() for _ in range(4)]
    assert unheard == 0
    assert [(type(event), event.path) for event in heard] == [
        (kind, "/test/feed") for kind in (NameRegistered, GroupJoined, NameLeft, GroupLeft)
    ]
    assert [heard[0].name, heard[1].group, heard[2].name, heard[3].group] == ["feed", "readers"] * 2


async def test_a_sink_that_hears_of_a_free_name_may_take_it_at_once(system: TestSystem) -> None:
    old, new = [await system.start_child(worker(name)) for name in ("a", "b")]
    for name in ("feed", "spare"):
        system.registry.register(name, old)
    system.events.sink(lambda kind: kind is NameLeft, lambda event: system.registry.register(event.name, new))
    await old.stop()
    assert [system.registry.whereis(name) for name in ("feed", "spare")] == [new, new]


async def test_ten_thousand_who_joined_and_died_leave_nothing_behind(system: TestSystem) -> None:
    """hazard: a registry that keeps the dead."""
    pool = await system.start_child(SupervisorSpec("pool", parallel_shutdown=True))
    gone: list[weakref.ref[ActorRef]] = []
    for _ in range(100):
        for number in range(100):
            ref = await pool.start_child(worker(f"{number}", restart=Restart.TEMPORARY))
            system.registry.register(f"name{number}", ref)
            system.registry.join("readers", ref)
            system.registry.join(f"group{number % 7}", ref)
            await ref.tell(Quit())
        gone.append(weakref.ref(ref))
        del ref
        await settle()
        assert listed(system) == NOTHING
    await settle(61.0)  # the grave window
    await (await pool.start_child(worker("last", restart=Restart.TEMPORARY))).stop()
    system.recorded()
    gc.collect()
    assert [ref for ref in gone if ref() is not None] == []


async def test_who_gives_up_all_names_and_groups_is_forgotten(system: TestSystem) -> None:
    ref = await system.start_child(worker("a"))
    for _ in range(1000):
        system.registry.register("feed", ref)
        system.registry.join("readers", ref)
        system.registry.unregister("feed")
        system.registry.leave("readers", ref)
    assert not ref._cell.watchers
