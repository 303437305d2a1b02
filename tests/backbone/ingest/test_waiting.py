"""What waits, by itself: one commit of a dimension is under way at a time, and its writer is begun once."""

from __future__ import annotations

import anyio

from actors import Reject
from backbone.ingest.live import Caller, LiveBatch
from backbone.ingest.turns import Turns
from backbone.ingest.waiting import Bound, Waiting
from tests.backbone.facade.kit import BARS
from tests.backbone.ingest.kit import bar, settled


class Replies:
    """In the place of a reply."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def __call__(self, value: object) -> None:
        self.told.append(value)

    def fail(self, reject: Reject) -> None:
        self.told.append(reject.code)


def caller(replies: Replies) -> Caller:
    return Caller(replies, lambda _: None)  # type: ignore[arg-type]


async def test_what_comes_during_a_commit_is_left_to_the_writer_that_is_at_work() -> None:
    commits: list[int] = []
    gate, replies = anyio.Event(), Replies()

    async def commit(batch: LiveBatch) -> None:
        commits.append(batch.rows)
        await gate.wait()
        await batch.answer(None, batch.outcomes(None))

    waiting = Waiting(commit, Bound(500, 1_000_000), Bound(1000, 1_000_000), Turns(one_at_a_time=True))
    async with anyio.create_task_group() as group:
        assert waiting.add(bar(hour=0), caller(replies))
        assert not waiting.add(bar(hour=1), caller(replies))
        group.start_soon(waiting.write, BARS)
        await settled()
        assert (commits, waiting.rows) == ([2], 0)
        assert not waiting.add(bar(hour=2), caller(replies))
        assert not waiting.add(bar(hour=3), caller(replies))
        await settled()
        assert (commits, waiting.rows, waiting.size) == ([2], 2, 2 * bar().nbytes)
        gate.set()
    assert commits == [2, 2]
    assert len(replies.told) == 4
    assert (waiting.rows, waiting.size) == (0, 0)
    assert waiting.add(bar(hour=4), caller(replies))


async def test_what_finds_no_room_is_refused_and_does_not_count() -> None:
    async def commit(batch: LiveBatch) -> None:
        await batch.answer(None, batch.outcomes(None))

    replies = Replies()
    waiting = Waiting(commit, Bound(500, 1_000_000), Bound(2, 1_000_000), Turns(one_at_a_time=True))
    waiting.add(bar(hour=0), caller(replies))
    waiting.add(bar(hour=1), caller(replies))
    assert not waiting.add(bar(hour=2), caller(replies))
    assert (replies.told, waiting.rows) == (["busy"], 2)
    await waiting.write(BARS)
    assert len(replies.told) == 3
