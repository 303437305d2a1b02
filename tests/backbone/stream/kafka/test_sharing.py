"""How cursors share what one client fetches: turns, interest, what came last, clients that are lent."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from aiokafka import TopicPartition

from backbone.domain.dimension import Dimension
from backbone.stream.errors import StreamUnavailable
from backbone.stream.interest import Interest
from backbone.stream.joint import Joint
from backbone.stream.kafka.fetching import Fetched
from backbone.stream.kafka.lending import Lending
from backbone.stream.kafka.recent import Recent
from backbone.stream.kafka.turns import Turns
from backbone.stream.kafka.wire import Marker
from backbone.stream.letters import Message
from backbone.stream.records import Record

A, B = TopicPartition("backbone.quotes", 0), TopicPartition("backbone.quotes", 1)


def fetched(at: TopicPartition, offset: int, size: int = 10) -> Fetched:
    return Fetched(at, offset, Marker("g", offset), Message(), size, offset + 1)


def record(at: TopicPartition, offset: int, key: str) -> Record:
    return Record(offset + 1, at.partition, offset, key, f"event-{offset}", "chunk", Dimension.QUOTES, 1, 1, b"")


class Reader:
    def __init__(self) -> None:
        self.wake = anyio.Event()
        self.seen: list[tuple[TopicPartition, int]] = []

    def came(self, at: TopicPartition, offset: int) -> None:
        self.seen.append((at, offset))


async def test_one_of_those_who_wait_works_for_all_and_hands_it_on_when_it_leaves() -> None:
    workers: list[str] = []
    at_work = 0

    async def work(seconds: float) -> None:
        nonlocal at_work
        at_work += 1
        assert at_work == 1
        workers.append(names[anyio.get_current_task().id])
        try:
            await anyio.sleep(seconds)
        finally:
            at_work -= 1

    names: dict[int, str] = {}
    turns = Turns(work)

    async def wait(name: str, steps: int) -> None:
        names[anyio.get_current_task().id] = name
        for _ in range(steps):
            await turns.step(0.01, anyio.Event())

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(wait, "first", 1)
            group.start_soon(wait, "second", 50)
    assert set(workers) == {"first", "second"}


async def test_who_is_cancelled_at_work_leaves_it_to_another() -> None:
    worked = 0

    async def work(seconds: float) -> None:
        nonlocal worked
        worked += 1
        await anyio.sleep_forever() if worked == 1 else None

    turns = Turns(work)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:

                async def second() -> None:
                    await anyio.wait_all_tasks_blocked()
                    wake = anyio.Event()
                    scope.cancel()
                    await turns.step(5, wake)
                    await turns.step(5, anyio.Event())

                group.start_soon(second)
                await turns.step(60, anyio.Event())
    assert worked == 2
    assert not turns.busy


async def test_who_leaves_as_its_turn_comes_hands_it_on_to_the_next() -> None:
    worked: list[float] = []

    async def work(seconds: float) -> None:
        worked.append(seconds)

    turns = Turns(work)
    turns.busy = True
    scope, first = anyio.CancelScope(), anyio.Event()

    async def leaves() -> None:
        with scope:
            await turns.step(60, first)

    async def stays() -> None:
        await turns.step(60, anyio.Event())
        await turns.step(60, anyio.Event())

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(leaves)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(stays)
            await anyio.wait_all_tasks_blocked()
            turns.busy = False  # who was at work has left
            first.set()
            scope.cancel()
    assert worked == [0.5]


async def test_all_are_woken_also_where_whoever_wakes_them_is_cancelled() -> None:
    events = [anyio.Event() for _ in range(500)]
    with anyio.CancelScope() as scope:
        scope.cancel()
        await Turns(anyio.sleep).wake(events)
    assert all(each.is_set() for each in events)


def test_only_those_are_told_who_wait_for_the_key_or_for_all() -> None:
    interest, one, other, every = Interest([A, B]), Reader(), Reader(), Reader()
    interest.rest(one, A, ["EURUSD", "GBPUSD"])
    interest.rest(other, A, ["USDJPY"])
    interest.rest(every, A, [None])
    assert interest.came(A, "EURUSD", 7) == [one, every]
    assert interest.came(B, "EURUSD", 1) == []
    interest.leave(one, A, ["EURUSD", "GBPUSD"])
    interest.leave(one, B, ["EURUSD"])
    assert interest.came(A, "GBPUSD", 8) == [every]
    interest.all_came(A, 9)
    assert (one.seen, other.seen, every.seen) == ([(A, 7)], [(A, 9)], [(A, 7), (A, 8), (A, 9)])


def test_what_came_last_is_bounded_in_bytes_over_all_partitions_and_the_oldest_go_first() -> None:
    recent = Recent(capacity_bytes=100)
    recent.start(A, 5)
    recent.start(B, 0)
    for offset in range(6):
        recent.add(fetched(A, 5 + offset))
        recent.add(fetched(B, offset))
    assert recent.bytes <= 100
    assert (recent.begin(A), recent.end(A)) == (6, 11)
    assert (recent.begin(B), recent.end(B)) == (1, 6)
    assert [each.offset for each in recent.since(A, 9)] == [9, 10]
    assert [each.offset for each in recent.since(A, 0)] == [6, 7, 8, 9, 10]
    recent.pass_to(A, 20)
    assert recent.end(A) == 20
    recent.start(A, 30)
    assert (recent.begin(A), recent.end(A), list(recent.since(A, 0))) == (30, 30, [])
    assert recent.bytes == 50


def test_records_of_some_keys_are_found_without_looking_at_the_others() -> None:
    recent = Recent(capacity_bytes=60)
    recent.start(A, 0)
    for offset in range(10):
        recent.add(fetched(A, offset)._replace(content=record(A, offset, key="ABC"[offset % 3])))
    assert [each.offset for each in recent.of(A, 0, ["A", "C"])] == [5, 6, 8, 9]
    assert [each.offset for each in recent.of(A, 6, ["B"])] == [7]
    assert [each.offset for each in recent.of(A, 8, [None])] == [8, 9]
    assert list(recent.of(A, 0, ["D"])) == []


def test_the_newest_record_stays_however_large_it_is() -> None:
    recent = Recent(capacity_bytes=100)
    recent.start(A, 0)
    recent.add(fetched(A, 0, size=1000))
    assert [each.offset for each in recent.since(A, 0)] == [0]


async def test_a_question_is_put_once_for_all_who_ask_together_and_no_answer_is_older_than_its_question() -> None:
    asked = 0
    go = anyio.Event()

    async def question() -> int:
        nonlocal asked
        asked += 1
        mine = asked
        await go.wait()
        return mine

    joint, answers = Joint(question), list[int]()

    async def ask() -> None:
        answers.append(await joint.ask())

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        go.set()
    assert sorted(answers) == [1] + [2] * 49
    assert await joint.ask() == 3


class Client:
    """What `Lending` needs of a fetcher."""

    def __init__(self, made: list[Client]) -> None:
        self.next: dict[Any, int] = {}
        self.closed = False
        made.append(self)

    async def open(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


async def test_clients_are_lent_to_a_few_at_once_kept_while_nobody_else_needs_them_and_ended_when_given_back() -> None:
    made: list[Client] = []
    lending: Any = Lending(lambda: Client(made), most=2)  # type: ignore[arg-type, return-value]
    for reader in ("one", "two", "one"):
        async with lending.lend(reader, 1.0) as client:
            assert client is not None
            client.next = {A: 1}
    assert len(made) == lending.lent == 2
    async with lending.lend("three", 1.0) as client:
        assert client is made[1]  # "two" has waited longer than "one"
        assert client is not None
        assert client.next == {}
        async with lending.lend("four", 1.0) as another:
            assert another is made[0]
            async with lending.lend("five", 0.01) as none:
                assert none is None
    await lending.give_back("three")
    assert (made[1].closed, lending.lent) == (True, 1)
    await lending.close()
    assert made[0].closed


async def test_a_client_that_does_not_open_is_no_ones() -> None:
    class Broken(Client):
        async def open(self) -> None:
            raise StreamUnavailable("no broker answers")

    made: list[Client] = []
    lending = Lending(lambda: Broken(made), most=1)  # type: ignore[arg-type, return-value]
    for _ in range(3):
        with pytest.raises(StreamUnavailable):
            async with lending.lend("one", 1.0):
                pass
