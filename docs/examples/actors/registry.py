"""A feed that is found by its name, and readers that come and go in a group, wherever they stand in the tree."""

import asyncio

from actors import Actor, ActorSystem, ChildSpec, Mailbox, MailboxFull, Message, NameTaken, handles


class Tick(Message):
    price: float


class Feed(Actor):
    async def on_start(self) -> None:
        self.context.register("feed")

    @handles
    async def tick(self, message: Tick) -> None:
        told = await self.context.system.registry.tell_all("readers", message, timeout=0.1)
        print("told", told.delivered)
        for path, error in told.refused.items():
            assert isinstance(error, MailboxFull)
            print(path, "missed", error.message)


class Reader(Actor):
    def __init__(self, ready: asyncio.Event) -> None:
        self.ready = ready

    async def on_start(self) -> None:
        self.context.join("readers")

    @handles
    async def tick(self, message: Tick) -> None:
        await self.ready.wait()


async def main() -> None:
    ready, busy = asyncio.Event(), asyncio.Event()
    ready.set()
    async with ActorSystem("quotes") as system:
        feed = await system.start_child(ChildSpec("feed", Feed))
        quick = await system.start_child(ChildSpec("quick", Reader, args=(ready,)))
        await system.start_child(ChildSpec("slow", Reader, args=(busy,), mailbox=Mailbox(capacity=1)))
        try:
            system.registry.register("feed", quick)
        except NameTaken as error:
            print(error)
        for price in (1.0, 2.0, 3.0):
            await system.registry.lookup("feed").tell(Tick(price))
        await feed.drain()
        await quick.stop()
        busy.set()
        print(system.registry.names(), [ref.path for ref in system.registry.members("readers")])


if __name__ == "__main__":
    asyncio.run(main())
