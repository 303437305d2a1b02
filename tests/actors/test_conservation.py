"""In any weather, every message told is handled, becomes a dead letter or is dropped by a named policy, exactly once.

`make test` runs the first seeds. A thousand of them, or another thousand:

    FUZZ_SEEDS=1000 .venv/bin/pytest -q -n 2 tests/actors/test_conservation.py
    FUZZ_FIRST=5000 FUZZ_SEEDS=1000 .venv/bin/pytest -q -n 2 tests/actors/test_conservation.py

A failure names its seed, here 137, and happens again by itself:

    FUZZ_FIRST=137 FUZZ_SEEDS=1 .venv/bin/pytest -q tests/actors/test_conservation.py
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple, Unpack

import pytest

from actors import (
    ActorCrashed,
    ActorError,
    ActorStarted,
    ActorStopped,
    DeadLetter,
    GroupJoined,
    GroupLeft,
    MailboxFull,
    NameLeft,
    NameRegistered,
    Overflow,
)
from actors.testing import VirtualLoop
from tests.actors.clerk import Boom, Parcel
from tests.actors.storm import Storm

Ts = TypeVarTuple("Ts")
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("FUZZ_SEEDS", "100")))


class TimedLoop(VirtualLoop):
    """Knows the timers that were started on it."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[asyncio.TimerHandle] = []

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        self.timers.append(timer)
        return timer

    def pending(self) -> list[asyncio.TimerHandle]:
        """Those that have neither fired nor been cancelled."""
        return [timer for timer in self.timers if not timer.cancelled() and timer.when() > self.time()]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_doubled_or_left(seed: int) -> None:
    storm = Storm(seed)
    with asyncio.Runner(loop_factory=TimedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, TimedLoop)
        runner.run(storm.blow())
        assert asyncio.all_tasks(loop) == set()
        assert loop.pending() == []
    every_message_has_one_fate(storm)
    only_the_policies_drop(storm)
    a_drain_leaves_nothing_over(storm)
    senders_are_heard_in_order(storm)
    every_ask_has_one_outcome(storm)
    every_life_has_one_end(storm)
    every_task_has_one_end(storm)
    nobody_keeps_a_name(storm)
    assert storm.ledger.terminated <= storm.ledger.watches, "told of an end more often than it watched"


def nobody_keeps_a_name(storm: Storm) -> None:
    registry = storm.system.registry
    assert (registry.names(), registry.groups()) == ((), ())
    gained = Counter((event.path, event.name) for event in storm.system.recorded(NameRegistered))
    assert gained == Counter((event.path, event.name) for event in storm.system.recorded(NameLeft))
    joined = Counter((event.path, event.group) for event in storm.system.recorded(GroupJoined))
    assert joined == Counter((event.path, event.group) for event in storm.system.recorded(GroupLeft))


def letters(storm: Storm) -> dict[int, list[str]]:
    """The reasons of the dead letters, by the messages' numbers."""
    found: dict[int, list[str]] = {}
    for event in storm.system.recorded(DeadLetter):
        if isinstance(event.message, Parcel):
            found.setdefault(event.message.number, []).append(event.reason)
    return found


def every_message_has_one_fate(storm: Storm) -> None:
    ledger, dead = storm.ledger, letters(storm)
    for number in ledger.told:
        fates = ["handled"] * ledger.done[number] + dead.get(number, [])
        assert len(fates) == 1, f"message {number} was told; its fates: {fates}"
    assert ledger.begun_again == [], "handled more than once"
    for number, error in ledger.refused.items():
        assert number not in ledger.begun, f"message {number} was refused by {error!r} and handled"
        assert number not in dead, f"message {number} was refused by {error!r} and a dead letter: {dead[number]}"
    for number in ledger.timed:
        assert ledger.done[number] + len(dead.get(number, [])) <= 1, f"timer's message {number}: {dead.get(number)}"


def only_the_policies_drop(storm: Storm) -> None:
    for event in storm.system.recorded(DeadLetter):
        policy = storm.policies.get(event.path.rpartition("/")[2])
        if event.reason.startswith("mailbox full"):
            assert policy in (Overflow.DROP_OLDEST, Overflow.DROP_NEWEST)
            assert event.reason == f"mailbox full: dropped the {policy.value.removeprefix('drop_')}"


def a_drain_leaves_nothing_over(storm: Storm) -> None:
    drained: dict[str, bool] = {}
    for event in storm.system.recorded(ActorStarted, ActorStopped, ActorCrashed, DeadLetter):
        if not isinstance(event, DeadLetter):
            drained[event.path] = isinstance(event, ActorStopped) and event.reason.detail == "drained"
        elif event.reason.startswith("actor ended (shutdown"):  # not of a later start that failed
            assert not drained.get(event.path), f"{event.path} was drained, and left {event.message}"


def senders_are_heard_in_order(storm: Storm) -> None:
    for path, left in storm.ledger.left.items():
        last: dict[str, int] = {}
        for sender, number in left:
            assert number > last.get(sender, 0), f"{path} took {number} of {sender} after {last[sender]}"
            last[sender] = number


def every_ask_has_one_outcome(storm: Storm) -> None:
    begun = storm.ledger.begun
    assert storm.ledger.late == []
    for number, outcomes in storm.ledger.asked.items():
        assert len(outcomes) == 1, f"ask {number} has the outcomes {outcomes}"
        (outcome,) = outcomes
        if isinstance(outcome, int):
            assert outcome == number
            assert number in begun
        else:
            assert isinstance(outcome, ActorError | Boom | asyncio.CancelledError)
            assert not (isinstance(outcome, MailboxFull) and number in begun)


def every_life_has_one_end(storm: Storm) -> None:
    def lives(*kinds: type) -> Counter[tuple[str, int]]:
        events = storm.system.recorded(*kinds)
        return Counter((event.path, event.incarnation) for event in events if event.path != "/test")

    assert lives(ActorStarted) == lives(ActorCrashed, ActorStopped)


def every_task_has_one_end(storm: Storm) -> None:
    ledger = storm.ledger
    assert [each for each in ledger.tasks.values() if each != ["begun", "ended"]] == []
    assert [each for each in ledger.awaited.values() if len(each) != 1] == []
    assert [each for counts in ledger.mapped.values() for each in counts.values() if each != 1] == []
