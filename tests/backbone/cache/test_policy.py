"""Strategies, and what settings may replace of them."""

from __future__ import annotations

import random

import pytest

from backbone.cache.policy import Limit, Policy


@pytest.mark.parametrize(
    ("strategy", "ttl", "capacity"),
    [("standard", 900.0, 1024), ("aggressive", 120.0, 512), ("extended", 43_200.0, 4096), ("bootstrap", 1800.0, 256)],
)
def test_a_strategy_gives_time_to_live_and_capacity(strategy: str, ttl: float, capacity: int) -> None:
    policy = Policy.of(strategy)
    assert (policy.ttl_s, policy.capacity, policy.strategy, policy.is_enabled) == (ttl, capacity, strategy, True)


def test_figures_given_replace_those_of_the_strategy() -> None:
    policy = Policy.of("aggressive", ttl=5, capacity=7, namespace="desk:cache")
    assert (policy.ttl_s, policy.capacity, policy.namespace) == (5, 7, "desk:cache")


@pytest.mark.parametrize("word", ["none", "off", "OFF", None])
def test_none_and_off_mean_no_limit(word: Limit) -> None:
    policy = Policy.of(ttl=word, capacity=word)
    assert (policy.ttl_s, policy.capacity, policy.lifetime(random.Random(1))) == (None, None, None)


def test_disabled_stays_disabled_whatever_figures_are_given() -> None:
    assert not Policy.of("disabled", ttl=900, capacity=1024).is_enabled


@pytest.mark.parametrize("figures", [{"ttl": 0}, {"capacity": 0}])
def test_no_time_or_no_room_caches_nothing(figures: dict[str, Limit]) -> None:
    assert not Policy.of(**figures).is_enabled  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strategy": "huge"}, "allowed: standard, aggressive"),
        ({"ttl": -1}, "ttl=-1"),
        ({"ttl": "soon"}, "ttl='soon'"),
        ({"ttl": True}, "ttl=True"),
        ({"ttl": float("nan")}, "ttl=nan"),
        ({"capacity": "many"}, "capacity='many'"),
        ({"ttl_jitter": 1.0}, "ttl_jitter"),
        ({"namespace": ""}, "namespace"),
        ({"namespace": "a b"}, "namespace"),
    ],
)
def test_what_is_no_policy_is_refused_by_name(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Policy.of(**wrong)  # type: ignore[arg-type]
