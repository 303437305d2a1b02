"""An actor that watches others: it hears of the end of each, not of its restarts."""

import asyncio

from actors import Actor, ActorRef, ActorSystem, ChildSpec, Message, Restart, Terminated, handles


class Order(Message):
    size: int


class Session(Actor):
    @handles
    def order(self, message: Order) -> None:
        if message.size < 0:
            raise ValueError(f"size {message.size}")
        if message.size == 0:
            self.context.stop_self()


class Join(Message):
    session: ActorRef


class Desk(Actor):
    def __init__(self, alone: asyncio.Event) -> None:
        self.sessions: set[str] = set()
        self.alone = alone

    @handles
    def join(self, message: Join) -> None:
        self.sessions.add(message.session.path)
        self.context.watch(message.session)

    @handles
    def ended(self, message: Terminated) -> None:
        self.sessions.discard(message.path)
        print(message.path, "ended in life", message.incarnation, "-", message.reason)
        if len(self.sessions) == 1:
            print(*self.sessions, "is alone")
            self.alone.set()


async def main() -> None:
    async with ActorSystem("desk") as system:
        alone = asyncio.Event()
        desk = await system.start_child(ChildSpec("desk", Desk, args=(alone,)))
        for name in ("anna", "ben"):
            session = await system.start_child(ChildSpec(name, Session, restart=Restart.TRANSIENT))
            await desk.tell(Join(session))
        await session.tell(Order(-1))  # a crash: ben is restarted, and nobody is told
        await session.tell(Order(0))  # the next incarnation leaves normally: a transient one stays away
        await alone.wait()


if __name__ == "__main__":
    asyncio.run(main())
