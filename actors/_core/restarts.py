"""Restart rules as pure functions of what is known: who comes back, with whom, when, and whether the budget allows it.

The semantics are OTP's `supervisor`, with Pekko's backoff; where OTP brings every child of a group back, a child that
was stopped by hand stays stopped here. Nothing in this file waits, starts or stops anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from actors.specs import AutoShutdown, Backoff, Intensity, Restart, Strategy
from actors.stop_reason import StopReason

C = TypeVar("C")


def comes_back(restart: Restart, reason: StopReason) -> bool:
    """Whether a child of this restart type is restarted after this end."""
    return restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and reason.abnormal)


def group(strategy: Strategy, children: Sequence[C], failed: C) -> list[C]:
    """The others that restart with `failed`, in start order; `children` are all, in start order."""
    if strategy is Strategy.ONE_FOR_ONE:
        return []
    if strategy is Strategy.REST_FOR_ONE:
        children = children[children.index(failed) + 1 :]
    return [each for each in children if each is not failed]


class Delay(NamedTuple):
    """Seconds until a restart, None where there is none; and how many attempts that makes."""

    seconds: float | None
    attempts: int


def next_delay(backoff: Backoff | None, attempts: int, healthy_for: float | None, chance: float) -> Delay:
    """The delay of the next restart.

    Args:
        backoff: of the child; None: at once, without a limit of its own.
        attempts: restarts since the child was healthy last.
        healthy_for: seconds that the life which ended had been running; None where it never ran.
        chance: in [0, 1), for the jitter.
    """
    if backoff is None:
        return Delay(0.0, attempts)
    if healthy_for is not None and healthy_for >= backoff.reset_seconds:
        attempts = 0
    if backoff.max_restarts is not None and attempts >= backoff.max_restarts:
        return Delay(None, attempts)
    return Delay(backoff.delay(attempts, chance), attempts + 1)


def within_budget(window: deque[tuple[float, C]], intensity: Intensity, now: float, child: C) -> bool:
    """Count a restart at `now` in the sliding `window`; False where that is one too many.

    A restart that lies exactly `within` seconds back still counts, as OTP counts it.
    """
    window.append((now, child))
    while window[0][0] < now - intensity.within:
        window.popleft()
    return len(window) <= intensity.restarts


def ends_supervisor(auto_shutdown: AutoShutdown, significant_left: bool) -> bool:
    """Whether the end of a significant child, which nobody restarts, ends its supervisor."""
    return auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not significant_left
