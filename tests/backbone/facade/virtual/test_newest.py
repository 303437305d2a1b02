"""A question that many have at the same time is asked once for all of them, and never answered by what was before."""

from __future__ import annotations

import anyio
import pytest

from backbone import BackboneClosed, StoreUnavailable
from backbone.facade.newest import Newest


class Store:
    """Answers with how often it was asked before, a second later."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False

    async def ask(self) -> int:
        self.asked += 1
        number = self.asked
        await anyio.sleep(1)
        if self.down:
            raise StoreUnavailable("down")
        return number


async def test_all_who_ask_at_the_same_time_share_at_most_two_questions() -> None:
    store, answers = Store(), list[int]()
    newest = Newest(store.ask)

    async def caller() -> None:
        answers.append(await newest.position())

    async with anyio.create_task_group() as group:
        for _ in range(1000):
            group.start_soon(caller)
    assert (store.asked, len(answers)) == (2, 1000)


async def test_who_comes_while_it_is_asked_gets_a_later_answer() -> None:
    store, answers = Store(), dict[str, int]()
    newest = Newest(store.ask)

    async def caller(name: str) -> None:
        answers[name] = await newest.position()

    async with anyio.create_task_group() as group:
        group.start_soon(caller, "first")
        await anyio.sleep(0.5)
        for name in ("second", "third"):
            group.start_soon(caller, name)
    assert answers == {"first": 1, "second": 2, "third": 2}
    assert await newest.position() == 3


async def test_who_waits_asks_anew_where_the_question_before_was_given_up_and_who_comes_after_a_refusal() -> None:
    store, answers = Store(), list[int]()
    newest = Newest(store.ask)

    async def caller() -> None:
        answers.append(await newest.position())

    async with anyio.create_task_group() as group:
        with anyio.move_on_after(0.5):
            group.start_soon(caller)
            await newest.position()
    assert answers
    store.down = True
    with pytest.raises(StoreUnavailable):
        await newest.position()
    store.down = False
    assert await newest.position() == store.asked


async def test_a_store_that_is_silent_holds_up_however_many_callers_no_longer_than_two_questions() -> None:
    store, refused = Store(), list[str]()
    store.down = True
    newest = Newest(store.ask)

    async def caller() -> None:
        try:
            await newest.position()
        except StoreUnavailable as error:
            refused.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(caller)
    assert refused == ["down"] * 20
    assert store.asked == 2


async def test_who_waits_while_the_backbone_closes_is_told_so_and_nobody_asks_the_store_any_more() -> None:
    store, told = Store(), list[str]()
    is_open = True

    async def ask() -> int:
        if not is_open:
            raise BackboneClosed("the backbone was closed")
        return await store.ask()

    newest = Newest(ask)

    async def caller() -> None:
        try:
            await newest.position()
        except BackboneClosed as error:
            told.append(str(error))

    async with anyio.create_task_group() as group:
        group.start_soon(caller)
        await anyio.sleep(0.5)
        for _ in range(10):
            group.start_soon(caller)
        await anyio.sleep(0.1)
        is_open = False
    assert told == ["the backbone was closed"] * 10
    assert store.asked == 1
