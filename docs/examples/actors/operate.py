"""An operator looks at one actor, holds it, starts it anew and gives its supervisor more patience, by path."""

import asyncio

from actors import Actor, ActorSystem, Children, ChildSpec, Intensity, Request, SupervisorSpec, handles


class Order(Request[str]):
    number: int


class Desk(Actor):
    children = Children(intensity=Intensity(restarts=20, within=60.0))  # of the children that a desk starts itself

    def __init__(self, password: str) -> None:
        self.connection = f"opened with {password}"

    @handles
    async def fill(self, order: Order) -> str:
        if order.number == 13:
            raise LookupError("no such order")
        return f"filled {order.number}"


async def main() -> None:
    spec = ChildSpec("desk", Desk, args=("secret",), metadata={"venue": "ecn-1"})
    async with ActorSystem("fills") as system:
        sup = await system.start_child(SupervisorSpec("sup", children=(spec,)))
        desk = system.find("sup/desk")
        await desk.tell(Order(13))
        print(await desk.ask(Order(14)))

        await system.suspend("sup/desk", why="the venue is down")
        await desk.tell(Order(15))
        told = system.describe("/fills/sup/desk")
        print(told.entry.state, told.entry.mailbox_depth, dict(told.spec))
        print(told.last_error)
        for each in told.happened:
            print(each.what, each.text)

        system.resume("sup/desk")
        print(await desk.ask(Order(16)))
        await system.restart("sup/desk")
        await sup.set_intensity(Intensity(restarts=10, within=60.0))
        entry = system.describe("sup/desk").entry
        print(f"life {entry.incarnation}, budget {entry.intensity}, from {(await sup.get_spec('desk')).metadata}")


if __name__ == "__main__":
    asyncio.run(main())
