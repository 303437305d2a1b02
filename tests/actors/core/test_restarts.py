"""The restart rules by themselves: no task, no clock."""

from __future__ import annotations

import itertools
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import AutoShutdown, Backoff, Intensity, Restart, StopReason, Strategy
from actors._core.restarts import Delay, comes_back, ends_supervisor, group, next_delay, within_budget

KINDS = ("normal", "shutdown", "killed", "crash", "parent_died", "intensity", "timeout", "stalled")
ABNORMAL = {"killed", "crash", "intensity", "timeout", "stalled"}


@pytest.mark.parametrize(("restart", "kind"), list(itertools.product(Restart, KINDS)))
def test_who_comes_back(restart: Restart, kind: str) -> None:
    expected = {Restart.PERMANENT: True, Restart.TRANSIENT: kind in ABNORMAL, Restart.TEMPORARY: False}
    assert comes_back(restart, StopReason(kind)) is expected[restart]  # type: ignore[arg-type]


def test_with_whom_in_start_order() -> None:
    children = [1, 2, 3, 4]
    assert group(Strategy.ONE_FOR_ONE, children, 2) == []
    assert group(Strategy.ONE_FOR_ALL, children, 2) == [1, 3, 4]
    assert group(Strategy.REST_FOR_ONE, children, 2) == [3, 4]
    assert group(Strategy.REST_FOR_ONE, children, 4) == []
    assert group(Strategy.REST_FOR_ONE, children, 1) == group(Strategy.ONE_FOR_ALL, children, 1)


def test_without_a_backoff_a_restart_comes_at_once_and_counts_nothing() -> None:
    assert next_delay(None, 7, 0.0, 0.5) == Delay(0.0, 7)


def test_delays_grow_to_their_maximum() -> None:
    backoff, attempts, delays = Backoff(initial=3.0, maximum=30.0, jitter=0.0), 0, []
    for _ in range(6):
        seconds, attempts = next_delay(backoff, attempts, None, 0.0)
        delays.append(seconds)
    assert (delays, attempts) == ([3.0, 6.0, 12.0, 24.0, 30.0, 30.0], 6)


@given(chance=st.floats(0.0, 1.0, exclude_max=True), attempts=st.integers(0, 2000))
def test_jitter_only_adds_and_by_at_most_its_factor(chance: float, attempts: int) -> None:
    backoff = Backoff(initial=1.0, maximum=8.0, jitter=0.25)
    seconds, _ = next_delay(backoff, attempts, None, chance)
    bare = min(8.0, 2.0 ** min(attempts, 10))
    assert seconds is not None
    assert bare <= seconds < bare * 1.25 + 1e-9


@pytest.mark.parametrize(("healthy", "attempts"), [(None, 5), (9.9, 5), (10.0, 1), (100.0, 1)])
def test_a_life_that_was_healthy_for_long_enough_forgets_the_attempts_before(
    healthy: float | None, attempts: int
) -> None:
    backoff = Backoff(initial=1.0, maximum=8.0, jitter=0.0, reset_after=10.0)
    assert next_delay(backoff, 4, healthy, 0.0).attempts == attempts


def test_no_restart_after_the_last_attempt_but_one_after_a_healthy_life() -> None:
    backoff = Backoff(initial=1.0, maximum=1.0, jitter=0.0, reset_after=10.0, max_restarts=2)
    assert next_delay(backoff, 1, 0.0, 0.0) == Delay(1.0, 2)
    assert next_delay(backoff, 2, 0.0, 0.0) == Delay(None, 2)
    assert next_delay(backoff, 2, 11.0, 0.0) == Delay(1.0, 1)


def counted(intensity: Intensity, *times: float) -> list[bool]:
    window: deque[tuple[float, str]] = deque()
    return [within_budget(window, intensity, at, "a") for at in times]


def test_so_many_restarts_are_within_the_budget_and_one_more_is_not() -> None:
    assert counted(Intensity(2, 5.0), 0.0, 1.0, 2.0) == [True, True, False]
    assert counted(Intensity(0, 5.0), 0.0) == [False]


def test_a_restart_at_the_very_edge_of_the_window_still_counts() -> None:
    """As OTP counts: a restart exactly `within` seconds ago lies in the period."""
    assert counted(Intensity(1, 5.0), 0.0, 5.0) == [True, False]
    assert counted(Intensity(1, 5.0), 0.0, 5.0000001) == [True, True]


@given(st.lists(st.floats(0.0, 100.0), max_size=30).map(sorted), st.integers(0, 5))
def test_the_window_slides_and_holds_no_more_than_counts(times: list[float], restarts: int) -> None:
    window: deque[tuple[float, str]] = deque()
    for number, now in enumerate(times):
        fine = within_budget(window, Intensity(restarts, 10.0), now, "a")
        inside = sum(1 for at in times[: number + 1] if at >= now - 10.0)
        assert len(window) == inside
        assert fine == (inside <= restarts)


def test_which_ends_of_significant_children_end_their_supervisor() -> None:
    assert ends_supervisor(AutoShutdown.ANY_SIGNIFICANT, significant_left=True)
    assert ends_supervisor(AutoShutdown.ANY_SIGNIFICANT, significant_left=False)
    assert not ends_supervisor(AutoShutdown.ALL_SIGNIFICANT, significant_left=True)
    assert ends_supervisor(AutoShutdown.ALL_SIGNIFICANT, significant_left=False)
