"""Plain `async def`s under supervision: one is restarted until it holds, others have a limit or a heartbeat."""

import asyncio

from actors import ActorSystem, Backoff, Restart, TaskSpec, current_context

tried = 0


async def connect(feed: str) -> str:
    global tried
    tried += 1
    if tried < 3:
        raise ConnectionError(f"{feed} does not answer")
    return f"{feed} answered at attempt {tried}"


async def poll(rounds: int, pause: float) -> int:
    context = current_context()
    for _ in range(rounds):
        await asyncio.sleep(pause)
        if context is not None:
            context.beat()  # "I go on": owed at least every `stall_timeout` seconds
    return rounds


async def main() -> None:
    async with ActorSystem("feeds") as system:
        soon = Backoff(initial=0.001, jitter=0)
        ecb = await system.start_child(TaskSpec("ecb", connect, args=("ecb",), backoff=soon))
        print(await ecb.result())
        entry = system.roster().find("/feeds/ecb")
        if entry is not None:
            print([f"{run.incarnation} {run.outcome} {run.error or ''}".strip() for run in entry.runs])

        slow = await system.start_task(poll, 100, 0.01, name="slow", deadline=0.05)
        steady = await system.start_task(poll, 10, 0.01, name="steady", stall_timeout=5)
        stuck = await system.start_task(poll, 1, 60, name="stuck", stall_timeout=0.05)
        for task in (slow, steady, stuck):
            try:
                print(task.id, await task.result())
            except TimeoutError as error:
                print(error)

        forever = await system.start_child(TaskSpec("poll", poll, args=(10**9, 1), restart=Restart.PERMANENT))
        await forever.stop()
        print((await forever.stopped()).kind)


if __name__ == "__main__":
    asyncio.run(main())
