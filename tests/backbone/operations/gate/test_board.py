"""Answers hold no longer than looks warrant by either clock, and those who watch learn of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio

from backbone import Dimension
from backbone.operations.gate.board import Board
from backbone.operations.gate.verdict import GateLevel, Reason
from backbone.operations.gate.watching import GateWatch

QUOTES, BTC = Dimension.QUOTES, "BTC-USD"
PATIENCE = 2.0
STALE = Reason(GateLevel.DEGRADED, "stale", "old")


class Clock:
    """Two clocks, each set by hand; the wall clock says what it is told."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.wall = datetime(2026, 1, 1, tzinfo=UTC)

    def time(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.wall

    def go(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)


def looked(board: Board, clock: Clock, *reasons: Reason) -> None:
    """A look that takes no time, and finds this for all."""
    for _, entry in board.entries():
        board.answer(entry, reasons, clock.now(), None)
    board.looked(clock.now(), clock.time())


def judged(room: int = 10) -> tuple[Board, Clock]:
    """A board of one symbol that was found ok just now."""
    clock = Clock()
    board = Board(clock, room, PATIENCE)
    board.gate(QUOTES, BTC)
    looked(board, clock)
    assert board.gate(QUOTES, BTC).ok
    return board, clock


def test_after_a_machine_has_slept_nothing_is_ok_until_somebody_has_looked() -> None:
    board, clock = judged()
    clock.wall += timedelta(hours=8)  # by which the monotonic clock, that stood still, knows nothing
    gate = board.gate(QUOTES, BTC)
    assert gate.reasons == ("unobserved: nobody has looked since 2026-01-01T00:00:00.000000Z",)
    looked(board, clock)
    assert board.gate(QUOTES, BTC).ok


def test_after_a_clock_was_set_back_nothing_is_ok_until_somebody_has_looked() -> None:
    board, clock = judged()
    clock.wall -= timedelta(hours=1)
    assert board.gate(QUOTES, BTC).level == "blocked"
    looked(board, clock)
    assert board.gate(QUOTES, BTC).ok


def test_an_answer_holds_from_when_the_look_began_that_found_it() -> None:
    board, clock = judged()
    as_of, began = clock.now(), clock.time()
    clock.go(30)  # the process was held up in the midst of the look
    board.looked(as_of, began)
    assert board.gate(QUOTES, BTC).level == "blocked"


async def test_a_gate_that_is_told_is_as_of_the_look_that_found_it() -> None:
    board, clock = judged()
    async with board.watch(QUOTES, [BTC]) as watch:
        clock.go(1)
        looked(board, clock, STALE)
        gate = await anext(watch)
    assert (gate.level, gate.as_of) == ("degraded", clock.now())


async def next_of(watch: GateWatch) -> str:
    with anyio.fail_after(60):
        gate = await anext(watch)
    return f"{gate.level} {gate.reasons[0].partition(':')[0] if gate.reasons else ''}".strip()


async def test_those_who_watch_learn_that_nobody_looks_any_more_and_that_somebody_does_again() -> None:
    board, clock = judged()
    watch = board.watch(QUOTES, [BTC])
    assert await next_of(watch) == "ok"
    clock.go(PATIENCE)
    assert await next_of(watch) == "blocked unobserved"
    looked(board, clock)
    assert await next_of(watch) == "ok"


async def test_whoever_waits_is_told_without_a_look() -> None:
    """Their own wait ends when the answers lapse: nothing else would wake them."""
    clock = Clock()
    loop_time = anyio.current_time
    began = loop_time()
    clock.time = lambda: loop_time() - began  # type: ignore[method-assign]
    board = Board(clock, 10, PATIENCE)
    watch = board.watch(QUOTES, [BTC])
    assert await next_of(watch) == "blocked unobserved"
    looked(board, clock)
    assert await next_of(watch) == "ok"
    assert await next_of(watch) == "blocked unobserved"
    assert loop_time() - began >= PATIENCE


async def test_what_a_slow_reader_has_not_read_yet_is_no_longer_ok_either() -> None:
    board, clock = judged()
    watch = board.watch(QUOTES, [BTC])
    clock.go(PATIENCE)
    assert await next_of(watch) == "blocked unobserved"


async def test_two_who_read_one_watch_are_both_sent_home() -> None:
    board, _ = judged()
    watch = board.watch(QUOTES, [BTC])
    read: list[str] = []

    async def follow() -> None:
        read.extend([str(gate.level) async for gate in watch])

    with anyio.fail_after(1):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            group.start_soon(follow)
            await anyio.sleep(0.1)
            board.close()
    assert read == ["ok"]
