"""Events of the host's own, on the bus of the runtime."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from actors import Actor, ActorStarted, ActorSystem, ChildSpec, Event, Subscription, handles
from actors.testing import TestSystem
from tests.actors.kit import Note


class Late(Event, frozen=True, kw_only=True):
    """A tick came late."""

    seconds: float


class VeryLate(Late, frozen=True, kw_only=True):
    """A tick came very late, by a feed of this kind."""

    kind: str = ""


class Feed(Actor):
    @handles
    def note(self, message: Note) -> None:
        self.context.system.publish(Late, self.context.ref.path, seconds=3.0)


def read(events: Subscription[Any]) -> list[Any]:
    """All that is there to be read."""
    return list(iter(events.get_nowait, None))


async def test_an_event_of_ones_own_reaches_those_who_want_its_class_a_base_of_it_or_all(system: TestSystem) -> None:
    late, very, base, other, everything = [
        system.events.subscribe(*kinds) for kinds in ((Late,), (VeryLate,), (Event,), (ActorStarted,), ())
    ]
    system.publish(VeryLate, "/test/feed", seconds=9.0, kind="slow")
    ((event,), *same) = [read(each) for each in (late, very, base, everything)]
    assert (type(event), event.path, event.seconds, event.kind) == (VeryLate, "/test/feed", 9.0, "slow")
    assert event.at.tzinfo is UTC
    assert same == [[event]] * 3
    assert read(other) == []
    system.publish(Late, "anything", seconds=1.0)
    assert read(very) == []


async def test_an_actor_publishes_by_its_context(system: TestSystem) -> None:
    ref = await system.start_child(ChildSpec("feed", Feed))
    await ref.tell(Note())
    await ref.drain()
    assert [(event.path, event.seconds) for event in system.recorded(Late)] == [("/test/feed", 3.0)]


async def test_an_event_that_nobody_wants_is_not_built() -> None:
    async with ActorSystem("test") as system:
        system.publish(Late, "/test", wrong="field")
        with system.events.subscribe(Late), pytest.raises(TypeError, match=r"wrong"):
            system.publish(Late, "/test", wrong="field")
        assert system.events.published == 0
