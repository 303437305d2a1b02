"""A soak's subscriber tells what it lost, had twice, or had in another order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from backbone import Frame
from backbone.stream.messages import Update
from tests.benchmarks.soak_readers import Reader

START = datetime(2025, 1, 6, tzinfo=UTC)


def update(*numbers: int) -> Update:
    rows = [
        {"symbol": "Q", "ts": START + timedelta(seconds=at), "sequence": number, "bid": 1.0, "ask": 1.1}
        for at, number in enumerate(numbers)
    ]
    return Update(str(numbers), numbers[0], "", "Q", Frame.from_records("quotes", rows))


@pytest.mark.parametrize(
    ("updates", "wrong"),
    [
        ([(0, 1), (2,)], {}),
        ([(0, 1), (3,)], {"left out, or not in order": 1}),
        ([(0, 2), (3,)], {"left out, or not in order": 1}),
        ([(1, 0)], {"left out, or not in order": 1}),
        ([(0, 1), (1, 2)], {"twice": 1}),
        ([(0, 1), (0, 1)], {"twice": 1}),
    ],
)
def test_what_did_not_come_once_and_in_order_is_told(updates: list[tuple[int, ...]], wrong: dict[str, int]) -> None:
    reader = Reader("all")
    for numbers in updates:
        reader.take(update(*numbers))
    assert reader.wrong == wrong


async def test_it_has_caught_up_with_the_last_row_of_its_symbols() -> None:
    reader, done = Reader("one", ("Q",)), list[str]()

    async def wait() -> None:
        await reader.caught_up({"Q": 3, "R": 9})
        done.append("caught up")

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        for numbers in ((0, 1), (2,)):
            reader.take(update(*numbers))
            await anyio.sleep(0.1)
            assert bool(done) == (reader.lacks({"Q": 3, "R": 9}) == 0)
    assert done == ["caught up"]
