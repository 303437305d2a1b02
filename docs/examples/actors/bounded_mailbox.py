"""What becomes of ten messages for an actor that is busy and has room for three, by each policy."""

import asyncio

from actors import Actor, ActorSystem, ChildSpec, Mailbox, MailboxFull, Message, Overflow, handles


class Tick(Message):
    number: int


class Slow(Actor):
    def __init__(self, gate: asyncio.Event, seen: list[int]) -> None:
        self.gate, self.seen = gate, seen

    @handles
    async def tick(self, message: Tick) -> None:
        await self.gate.wait()
        self.seen.append(message.number)


async def flood(system: ActorSystem, policy: Overflow) -> None:
    gate, seen = asyncio.Event(), list[int]()
    spec = ChildSpec(policy.value, Slow, args=(gate, seen), mailbox=Mailbox(capacity=3, overflow=policy))
    slow = await system.start_child(spec)
    await slow.tell(Tick(0))
    await asyncio.sleep(0)  # it takes the first in hand
    refused = 0
    for number in range(1, 10):
        try:
            await slow.tell(Tick(number), timeout=0.001)
        except MailboxFull:
            refused += 1
    entry = system.roster().find(slow.path)
    gate.set()
    await slow.drain()
    print(f"{policy.value:12} handled {seen}, dropped {entry.dropped if entry else 0}, refused {refused}")


async def main() -> None:
    async with ActorSystem("quotes") as system:
        for policy in Overflow:
            await flood(system, policy)
        print("dead letters", system.roster().dead_letters)


if __name__ == "__main__":
    asyncio.run(main())
