"""Batches of live rows by themselves: whoever asks for a flush, one commit of a dimension is under way at a time."""

from __future__ import annotations

import anyio

from backbone.ingest.live import Live, LiveBatch, LiveBatches
from tests.backbone.facade.kit import BARS
from tests.backbone.ingest.kit import bar, settled


class Caller:
    """In the place of a reply."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def __call__(self, value: object) -> None:
        self.told.append(value)


def rows(caller: Caller, hour: int) -> Live:
    return Live(bar(hour=hour), caller, lambda _: None)  # type: ignore[arg-type]


async def test_a_flush_during_a_commit_leaves_what_came_meanwhile_to_the_flush_that_is_at_work() -> None:
    commits: list[int] = []
    gate = anyio.Event()

    async def commit(batch: LiveBatch) -> None:
        commits.append(batch.rows)
        await gate.wait()

    batches, first, second, third = LiveBatches(commit, 500), Caller(), Caller(), Caller()
    async with anyio.create_task_group() as group:
        batches.add(rows(first, 0))
        assert batches.due == [BARS]
        group.start_soon(batches.flush, BARS)
        await settled()
        batches.add(rows(second, 1))
        assert batches.due == []
        with anyio.fail_after(1):
            assert await batches.flush(BARS) == []
        batches.add(rows(third, 2))
        assert batches.due == []
        assert commits == [1]
        gate.set()
    assert commits == [1, 2]
    assert [len(caller.told) for caller in (first, second, third)] == [1, 1, 1]
    assert batches.due == []
