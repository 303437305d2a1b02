"""A supervisor whose own task breaks by a fault of the runtime: nobody is left who would stop its children in order."""

from __future__ import annotations

from typing import cast

from actors import SupervisorSpec
from actors._core.inbox import Item
from actors._core.supervisor import Supervisor
from actors.testing import TestSystem
from tests.actors.kit import settle, worker


class Broken(BaseException):
    """No Exception, so that nothing in the supervisor takes it for a command's own failure."""


async def test_watchers_and_names_of_its_children_hear_of_the_end(actor_system: TestSystem) -> None:
    sup = await actor_system.start_child(SupervisorSpec("sup"))
    child = await sup.start_child(worker("a"))
    actor_system.registry.register("feed", child)

    async def fail() -> None:
        raise Broken

    cast("Supervisor", sup._cell.run)._post(Item(fail))
    reason = await child.stopped()
    await settle()
    assert reason.abnormal
    assert actor_system.registry.whereis("feed") is None
    assert (sup.incarnation, sup.is_alive) == (2, True)
