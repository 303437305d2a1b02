"""What all symbols depend on: what the gate makes of an outbox that goes back, and of a switch nobody can look at."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors.roster import HEALTHY, Health
from backbone import load_settings
from backbone.calls import Calls
from backbone.operations.gate.surroundings import Surroundings
from backbone.store.records import OutboxStatus
from backbone.stream.last import Newest
from backbone.stream.records import Place

NOW = datetime(2026, 1, 5, tzinfo=UTC)


class Around:
    """Parts that are all well, an outbox that is published up to a cursor, and what came by up to a place."""

    def __init__(self, **settings: object) -> None:
        self.cursor = 0
        self.seconds = 0.0
        self.newest = Newest()
        chosen = load_settings(profile="embedded", overrides=settings)
        calls = cast("Calls", SimpleNamespace(ref=self._part))
        self._looks = Surroundings(chosen, calls, self.newest, lambda: self.seconds, lambda: NOW)
        self.dead = ""
        self.says: dict[str, Health] = {}

    def _part(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(is_alive=name != self.dead, health=self.says.get(name, HEALTHY), ask=self.ask)

    async def ask(self, *_: Any) -> OutboxStatus:
        return OutboxStatus(newest=self.cursor, cursor=self.cursor, pending=0, oldest_pending_at=None)

    async def kinds(self, cursor: int, place: int, after: float = 0.0) -> list[str]:
        """What speaks against trading, where it is so after some seconds."""
        self.seconds += after
        self.cursor, self.newest.place = cursor, Place(place)
        return [each.kind for each in await self._looks.look()]


async def test_what_was_published_is_to_come_by_within_the_lag() -> None:
    around = Around()
    assert await around.kinds(7, 6) == []
    assert await around.kinds(7, 6, after=6) == ["lag"]
    assert await around.kinds(7, 7) == []


async def test_what_was_awaited_of_a_database_that_was_set_back_is_awaited_no_more() -> None:
    around = Around()
    assert await around.kinds(900, 899) == []
    assert await around.kinds(3, 3, after=60) == []
    assert await around.kinds(4, 4, after=60) == []


async def test_a_stream_that_is_followed_no_more_blocks_until_it_is_again() -> None:
    around = Around()
    around.says["stream/last"] = Health("degraded", "its subscription was lost")
    assert await around.kinds(0, 0) == ["stream"]
    around.says.clear()
    assert await around.kinds(0, 0) == []


@pytest.mark.parametrize(("part", "kind"), [("store", "store"), ("stream/relay", "stream"), ("stream/last", "stream")])
async def test_a_part_that_is_being_restarted_blocks(part: str, kind: str) -> None:
    around = Around()
    around.dead = part
    assert await around.kinds(0, 0) == [kind]


async def test_a_switch_that_can_not_be_looked_at_blocks(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    around = Around(kill_switch=str(switch))
    assert await around.kinds(0, 0) == []
    switch.symlink_to(switch)  # round in a circle
    assert await around.kinds(0, 0) == ["kill_switch"]
