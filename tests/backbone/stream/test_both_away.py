"""A database that fails over, or is restored, while the stream is down; on the virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from backbone.cache.messages import ForgetWindows, Invalidate
from backbone.domain.lapse import HELD
from backbone.stream.errors import StreamUnavailable
from backbone.stream.messages import DatabaseSetBack
from backbone.stream.relay import RelayActor
from tests.backbone.stream.kit import House, house, row

MANY = 10_000


@asynccontextmanager
async def relaying() -> AsyncIterator[House]:
    """A relay that has published changes 1 to 5; then the stream went down, and only its cache was told of 6 and 7."""
    async with house(shared=True) as made:
        await made.start("relay", RelayActor, poll_interval=0.5)
        made.commit(*(row(n) for n in range(1, 6)))
        await made.outbox.published(5)
        await anyio.sleep(1)
        made.stream.failing = made.stream.opening = [StreamUnavailable("no broker")] * MANY
        made.commit(row(6), row(7))
        await anyio.sleep(5)
        assert invalidated(made)[-1] == 7
        made.cache.messages.clear()
        yield made


def invalidated(made: House) -> list[int]:
    asked = [each for each in made.cache.messages if isinstance(each, Invalidate)]
    return [position for each in asked for symbols in each.positions.values() for position in symbols.values()]


def forgotten(made: House) -> int:
    return sum(isinstance(each, ForgetWindows) for each in made.cache.messages)


def set_back(made: House, server: str) -> None:
    """To a copy that has changes 1 to 3, and other ones behind them."""
    made.outbox.rows = [*made.outbox.rows[:3], row(4, "GBPUSD"), row(5, "GBPUSD")]
    made.outbox.cursor, made.outbox.server = 3, server


SERVERS = pytest.mark.parametrize("server", ["server/1", "server/2"])


@SERVERS
async def test_the_cache_forgets_what_never_was_and_what_comes_in_its_place_while_nobody_can_publish(
    server: str,
) -> None:
    async with relaying() as made:
        set_back(made, server)
        await anyio.sleep(5)
        assert forgotten(made) == 1
        assert invalidated(made) == [5]
        made.commit(row(6, "USDJPY"))
        await anyio.sleep(5)
        assert (invalidated(made), forgotten(made)) == ([5, 6], 1)
        assert len(made.system.recorded(DatabaseSetBack)) == 1
        assert made.outbox.cursor == 3


@SERVERS
async def test_once_the_stream_is_back_it_is_told_first_and_once(server: str) -> None:
    async with relaying() as made:
        set_back(made, server)
        await anyio.sleep(5)
        assert made.stream.begun_again == []
        made.stream.failing, made.stream.opening = [], []
        await made.outbox.published(5)
        assert made.stream.begun_again == [3]
        assert made.stream.sent[-1] == [4, 5]
        begun, published = (made.stream.calls.index(each) for each in ("begin again 3", "publish [4, 5]"))
        assert begun < published


@SERVERS
async def test_it_is_so_too_where_the_lease_was_lost_in_the_failover(server: str) -> None:
    async with relaying() as made:
        made.outbox.down = "failing over"
        await anyio.sleep(HELD + 1)
        set_back(made, server)
        made.outbox.holder, made.outbox.down = None, None
        await anyio.sleep(5)
        assert forgotten(made) >= 1
        assert invalidated(made) == [5]
        made.stream.failing, made.stream.opening = [], []
        await made.outbox.published(5)
        assert (made.stream.begun_again, made.stream.sent[-1]) == ([3], [4, 5])


async def test_a_database_of_another_generation_is_noticed_though_its_outbox_has_come_as_far() -> None:
    """It was away for a moment, in which only the cache had to do with it."""
    async with relaying() as made:
        made.outbox.down = "restoring"
        await anyio.sleep(3)
        made.outbox.rows = [row(n, "GBPUSD") for n in range(1, 9)]
        made.outbox.cursor, made.outbox.generation, made.outbox.down = 5, "another", None
        await anyio.sleep(5)
        assert forgotten(made) == 1
        assert invalidated(made)[-1] == 8
        made.stream.failing, made.stream.opening = [], []
        await made.outbox.published(8)
        assert (made.stream.begun_again, made.stream.sent[-1]) == ([5], [6, 7, 8])


async def test_a_relay_that_fell_meanwhile_has_the_stream_begin_again_all_the_same() -> None:
    async with relaying() as made:
        set_back(made, "server/2")
        await anyio.sleep(5)
        await made.system.terminate_child("relay")
        await made.system.restart_child("relay")
        await anyio.sleep(5)
        made.stream.failing, made.stream.opening = [], []
        await made.outbox.published(5)
        assert (made.stream.begun_again, made.stream.sent[-1]) == ([3], [4, 5])


async def test_a_standby_that_noticed_leaves_it_to_who_published_since() -> None:
    async with relaying() as first, house(first) as second:
        await second.start("relay", RelayActor, poll_interval=0.5)
        await anyio.sleep(2)
        set_back(first, "server/1")
        await anyio.sleep(5)
        assert (forgotten(first), forgotten(second)) == (1, 1)
        first.stream.failing, first.stream.opening = [], []
        await first.outbox.published(5)
        await anyio.sleep(5)
        await first.system.terminate_child("relay")
        second.commit(row(6))
        await second.outbox.published(6)
        assert first.stream.begun_again == [3]
