"""Three ways to end an actor: stop leaves the queue, drain handles it first, kill interrupts what is in hand."""

import asyncio

from actors import Actor, ActorRef, ActorSystem, ChildSpec, Message, Restart, StopReason, handles


class Write(Message):
    row: int


class Writer(Actor):
    def __init__(self) -> None:
        self.rows: list[int] = []

    @handles
    async def write(self, message: Write) -> None:
        await asyncio.sleep(0.001)
        self.rows.append(message.row)

    async def on_stop(self, reason: StopReason) -> None:
        print(f"  on_stop after {len(self.rows)} rows, {reason}")


async def busy(system: ActorSystem, name: str) -> ActorRef:
    """A writer that has one row in hand and four in its queue."""
    writer = await system.start_child(ChildSpec(name, Writer, restart=Restart.TEMPORARY))
    for row in range(5):
        await writer.tell(Write(row))
    await asyncio.sleep(0)
    return writer


async def main() -> None:
    async with ActorSystem("files") as system:
        for way in (ActorRef.stop, ActorRef.drain, ActorRef.kill):
            print(way.__name__)
            before = system.roster().dead_letters
            await way(await busy(system, way.__name__))
            print(f"  dead letters {system.roster().dead_letters - before}")


if __name__ == "__main__":
    asyncio.run(main())
