"""Events: those of the runtime, and one of your own, read from one bounded subscription."""

import asyncio

from actors import Actor, ActorCrashed, ActorSystem, ChildSpec, DeadLetter, Event, Message, handles


class LateTick(Event, frozen=True, kw_only=True):
    """A tick came late."""

    seconds: float


class Tick(Message):
    price: float
    age: float = 0.0


class Feed(Actor):
    @handles
    def tick(self, message: Tick) -> None:
        if message.age > 1.0:
            self.context.system.publish(LateTick, self.context.ref.path, seconds=message.age)
        print("rate", 1 / message.price)


async def main() -> None:
    async with ActorSystem("quotes") as system:
        feed = await system.start_child(ChildSpec("feed", Feed))
        with system.events.subscribe(ActorCrashed, DeadLetter, LateTick, capacity=100) as events:
            for tick in (Tick(2.0), Tick(4.0, age=3.0), Tick(0.0)):
                await feed.tell(tick)
            async for event in events:
                match event:
                    case LateTick():
                        print("late by", event.seconds, "s:", event.path)
                    case DeadLetter():
                        print("nobody will handle", event.message)
                    case ActorCrashed():
                        print("life", event.incarnation, "crashed:", event.path)
                        break
            print("dropped", events.dropped)


if __name__ == "__main__":
    asyncio.run(main())
