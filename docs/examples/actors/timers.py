"""Timers: a heartbeat, and a warning that every price puts off. A virtual clock runs the minute in a millisecond."""

import anyio

from actors import Actor, ActorSystem, ChildSpec, Message, handles, run
from actors.testing import virtual_loop


class Price(Message):
    value: float


class Beat(Message):
    pass


class Stale(Message):
    pass


class Feed(Actor):
    async def on_start(self) -> None:
        self.began = self.context.clock.time()
        self.context.send_every(20.0, Beat(), key="beat")

    @handles
    def price(self, message: Price) -> None:
        self.say(f"price {message.value}")
        self.context.send_after(15.0, Stale(), key="stale")  # the same key: it replaces the one that was running

    @handles
    def beat(self, message: Beat) -> None:
        self.say("beat")

    @handles
    def stale(self, message: Stale) -> None:
        self.say("stale")
        self.context.cancel_timer("beat")

    def say(self, what: str) -> None:
        print(f"{self.context.clock.time() - self.began:4.0f} s  {what}")


async def main() -> None:
    async with ActorSystem("quotes") as system:
        feed = await system.start_child(ChildSpec("feed", Feed))
        for price in (1.08, 1.09):
            await anyio.sleep(12.0)
            await feed.tell(Price(price))
        await anyio.sleep(60.0)


if __name__ == "__main__":
    run(main, loop_factory=virtual_loop)  # `run(main)` waits for the real clock
