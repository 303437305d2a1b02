"""Children started, stopped, started again and forgotten while the system runs, and how a wrong step is refused."""

import asyncio
from collections.abc import Awaitable

from actors import Actor, ActorError, ActorSystem, ChildSpec, SupervisorRef, SupervisorSpec


class Session(Actor):
    def __init__(self, user: str) -> None:
        self.user = user

    async def on_start(self) -> None:
        if not self.user.isalpha():
            raise ValueError(f"no user {self.user!r}")


def session(user: str) -> ChildSpec:
    return ChildSpec(user, Session, args=(user,), start_timeout=5.0)


async def refused(step: Awaitable[object]) -> None:
    try:
        await step
    except ActorError as error:
        print(f"{type(error).__name__}: {error}")


async def show(sessions: SupervisorRef) -> None:
    count = await sessions.count_children()
    print([f"{child.id} {child.state}" for child in await sessions.which_children()], count.active, "active")


async def main() -> None:
    async with ActorSystem("desk") as system:
        sessions = await system.start_child(SupervisorSpec("sessions", max_children=2, parallel_shutdown=True))
        await sessions.start_child(session("anna"))
        await refused(sessions.start_child(session("anna")))
        await refused(sessions.start_child(session("42")))
        await sessions.start_child(session("ben"))
        await refused(sessions.start_child(session("cora")))
        await refused(sessions.delete_child("ben"))

        await sessions.terminate_child("ben")
        await show(sessions)
        await refused(sessions.start_child(session("ben")))
        await sessions.restart_child("ben")
        await sessions.terminate_child("ben")
        await sessions.delete_child("ben")
        await refused(sessions.restart_child("ben"))
        await show(sessions)


if __name__ == "__main__":
    asyncio.run(main())
