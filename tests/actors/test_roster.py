"""The roster: read, never messaged."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anyio
import msgspec
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorSystem,
    Backoff,
    ChildSpec,
    DeadlockError,
    HealthChanged,
    Mailbox,
    Message,
    Request,
    Restart,
    RosterEntry,
    SupervisorSpec,
    handles,
)
from actors.testing import TestSystem, virtual_loop
from tests.actors.kit import Boom, Crash, Note, Number, Quit, Work, settle, worker


def entry(system: ActorSystem, path: str, detail: bool = False) -> RosterEntry:
    found = system.roster(detail=detail).find(path)
    assert found is not None
    return found


class AskFor(Message):
    """Ask this one for its number."""

    ref: ActorRef


class Asker(Actor):
    @handles
    async def ask(self, message: AskFor) -> None:
        await message.ref.ask(Number(), timeout=60.0)


async def test_the_snapshot_of_a_blocked_actor_shows_what_it_does_and_waits_for(actor_system: TestSystem) -> None:
    """82."""
    busy = await actor_system.start_child(worker("busy"))
    asker = await actor_system.start_child(ChildSpec("asker", Asker))
    await busy.tell(Work(10.0))
    await settle()
    await busy.tell(Note("waits"))
    await asker.tell(AskFor(busy))
    await settle(2.0)
    began = anyio.current_time()
    blocked, waiting = entry(actor_system, "/test/busy"), entry(actor_system, "/test/asker")
    assert anyio.current_time() == began
    assert (blocked.handling, blocked.mailbox_depth, blocked.mailbox_peak) == ("Work", 2, 2)
    assert blocked.handling_for_s == pytest.approx(2.0, abs=0.01)
    assert (waiting.handling, waiting.waiting_on) == ("AskFor", "ask /test/busy")
    await settle(20.0)
    assert entry(actor_system, "/test/asker").waiting_on is None
    assert entry(actor_system, "/test/busy").handling is None


async def test_the_snapshot_of_an_actor_in_backoff_says_when_it_comes_back(actor_system: TestSystem) -> None:
    """82."""
    backoff = Backoff(initial=10.0, maximum=10.0, jitter=0.0)
    ref = await actor_system.start_child(worker("a", backoff=backoff))
    await ref.tell(Crash())
    await settle(4.0)
    shown = entry(actor_system, "/test/a")
    assert (shown.state, shown.last_error) == ("backoff", "Boom: boom")
    assert shown.next_restart_in_s == pytest.approx(6.0, abs=0.01)
    assert (shown.restarts_in_window, shown.intensity) == (1, "3 in 5 s")
    await settle(60.0)
    shown = entry(actor_system, "/test/a")
    assert (shown.state, shown.next_restart_in_s, shown.restarts, shown.incarnation) == ("running", None, 1, 2)
    assert shown.restarts_in_window == 0


async def test_counters_are_monotonic_and_seq_rises(actor_system: TestSystem) -> None:
    """84."""
    ref = await actor_system.start_child(worker("a"))
    seen: list[tuple[int, int, int, int, int]] = []
    for message in (Note(), Note(), Crash(), Note(), Crash(), Note()):
        await ref.tell(message)
        await settle()
        roster = actor_system.roster()
        shown = roster.find("/test/a")
        assert shown is not None
        seen.append((roster.seq, shown.handled, shown.failed, shown.restarts, shown.incarnation))
    for column in zip(*seen, strict=True):
        assert list(column) == sorted(column)
    assert [each[0] for each in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1][1:] == (4, 2, 2, 3)


@pytest.mark.parametrize("how", ["quit", "terminate", "supervisor", "parent"])
async def test_a_just_dead_actor_stays_visible_for_the_grave_window(actor_system: TestSystem, how: str) -> None:
    """84."""
    sup = await actor_system.start_child(SupervisorSpec("sup", restart=Restart.TEMPORARY))
    ref = await sup.start_child(worker("a", restart=Restart.TEMPORARY))
    ends = {"quit": lambda: ref.tell(Quit()), "terminate": ref.stop, "supervisor": sup.stop, "parent": sup.kill}
    await ends[how]()
    await settle(59.0)
    assert entry(actor_system, "/test/sup/a").state == "stopped"
    await settle(2.0)
    assert actor_system.roster().find("/test/sup/a") is None


async def test_a_child_of_an_actor_that_ended_stays_visible_too(actor_system: TestSystem) -> None:
    """84."""

    class Parent(Actor):
        async def on_start(self) -> None:
            await self.context.start_child(worker("child"))

        @handles
        def crash(self, message: Crash) -> None:
            raise Boom

    ref = await actor_system.start_child(ChildSpec("parent", Parent, restart=Restart.TEMPORARY))
    await ref.tell(Crash())
    await settle()
    assert entry(actor_system, "/test/parent/child").state == "stopped"


async def test_a_grave_does_not_hide_the_living_of_the_same_path(actor_system: TestSystem) -> None:
    """84."""
    for _ in range(3):
        ref = await actor_system.start_child(worker("a", restart=Restart.TEMPORARY))
        paths = [each.path for each in actor_system.roster().entries]
        assert paths.count("/test/a") == 1
        assert entry(actor_system, "/test/a").state == "running"
        await ref.stop()


async def test_graves_are_bounded(actor_system: TestSystem) -> None:
    """hazard: memory growth."""
    for number in range(1500):
        ref = await actor_system.start_child(worker(str(number), restart=Restart.TEMPORARY))
        await ref.stop()
    assert len(actor_system.roster().entries) == 1001


class Login(Actor):
    def __init__(self) -> None:
        self.password = "hunter2"  # noqa: S105 - what must not be shown
        self.attempts = 3

    def inspect(self) -> dict[str, Any]:
        return {"attempts": self.attempts, "password": "***"}

    @handles
    def crash(self, message: Crash) -> None:
        raise Boom


async def test_the_redacted_view_of_an_actor_is_in_the_rosters_detail_and_in_crash_reports(
    actor_system: TestSystem,
) -> None:
    """85."""
    ref = await actor_system.start_child(ChildSpec("login", Login))
    assert entry(actor_system, "/test/login").detail is None
    assert entry(actor_system, "/test/login", detail=True).detail == {"attempts": 3, "password": "***"}
    await ref.tell(Crash())
    await settle()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert crash.detail == {"attempts": 3, "password": "***"}
    assert b"hunter2" not in actor_system.roster(detail=True).to_json()


async def test_a_faulty_inspect_hides_only_itself(actor_system: TestSystem) -> None:
    """85."""

    class Faulty(Login):
        def inspect(self) -> dict[str, Any]:
            raise Boom

    await actor_system.start_child(ChildSpec("faulty", Faulty))
    await actor_system.start_child(ChildSpec("login", Login))
    assert entry(actor_system, "/test/faulty", detail=True).detail == {"inspect": "failed: Boom"}
    assert entry(actor_system, "/test/login", detail=True).detail is not None


async def test_the_roster_is_in_tree_order_and_says_what_each_is(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup", metadata={"tier": 1}))
    await sup.start_child(worker("b", metadata={"port": 80}, mailbox=Mailbox(capacity=7)))
    await sup.start_child(worker("a"))
    await actor_system.start_child(worker("last"))
    roster = actor_system.roster()
    assert [(each.path, each.kind) for each in roster.entries] == [
        ("/test", "supervisor"),
        ("/test/sup", "supervisor"),
        ("/test/sup/b", "actor"),
        ("/test/sup/a", "actor"),
        ("/test/last", "actor"),
    ]
    assert entry(actor_system, "/test/sup/b").metadata == {"port": 80}
    assert entry(actor_system, "/test/sup/b").mailbox_capacity == 7
    assert roster.system == "test"


async def test_the_roster_as_json_has_every_field(actor_system: TestSystem) -> None:
    await actor_system.start_child(worker("a", metadata={"started by": Number}))
    ref = await actor_system.start_child(worker("b", restart=Restart.TEMPORARY))
    await ref.tell(Crash())
    await settle()
    data = msgspec.json.decode(actor_system.roster(detail=True).to_json())
    assert set(data) >= {"seq", "captured_at", "entries", "orphans", "host_tasks", "dead_letters", "loop_lag_s"}
    assert [each["path"] for each in data["entries"]] == ["/test", "/test/a", "/test/b"]
    assert set(data["entries"][0]) == set(RosterEntry.__struct_fields__)
    assert data["entries"][0]["metadata"] == {}
    assert data["captured_at"].startswith("2026-01-01T00:00:00")


class Mood(Message):
    """Report this health."""

    level: str
    why: str = ""


class Moody(Actor):
    @handles
    def mood(self, message: Mood) -> None:
        self.context.report_health(message.level, message.why, next="retried in 2 s", action="look")  # type: ignore[arg-type]


async def test_an_actor_says_how_it_is_since_when_and_what_follows(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Moody))
    await ref.tell(Mood("degraded", "redis is away"))
    await settle(5.0)
    await ref.tell(Mood("degraded", "redis is still away"))
    await settle(1.0)
    shown = entry(actor_system, "/test/a")
    health = shown.health
    assert (health.level, health.why, health.next, health.action) == (
        "degraded", "redis is still away", "retried in 2 s", "look",
    )  # fmt: skip
    assert health.since is not None
    assert (actor_system.clock.now() - health.since).total_seconds() == pytest.approx(6.0, abs=0.1)
    assert len(actor_system.recorded(HealthChanged)) == 2


async def test_an_unknown_level_of_health_is_refused(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Moody, restart=Restart.TEMPORARY))
    await ref.tell(Mood("poorly"))
    await settle()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert "'ok', 'degraded', 'failed'" in crash.reason.detail


async def test_watching_gives_the_roster_now_and_after_each_change_but_not_too_often(
    actor_system: TestSystem,
) -> None:
    ref = await actor_system.start_child(worker("a", restart=Restart.TEMPORARY))
    seen: list[tuple[float, list[str]]] = []

    async def watch() -> None:
        async for roster in actor_system.watch_roster(min_interval=1.0):
            seen.append((anyio.current_time() - began, [each.state for each in roster.entries[1:]]))
            if len(seen) == 3:
                return

    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await settle()
        for number in range(5):
            await actor_system.start_child(worker(f"b{number}"))
        await settle(10.0)
        assert len(seen) == 2
        await ref.stop()
    assert [at for at, _ in seen[:2]] == pytest.approx([0.0, 1.0])
    assert [states for _, states in seen] == [
        ["running"], ["running"] * 6, ["running"] * 5 + ["stopped"],
    ]  # fmt: skip


async def test_a_watch_ends_with_its_system() -> None:
    count = 0
    async with TestSystem() as system:
        watch = system.watch_roster()
    async for _ in watch:
        count += 1
    assert count <= 1


class Wait(Request[str]):
    """Wait for `other` in this way."""

    other: ActorRef
    how: str = "ask"


class Knot(Actor):
    """Waits for another, with a mailbox of one place."""

    @handles
    async def wait(self, message: Wait) -> str:
        try:
            if message.how == "tell":
                for _ in range(3):
                    await message.other.tell(Note(), timeout=30.0)
            else:
                await message.other.ask(Number(), timeout=30.0)
        except DeadlockError as error:
            return " ".join(error.chain)
        return ""

    @handles
    async def note(self, message: Note) -> None:
        await anyio.sleep_forever()

    @handles
    def number(self, message: Number) -> int:
        return 0


async def test_actors_that_wait_for_room_in_each_others_mailboxes_are_shown_as_a_deadlock(
    actor_system: TestSystem,
) -> None:
    """hazard: bounded tell cycles deadlock too."""
    a, b, c = [await actor_system.start_child(ChildSpec(n, Knot, mailbox=Mailbox(1))) for n in "abc"]
    await a.tell(Wait(b, "tell"))
    await b.tell(Wait(c, "tell"))
    await c.tell(Wait(a, "tell"))
    await settle(1.0)
    roster = actor_system.roster()
    assert [sorted(cycle) for cycle in roster.deadlocks] == [["/test/a", "/test/b", "/test/c"]]
    assert entry(actor_system, "/test/a").waiting_on == "tell /test/b"
    await settle(60.0)
    assert actor_system.roster().deadlocks == ()


async def test_a_long_chain_that_ends_is_no_deadlock(actor_system: TestSystem) -> None:
    a, b = [await actor_system.start_child(ChildSpec(n, Knot)) for n in "ab"]
    busy = await actor_system.start_child(worker("busy"))
    await busy.tell(Work(10.0))
    await a.tell(Wait(b))
    await b.tell(Wait(busy))
    await settle(1.0)
    assert actor_system.roster().deadlocks == ()


def test_the_loops_lag_is_measured_on_a_real_clock() -> None:
    async def main() -> float:
        async with ActorSystem("real") as system:
            runtime = system._opened()
            runtime.lag._measure(runtime.loop.time() - 0.125)  # the timer of a loop that was late by so much
            return system.roster().loop_lag_s

    assert asyncio.run(main()) == pytest.approx(0.125, abs=0.05)


def test_the_lag_meter_lets_a_virtual_clock_rest() -> None:
    async def main() -> float:
        async with ActorSystem("virtual") as system:
            await anyio.sleep(80_000)
            return system.roster().loop_lag_s

    began = time.process_time()
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        assert runner.run(main()) == 0.0
    assert time.process_time() - began < 1.0


async def test_ten_thousand_actors_are_read_fast(actor_system: TestSystem) -> None:
    refs = [await actor_system.start_child(worker(str(number))) for number in range(10_000)]
    times = []
    for _ in range(5):
        for ref in refs[::100]:
            await ref.tell(Note())
        await settle()
        began = time.process_time()
        roster = actor_system.roster()
        times.append(time.process_time() - began)
        assert len(roster.entries) == 10_001
    assert min(times) < 0.1
