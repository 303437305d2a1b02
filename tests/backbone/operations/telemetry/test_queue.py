"""The queue whose oldest gives way."""

from __future__ import annotations

import anyio

from backbone.operations.telemetry.queue import Queue


async def test_the_oldest_gives_way_and_is_counted() -> None:
    queue: Queue[int] = Queue(2)
    for n in range(5):
        queue.put(n)
    assert (len(queue), queue.dropped) == (2, 3)
    assert [await queue.get(), await queue.get()] == [3, 4]


async def test_what_is_put_back_comes_first_and_gives_way_where_there_is_no_room() -> None:
    queue: Queue[int] = Queue(2)
    queue.put(1)
    queue.put_back(0)
    queue.put_back(-1)
    assert queue.dropped == 1
    assert [queue.get_nowait(), queue.get_nowait(), queue.get_nowait()] == [0, 1, None]


async def test_closing_sends_the_reader_home_and_takes_nothing_more() -> None:
    queue: Queue[int] = Queue(2)
    got: list[int | None] = []

    async def read() -> None:
        got.append(await queue.get())

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.sleep(1)
        queue.close()
    queue.put(1)
    queue.put_back(2)
    assert (got, len(queue)) == ([None], 0)
