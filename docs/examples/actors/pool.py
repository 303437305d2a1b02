"""A pool of workers: at most three requests at once; one that fails costs its asker an error, and nobody else."""

import asyncio
import math
from collections import deque

from actors import Actor, ActorDead, ActorRef, ActorSystem, ChildSpec, Reject, Request, SupervisorSpec, handles


class Root(Request[float]):
    number: float


class Worker(Actor):
    @handles
    async def root(self, message: Root) -> float:
        await asyncio.sleep(0.001)
        return math.sqrt(message.number)


class Pool(Actor):
    def __init__(self, size: int) -> None:
        self.size, self.free = size, asyncio.Semaphore(size)
        self.idle: deque[ActorRef] = deque()

    async def on_start(self) -> None:
        workers = [ChildSpec(f"worker-{number}", Worker) for number in range(self.size)]
        supervisor = await self.context.start_child(SupervisorSpec("workers", workers, parallel_shutdown=True))
        self.idle.extend(child.ref for child in await supervisor.which_children() if child.ref is not None)

    @handles
    def root(self, message: Root) -> None:
        self.context.run_task(self._hand_over(message), reply=self.context.defer_reply())

    async def _hand_over(self, message: Root) -> float:
        async with self.free:
            worker = self.idle.popleft()
            try:
                return await worker.ask(message)
            except ActorDead as error:
                raise Reject("failed", type(error.__cause__).__name__) from error
            finally:
                self.idle.append(worker)  # its next incarnation answers behind the same ref


async def main() -> None:
    async with ActorSystem("sums") as system:
        pool = await system.start_child(ChildSpec("pool", Pool, args=(3,)))
        asked = [pool.ask(Root(number)) for number in (4.0, -1.0, 9.0, 16.0, 25.0)]
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            print(answer)


if __name__ == "__main__":
    asyncio.run(main())
