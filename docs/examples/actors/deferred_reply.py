"""Two ways to answer later: when a helper task is done, and when what was asked for has come."""

import asyncio

from actors import Actor, ActorSystem, ChildSpec, Message, Reply, Request, handles


class Price(Message):
    value: float


class NextPrice(Request[float]):
    pass


class History(Request[list[float]]):
    days: int


class Board(Actor):
    def __init__(self) -> None:
        self.waiting: list[Reply[float]] = []

    @handles
    def history(self, message: History) -> None:
        self.context.run_task(self._load(message.days), name="history", reply=self.context.defer_reply())

    async def _load(self, days: int) -> list[float]:
        await asyncio.sleep(0.01)  # a slow database: the board handles messages meanwhile
        return [1.0 + day / 100 for day in range(days)]

    @handles
    def next_price(self, message: NextPrice) -> None:
        self.waiting.append(self.context.defer_reply())

    @handles
    def price(self, message: Price) -> None:
        for reply in self.waiting:
            reply(message.value)
        self.waiting.clear()


async def main() -> None:
    async with ActorSystem("quotes") as system:
        board = await system.start_child(ChildSpec("board", Board))
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(board.ask(History(3)))
            first, second = (group.create_task(board.ask(NextPrice())) for _ in range(2))
            await asyncio.sleep(0)
            await board.tell(Price(1.08))
            print("next price", await first, await second, "- history is there:", slow.done())
        print("history", slow.result())


if __name__ == "__main__":
    asyncio.run(main())
