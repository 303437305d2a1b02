"""Clients of Kafka that do not end as they should."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from backbone.stream.kafka.inquiry import CLOSE_TIMEOUT, abandoned


async def test_k10_a_client_that_never_ends_is_left_and_the_next_is_closed_all_the_same() -> None:
    closed: list[str] = []

    async def close() -> None:
        closed.append("connections")

    with anyio.fail_after(3 * CLOSE_TIMEOUT):
        await abandoned(anyio.sleep_forever, close)
    assert closed == ["connections"]


async def test_what_a_client_cancels_of_its_own_cancels_nobody_else() -> None:
    closed: list[str] = []

    async def stop() -> None:
        mine = asyncio.get_running_loop().create_task(asyncio.sleep(60))
        mine.cancel()
        await mine

    async def close() -> None:
        closed.append("connections")

    await abandoned(stop, close)
    assert closed == ["connections"]


async def test_who_is_cancelled_meanwhile_is_cancelled_once_the_client_had_its_moment() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await abandoned(anyio.sleep_forever)
        await anyio.lowlevel.checkpoint()
        pytest.fail("it went on")
