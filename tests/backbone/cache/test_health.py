"""What the counters of a cache say about it."""

from __future__ import annotations

import pytest

from backbone.cache.counters import Counters
from backbone.cache.health import CacheHealth, judge
from backbone.cache.policy import Policy
from backbone.cache.port import CacheMetrics
from backbone.domain.status import Status


def metrics(*, backend: str = "redis", strategy: str = "standard", **counters: int) -> CacheMetrics:
    return Counters(**counters).told(Policy.of(strategy), 0, backend)


@pytest.mark.parametrize(
    ("hits", "misses", "status"),
    [
        (0, 0, Status.DEGRADED),
        (1, 0, Status.OK),
        (0, 4, Status.OK),
        (0, 5, Status.DEGRADED),
        (1, 4, Status.OK),
        (2, 6, Status.OK),
        (2, 7, Status.DEGRADED),
        (0, 19, Status.DEGRADED),
        (0, 20, Status.FAILED),
        (2, 19, Status.DEGRADED),
        (3, 28, Status.FAILED),
        (10, 90, Status.DEGRADED),
        (0, 1000, Status.FAILED),
        (999, 1, Status.OK),
    ],
)
def test_traffic_and_its_hits_are_judged(hits: int, misses: int, status: Status) -> None:
    assert judge(metrics(hits=hits, misses=misses), expected=True).status is status


@pytest.mark.parametrize(
    ("backend", "strategy", "expected", "status", "reason"),
    [
        ("memory", "standard", True, Status.FAILED, "redis is required, but windows are kept in this process only"),
        ("memory", "standard", False, Status.DEGRADED, "windows are kept in this process only"),
        ("memory", "disabled", True, Status.FAILED, "redis is required, but nothing is cached"),
        ("redis", "disabled", False, Status.DEGRADED, "nothing is cached"),
    ],
)
def test_a_cache_that_is_not_redis_is_told(
    backend: str, strategy: str, expected: bool, status: Status, reason: str
) -> None:
    found = judge(metrics(backend=backend, strategy=strategy, hits=9), expected=expected)
    assert found == CacheHealth(status, (reason,))


def test_windows_that_made_room_for_others_are_told() -> None:
    found = judge(metrics(hits=9, evictions=1200), expected=True)
    assert found == CacheHealth(Status.DEGRADED, ("1,200 windows made room for others; raise cache.capacity",))


def test_all_reasons_are_told_and_the_worst_decides() -> None:
    found = judge(metrics(backend="memory", misses=1000, evictions=1), expected=False)
    assert found.status is Status.FAILED
    assert found.reasons == (
        "windows are kept in this process only",
        "hit rate 0%: 0 hits, 1,000 misses",
        "1 windows made room for others; raise cache.capacity",
    )


def test_a_cache_that_can_not_be_asked_is_degraded_whoever_expects_it() -> None:
    assert [judge(None, expected=expected).status for expected in (True, False)] == [Status.DEGRADED] * 2


def test_a_cache_that_does_its_work_is_ok_without_reasons() -> None:
    assert judge(metrics(hits=75, misses=25), expected=True) == CacheHealth(Status.OK)
