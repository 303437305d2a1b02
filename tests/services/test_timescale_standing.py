"""What is asked again and again has a statement of its own, and a connection at hand: nothing else is different."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from backbone.domain import Frame
from backbone.store.records import Query
from backbone.store.timescale import Bounds, TimescaleStore
from tests.services.stores import BARS, DAY, TRADES, bare, bars, chunk, empty, opened

NEWEST = Query(BARS, ("EURUSD",), "1h", limit=2)
SESSIONS = """
    SELECT pid FROM pg_stat_activity WHERE application_name = 'backbone' AND datname = current_database() ORDER BY pid
"""
ONE = Bounds(pool_size=1, max_overflow=1)


def trades(symbol: str, *seconds: float) -> Frame:
    rows = [{"symbol": symbol, "ts": DAY + timedelta(seconds=n), "sequence": 1, "price": n + 1.0} for n in seconds]
    return Frame.from_records(TRADES, rows)


async def often(store: TimescaleStore, query: Query, times: int = 5) -> Frame:
    for _ in range(times):
        frame = (await store.read(query)).frame
    return frame


async def test_newer_rows_corrected_ones_and_those_of_chunks_to_come_are_seen(store: TimescaleStore) -> None:
    closes: dict[int, float | None] = {0: 1.0, 1: 2.0, 2: 3.0}
    await store.write(chunk(bars(closes), "run"))
    for hour in (3, 4, 26, 24 * 40, 24 * 400):
        assert await often(store, NEWEST) == bars(closes).newest(2)
        closes[hour] = float(hour)
        position = (await store.write(chunk(bars({hour: float(hour)}), f"run {hour}"))).position
        found = await store.read(NEWEST)
        assert (found.frame, found.position) == (bars(closes).newest(2), position)
    closes[24 * 400] = 7.5
    await store.write(chunk(bars({24 * 400: 7.5}), "corrected"))
    assert await often(store, NEWEST) == bars(closes).newest(2)


async def test_rows_that_were_dropped_are_not_found_any_more(dsn: str, store: TimescaleStore) -> None:
    await store.write(chunk(bars({0: 1.0, 1: 2.0, 2: 3.0}), "run"))
    assert await often(store, NEWEST) == bars({1: 2.0, 2: 3.0})
    async with bare(dsn) as other:
        await other.execute("DELETE FROM market_data.intraday_bars WHERE close > 1.5")
    assert await often(store, NEWEST) == bars({0: 1.0})
    async with bare(dsn) as other:
        await other.execute("DELETE FROM market_data.intraday_bars")
    assert (await often(store, NEWEST)).num_rows == 0


@pytest.mark.parametrize("symbol", ["A", "O'NEIL", "\\'; DROP TABLE market_data.trades; --", "ü$1"])
async def test_whatever_a_symbol_is_called_it_is_found(store: TimescaleStore, symbol: str) -> None:
    many = trades(symbol, *range(3_000))
    await store.write(chunk(Frame.concat([many, trades("B", *range(3))]), "run"))
    assert await often(store, Query(TRADES, (symbol,), limit=1)) == trades(symbol, 2_999)
    assert await often(store, Query(TRADES, (symbol,))) == many
    assert await often(store, Query(TRADES, (symbol, "B"))) == Frame.concat([many, trades("B", *range(3))])


async def test_one_after_the_other_uses_one_connection_and_who_waits_gets_the_next(dsn: str) -> None:
    async with opened(dsn, bounds=ONE) as store, bare(dsn) as other:
        await empty(dsn)
        await often(store, NEWEST)
        before = await other.fetch(SESSIONS)
        await often(store, NEWEST, 20)
        assert await other.fetch(SESSIONS) == before
        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(store.read, NEWEST)
        assert len(await other.fetch(SESSIONS)) <= ONE.most_connections
    async with bare(dsn) as other:
        with anyio.fail_after(5):
            while await other.fetch(SESSIONS):  # noqa: ASYNC110  the server tells nobody
                await anyio.sleep(0.01)


async def test_a_connection_that_nobody_wants_is_closed_and_another_one_made_when_somebody_does(dsn: str) -> None:
    async with opened(dsn, bounds=Bounds(pool_size=1, max_overflow=0, pool_recycle=0.3)) as store, bare(dsn) as other:
        await often(store, NEWEST)
        with anyio.fail_after(5):
            while await other.fetch(SESSIONS):  # noqa: ASYNC110  the server tells nobody
                await anyio.sleep(0.01)
        await often(store, NEWEST)
        assert len(await other.fetch(SESSIONS)) == 1


async def test_connections_at_hand_that_the_server_closed_are_replaced(dsn: str) -> None:
    async with opened(dsn, bounds=ONE) as store, bare(dsn) as other:
        for _ in range(3):
            await often(store, NEWEST)
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'backbone'"
            )
        await often(store, NEWEST)
