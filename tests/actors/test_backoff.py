"""Backoff: when a restart happens, what the waiting child answers, and what becomes of its messages."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from actors import (
    ActorRef,
    ActorRestarted,
    ActorRestarting,
    ActorStarted,
    AlreadyPresent,
    Backoff,
    ChildRestarting,
    ChildSpec,
    DeadLetter,
    Intensity,
    Mailbox,
    MailboxFull,
    Message,
    Overflow,
    StartError,
    Strategy,
    SupervisorRef,
    SupervisorSpec,
    Terminated,
    handles,
)
from actors.testing import Probe, TestSystem
from tests.actors.kit import Boom, Crash, Journal, Note, Quit, Worker, fails, numbers, settle, states, takes, worker

PLENTY = Intensity(1000, 1.0)
PLAIN = Backoff(initial=10.0, maximum=10.0, jitter=0.0)


async def start(system: TestSystem, *children: ChildSpec) -> tuple[SupervisorRef, ActorRef]:
    """A supervisor of these children with a budget that never runs out, and the first one's ref."""
    sup = await system.start_child(SupervisorSpec("sup", intensity=PLENTY))
    refs = [await sup.start_child(child) for child in children]
    return sup, refs[0]


async def test_delays_double_up_to_the_maximum(actor_system: TestSystem) -> None:
    """44."""
    backoff = Backoff(initial=3.0, maximum=30.0, jitter=0.0, reset_after=60.0)
    _, ref = await start(actor_system, worker("a", after=fails(*range(1, 7)), backoff=backoff))
    await settle(200.0)
    assert [event.delay for event in actor_system.recorded(ActorRestarting)] == [3, 6, 12, 24, 30, 30]
    begun = [event.at for event in actor_system.recorded(ActorStarted) if event.path == ref.path]
    assert [(b - a).total_seconds() for a, b in pairwise(begun)] == pytest.approx([3, 6, 12, 24, 30, 30])


async def test_jitter_adds_up_to_its_factor_and_a_seed_makes_it_exact() -> None:
    """44."""
    backoff = Backoff(initial=2.0, maximum=2.0, jitter=0.5, reset_after=60.0)
    async with TestSystem(seed=7) as system:
        await start(system, worker("a", after=fails(1, 2, 3), backoff=backoff))
        await settle(30.0)
        delays = [event.delay for event in system.recorded(ActorRestarting)]
    dice = random.Random(7)
    assert delays == [2.0 * (1.0 + 0.5 * dice.random()) for _ in range(3)]
    assert all(2.0 <= delay <= 3.0 for delay in delays)


def test_a_delay_never_overflows_however_many_attempts() -> None:
    """44."""
    assert Backoff(jitter=0.0).delay(10_000, 0.0) == 30.0


@pytest.mark.parametrize(("reset_after", "healthy", "second"), [(None, 16.6, 3.0), (None, 16.4, 6.0), (5.0, 5.1, 3.0)])
async def test_the_counter_resets_after_a_crash_free_reset_after(
    actor_system: TestSystem, reset_after: float | None, healthy: float, second: float
) -> None:
    """45."""
    backoff = Backoff(initial=3.0, maximum=30.0, jitter=0.0, reset_after=reset_after)
    _, ref = await start(actor_system, worker("a", backoff=backoff))
    await ref.tell(Crash())
    await settle(3.0 + healthy)
    await ref.tell(Crash())
    await settle()
    assert [event.delay for event in actor_system.recorded(ActorRestarting)] == [3.0, second]


async def test_once_max_restarts_is_exceeded_the_child_stops_and_watchers_get_the_original_cause(
    actor_system: TestSystem, probe: Probe
) -> None:
    """46."""
    backoff = Backoff(initial=1.0, jitter=0.0, max_restarts=2)
    sup, ref = await start(actor_system, worker("a", after=fails(), backoff=backoff), worker("b"))
    probe.watch(ref)
    terminated = await probe.expect(Terminated, timeout=10.0)
    assert (terminated.path, terminated.incarnation, terminated.reason.kind) == (ref.path, 3, "crash")
    assert isinstance(terminated.reason.error, Boom)
    assert await states(sup) == {"a": "failed", "b": "running"}


async def test_a_restart_that_fails_for_the_last_time_stops_the_child(actor_system: TestSystem, probe: Probe) -> None:
    """46."""
    backoff = Backoff(initial=1.0, jitter=0.0, max_restarts=3)
    sup, ref = await start(actor_system, worker("a", start=fails(2, 3, 4), backoff=backoff))
    probe.watch(ref)
    await ref.tell(Crash())
    assert isinstance((await probe.expect(Terminated, timeout=60.0)).reason.error, Boom)
    assert (await states(sup), ref.incarnation) == ({"a": "failed"}, 4)


async def test_during_backoff_the_supervisor_answers_which_children_and_obeys_stop_at_once(
    actor_system: TestSystem,
) -> None:
    """47."""
    sup, ref = await start(actor_system, worker("a", backoff=PLAIN), worker("b"))
    await ref.tell(Crash())
    await settle()
    assert await states(sup) == {"a": "restarting", "b": "running"}
    began = actor_system.clock.time()
    await sup.stop()
    assert (actor_system.clock.time() - began, sup.is_alive) == (0.0, False)
    await settle(20.0)
    assert ref.incarnation == 1


async def test_terminate_child_in_backoff_cancels_the_retry(actor_system: TestSystem) -> None:
    """48."""
    sup, ref = await start(actor_system, worker("a", backoff=PLAIN))
    await ref.tell(Crash())
    await settle()
    await sup.terminate_child("a")
    await settle(20.0)
    assert (await states(sup), ref.incarnation) == ({"a": "stopped"}, 1)
    await sup.restart_child("a")
    await settle(20.0)
    assert await numbers(sup) == {"a": 2}


async def test_in_backoff_start_says_already_present_restart_and_delete_say_restarting(
    actor_system: TestSystem,
) -> None:
    """49."""
    sup, ref = await start(actor_system, worker("a", backoff=PLAIN))
    await ref.tell(Crash())
    await settle()
    with pytest.raises(AlreadyPresent):
        await sup.start_child(worker("a"))
    with pytest.raises(ChildRestarting):
        await sup.restart_child("a")
    with pytest.raises(ChildRestarting):
        await sup.delete_child("a")


async def crashed_with_mail(
    system: TestSystem, overflow: Overflow, start_plan: object = None
) -> tuple[Journal, ActorRef]:
    """A child in backoff with a mailbox of three, to which five notes were sent."""
    journal = Journal()
    spec = worker("a", journal, start=start_plan, backoff=PLAIN, mailbox=Mailbox(3, overflow))  # type: ignore[arg-type]
    _, ref = await start(system, spec)
    await ref.tell(Crash())
    await settle()
    for number in range(5):
        try:
            ref.tell_nowait(Note(str(number)))
        except MailboxFull:
            journal.add("full", str(number))
    return journal, ref


@pytest.mark.parametrize(
    ("overflow", "kept", "lost"),
    [(Overflow.DROP_NEWEST, ["0", "1", "2"], ["3", "4"]), (Overflow.DROP_OLDEST, ["2", "3", "4"], ["0", "1"])],
)
async def test_messages_in_backoff_are_kept_up_to_the_capacity_and_the_excess_is_dead_lettered_with_a_reason(
    actor_system: TestSystem, overflow: Overflow, kept: list[str], lost: list[str]
) -> None:
    """50."""
    journal, _ = await crashed_with_mail(actor_system, overflow)
    letters = [event for event in actor_system.recorded(DeadLetter) if isinstance(event.message, Note)]
    assert [event.message.text for event in letters] == lost
    assert all("mailbox full" in event.reason for event in letters)
    await settle(11.0)
    assert journal.events[3:] == [f"note a#2 {text}" for text in kept]


@pytest.mark.parametrize("overflow", [Overflow.WAIT, Overflow.REJECT])
async def test_a_full_mailbox_in_backoff_refuses_where_its_policy_is_not_to_drop(
    actor_system: TestSystem, overflow: Overflow
) -> None:
    """50."""
    journal, ref = await crashed_with_mail(actor_system, overflow)
    assert journal.events[2:] == ["full 3", "full 4"]
    with pytest.raises(MailboxFull) as caught:
        await ref.tell(Note("late"), timeout=2.0)
    assert caught.value.elapsed == pytest.approx(2.0 if overflow is Overflow.WAIT else 0.0)
    await settle(11.0)
    assert journal.events[5:] == [f"note a#2 {text}" for text in "012"]


async def test_a_tell_that_waits_for_room_in_backoff_is_delivered_after_the_restart(actor_system: TestSystem) -> None:
    """50."""
    journal, ref = await crashed_with_mail(actor_system, Overflow.WAIT)
    await ref.tell(Note("patient"), timeout=60.0)
    await settle()
    assert journal.events[-1] == "note a#2 patient"


async def test_messages_are_still_kept_where_the_restart_fails_again(actor_system: TestSystem) -> None:
    """51."""
    journal, _ = await crashed_with_mail(actor_system, Overflow.WAIT, fails(2, 3))
    await settle(60.0)
    assert journal.events[-3:] == [f"note a#4 {text}" for text in "012"]
    assert [each for each in actor_system.recorded(DeadLetter) if isinstance(each.message, Note)] == []


class Start(Message):
    """Starts timers."""


class _Timed(Worker):
    @handles
    def begin(self, message: Start) -> None:
        self.context.send_after(1.0, Note("queued"))
        self.context.send_after(5.0, Note("later"))
        self.context.send_every(2.0, Note("tick"))


async def test_old_timers_are_cancelled_and_their_queued_messages_do_not_reach_the_new_incarnation(
    actor_system: TestSystem,
) -> None:
    """52."""
    journal = Journal()
    spec = ChildSpec("a", _Timed, args=(journal,), kwargs={"stop": takes(3.0)})
    _, ref = await start(actor_system, spec)
    await ref.tell(Start())
    await settle()
    await ref.tell(Crash())
    await settle(30.0)
    assert journal.events == ["start a#1", "stop a#1", "start a#2"]
    assert ref.incarnation == 2


async def test_a_tick_already_queued_when_its_incarnation_crashes_is_not_delivered_to_the_new_one(
    actor_system: TestSystem,
) -> None:
    """52."""
    journal = Journal()

    class Busy(_Timed):
        @handles
        async def hold(self, message: Quit) -> None:
            self.begin(Start())
            await settle(1.5)  # the first timer's message is queued behind this one
            raise Boom

    _, ref = await start(actor_system, ChildSpec("a", Busy, args=(journal,)))
    await ref.tell(Quit())
    await ref.tell(Note("plain"))
    await settle(30.0)
    assert journal.events == ["start a#1", "stop a#1", "start a#2", "note a#2 plain"]


async def test_a_failure_of_the_first_start_is_not_retried_whatever_the_backoff(actor_system: TestSystem) -> None:
    """53."""
    journal = Journal()
    with pytest.raises(StartError):
        await actor_system.start_child(worker("a", journal, start=fails(), backoff=Backoff()))
    await settle(100.0)
    assert journal.events == ["init a#1"]
    assert await actor_system.which_children() == ()
    assert actor_system.recorded(ActorRestarted) == []


async def group(
    system: TestSystem, strategy: Strategy, *children: ChildSpec
) -> tuple[SupervisorRef, dict[str, ActorRef]]:
    """A supervisor with this strategy, and its children's refs by id."""
    sup = await system.start_child(SupervisorSpec("sup", children=children, strategy=strategy, intensity=PLENTY))
    return sup, {child.id: child.ref for child in await sup.which_children() if child.ref is not None}


async def test_once_a_child_of_a_waiting_group_has_given_up_the_rest_of_the_group_comes_up(
    actor_system: TestSystem,
) -> None:
    """46."""
    hopeless = worker("b", start=fails(2, 3), backoff=Backoff(initial=1.0, jitter=0.0, max_restarts=1))
    sup, refs = await group(actor_system, Strategy.REST_FOR_ONE, worker("a"), hopeless, worker("c"))
    await refs["a"].tell(Crash())
    await settle()
    assert await states(sup) == {"a": "running", "b": "restarting", "c": "stopped"}
    await settle(2.0)
    assert await numbers(sup) == {"a": 2, "b": None, "c": 2}


async def test_the_one_that_was_waited_for_comes_up_too_where_an_earlier_one_gives_up(
    actor_system: TestSystem,
) -> None:
    """46."""
    hopeless = worker("a", start=fails(2), backoff=Backoff(max_restarts=0))
    sup, refs = await group(actor_system, Strategy.ONE_FOR_ALL, hopeless, worker("b", backoff=PLAIN), worker("c"))
    await refs["b"].tell(Crash())
    await settle(11.0)
    assert await numbers(sup) == {"a": None, "b": 2, "c": 2}


async def test_a_child_that_crashes_while_an_earlier_one_waits_comes_up_after_that_one(
    actor_system: TestSystem,
) -> None:
    """47."""
    journal = Journal()
    children = (worker("a", journal, backoff=PLAIN), worker("b", journal), worker("c", journal))
    sup, refs = await group(actor_system, Strategy.REST_FOR_ONE, *children)
    await refs["c"].stop()
    await refs["a"].tell(Crash())
    await settle()
    await sup.restart_child("c")
    journal.take()
    await refs["c"].tell(Crash())
    await settle(1.0)
    assert journal.take() == ["stop c#2"]
    await settle(10.0)
    assert journal.take() == ["start a#2", "start b#2", "start c#3"]


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_terminating_one_of_a_waiting_group_does_not_shorten_the_wait_of_the_others(
    actor_system: TestSystem, strategy: Strategy
) -> None:
    """48."""
    sup, refs = await group(actor_system, strategy, worker("a", backoff=PLAIN), worker("b"), worker("c"))
    await refs["a"].tell(Crash())
    await settle()
    await sup.terminate_child("b")
    await settle(9.0)
    assert await numbers(sup) == {"a": None, "b": None, "c": None}
    await settle(1.0)
    assert await numbers(sup) == {"a": 2, "b": None, "c": 2}


async def test_terminating_the_one_that_a_group_waits_for_lets_the_others_come_up_at_once(
    actor_system: TestSystem,
) -> None:
    """48."""
    sup, refs = await group(actor_system, Strategy.REST_FOR_ONE, worker("a", backoff=PLAIN), worker("b"))
    await refs["a"].tell(Crash())
    await settle()
    await sup.terminate_child("a")
    await settle()
    assert await numbers(sup) == {"a": None, "b": 2}
