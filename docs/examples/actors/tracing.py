"""Which request the work belongs to, three actors deep, and who sent the message in hand."""

import asyncio
from contextvars import ContextVar

from actors import Actor, ActorRef, ActorSystem, ChildSpec, Message, Request, handles

request_id: ContextVar[str] = ContextVar("request_id", default="-")


class Price(Request[float]):
    symbol: str


class Bought(Message):
    symbol: str


class Buy(Request[float]):
    symbol: str


class Market(Actor):
    @handles
    def price(self, message: Price) -> float:
        print(request_id.get(), self.context.sender, "asks for", message.symbol)
        return 1.08

    @handles
    def bought(self, message: Bought) -> None:
        print(request_id.get(), self.context.sender, "has bought", message.symbol)


class Broker(Actor):
    def __init__(self, market: ActorRef) -> None:
        self.market = market

    @handles
    async def buy(self, message: Buy) -> float:
        price = await self.market.ask(Price(message.symbol))
        self.context.run_task(self._confirm(message.symbol))  # goes on for the same request
        return price

    async def _confirm(self, symbol: str) -> None:
        await asyncio.sleep(0.01)
        await self.market.tell(Bought(symbol))


async def main() -> None:
    async with ActorSystem("shop", propagate=(request_id,)) as system:
        market = await system.start_child(ChildSpec("market", Market))
        broker = await system.start_child(ChildSpec("broker", Broker, (market,)))
        for number, symbol in enumerate(("EURUSD", "USDJPY")):
            request_id.set(f"r{number}")
            await broker.ask(Buy(symbol))
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())
