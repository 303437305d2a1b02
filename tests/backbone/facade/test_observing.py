"""Somebody watches what the parts do with their requests: the one hook for metrics and traces."""

from __future__ import annotations

import pytest

from actors.testing import TestSystem
from backbone import Backbone, StoreUnavailable, load_settings
from backbone.testing import Faults, with_store
from tests.backbone.facade.kit import BARS, bars

OVERRIDES = {"store.path": ":memory:", "store.inline": True, "control.enabled": False, "kill_switch": None}


class Seen:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[str]] = {}
        self.seconds: list[float] = []

    def __call__(self, what: str, seconds: float, outcome: str) -> None:
        self.outcomes.setdefault(what, []).append(outcome)
        self.seconds.append(seconds)


async def test_each_resource_actor_tells_of_its_requests() -> None:
    seen = Seen()
    settings = load_settings(profile="embedded", overrides=OVERRIDES)
    async with TestSystem() as system, Backbone.open(settings, system=system, observe=seen) as backbone:
        async with backbone.subscribe(BARS) as updates:
            await backbone.record(bars(3))
            await anext(updates)
        await backbone.fetch(BARS)
        await backbone.fetch(BARS)
    assert seen.outcomes["RecordRows"] == ["ok"]
    assert seen.outcomes["WriteChunk"] == ["ok"]
    assert seen.outcomes["publish"] == ["ok"]
    assert "ok" in seen.outcomes["NextUpdates"]
    assert seen.outcomes["Fetch"] == ["miss", "hit"]
    assert min(seen.seconds) >= 0.0


async def test_a_refusal_is_told_with_its_code() -> None:
    seen, faults = Seen(), Faults()
    settings = load_settings(profile="embedded", overrides=OVERRIDES)

    class Down:
        def __init__(self, store: object) -> None:
            self._store = store

        def __getattr__(self, name: str) -> object:
            if name == "read":
                faults.meet_store()
            return getattr(self._store, name)

    parts = with_store(lambda make: Down(make()))  # type: ignore[arg-type, return-value]
    async with TestSystem() as system, Backbone.open(settings, system=system, observe=seen, parts=parts) as backbone:
        faults.store_down()
        with pytest.raises(StoreUnavailable):
            await backbone.fetch(BARS)
    assert "refused:unavailable" in seen.outcomes["ReadRows"]
    assert seen.outcomes["Fetch"] == ["refused:unavailable"]


def test_what_is_no_observer_is_refused_where_it_is_given() -> None:
    with pytest.raises(TypeError, match="observe=5 given"):
        Backbone.open(observe=5)  # type: ignore[arg-type]
