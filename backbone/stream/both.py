"""Two things at a time, of which one may fail: then the other one is given up, and the failure is told as it is."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar, cast

import anyio

__all__ = ["both"]

A = TypeVar("A")
B = TypeVar("B")


async def both(first: Awaitable[A], second: Awaitable[B], failures: tuple[type[Exception], ...]) -> tuple[A, B]:
    """Wait for two answers.

    Args:
        first: one.
        second: the other one.
        failures: kinds of errors by which one of them may fail; the first that comes is raised.
    """
    met: list[Exception] = []
    answers: dict[int, object] = {}

    async def ask(number: int, work: Awaitable[object]) -> None:
        try:
            answers[number] = await work
        except failures as error:
            met.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(ask, 0, first)
        group.start_soon(ask, 1, second)
    if met:
        raise met[0]
    return cast("A", answers[0]), cast("B", answers[1])
