"""A tree of workers: who is restarted with whom, and who is left alone."""

import asyncio

from actors import Actor, ActorRestarted, ActorSystem, ChildSpec, Intensity, Message, Strategy, SupervisorSpec, handles


class Tick(Message):
    price: float


class Part(Actor):
    def __init__(self, name: str) -> None:
        self.name = name

    async def on_start(self) -> None:
        print("start", self.name)

    @handles
    def tick(self, message: Tick) -> None:
        print(self.name, "sees", 1 / message.price)


def part(name: str) -> ChildSpec:
    return ChildSpec(name, Part, args=(name,), metadata={"team": "fx"})


TREE = SupervisorSpec(
    "fx",
    [part("feed"), part("book"), part("strategy"), SupervisorSpec("reports", [part("daily")])],
    strategy=Strategy.REST_FOR_ONE,  # who falls takes down what was started after it, and was built on it
    intensity=Intensity(restarts=3, within=5.0),
)


async def main() -> None:
    async with ActorSystem("trading") as system:
        await system.start_child(TREE)
        book = system.find("/trading/fx/book")
        with system.events.subscribe(ActorRestarted) as restarted:
            await book.tell(Tick(2.0))
            await book.tell(Tick(0.0))  # crashes the book
            while (await anext(restarted)).path != "/trading/fx/reports":
                pass
        for entry in system.roster().entries:
            print(f"{entry.path:26}{entry.kind:12}life {entry.incarnation}")


if __name__ == "__main__":
    asyncio.run(main())
