"""What the embedded store remembers of changes since an export holds for nobody who has heard of a later one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import duckdb
import pytest
from anyio.to_thread import run_sync

from backbone.domain import Dimension
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.remembered import Remembered
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection
from tests.contracts.test_store_since import (
    DAY,
    DAY_US,
    ONE_DAY,
    TRADES,
    WEEK,
    noted,
    trades_on,
    whole_days,
    written_in,
)

Act = Callable[[DuckDBStore], Any]


class Paused:
    """A writer who has committed, and has not said so yet."""

    def __init__(self) -> None:
        self.committed, self.goes_on = Event(), Event()

    @contextmanager
    def transaction(self, connection: Connection) -> Iterator[None]:
        with transaction(connection):
            yield
        self.committed.set()
        assert self.goes_on.wait(30)


async def opened(path: Path) -> DuckDBStore:
    store = DuckDBStore(path)
    await store.open()
    await store.migrate()
    return store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    store = await opened(tmp_path / "store.duckdb")
    yield store
    await store.close()


async def correct(store: DuckDBStore) -> None:
    await written_in(store, trades_on(1, price=9.0))


async def drop(store: DuckDBStore) -> None:
    await store.drop(TRADES, before=DAY + ONE_DAY, dry_run=False)


@pytest.mark.parametrize(("act", "room", "prices"), [(correct, "writing", [9.0]), (drop, "upkeep", [])])
async def test_a_change_that_others_see_already_is_seen_before_the_writer_has_said_so(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch, act: Act, room: str, prices: list[float]
) -> None:
    await written_in(store, trades_on(0, 1))
    await written_in(store, trades_on(0, symbol="IBM"))
    since = await noted(store)
    assert (await store.read_since(WEEK, since)).anew == ()
    writer = Paused()
    monkeypatch.setattr(f"backbone.store.duckdb.{room}.transaction", writer.transaction)
    async with anyio.create_task_group() as group:
        group.start_soon(act, store)
        try:
            assert await run_sync(writer.committed.wait, 30)
            result = await store.read_since(WEEK, since)
            assert [price for frame in result.frames for price in frame.column("price").tolist()] == prices
            assert result.anew
        finally:
            writer.goes_on.set()
    assert (await store.read_since(WEEK, since)).anew == result.anew


def test_only_what_is_being_written_is_doubted() -> None:
    memory = Remembered()
    assert not memory.doubts(TRADES, ["AIG"])
    with memory.doubted(TRADES, ("IBM", "MSFT")):
        assert not memory.doubts(TRADES, ["AIG"])
        assert not memory.doubts(Dimension.QUOTES, ["IBM"])
        assert memory.doubts(TRADES, ["AIG", "IBM"])
    with suppress(KeyError), memory.doubted(TRADES):
        assert memory.doubts(TRADES, ["AIG"])
        raise KeyError
    assert not memory.doubts(TRADES, ["AIG", "IBM"])


async def test_where_a_version_that_noted_no_moments_has_dropped_rows_nothing_stands(tmp_path: Path) -> None:
    """It counted its drop, so the moment that is noted is not that of the last one."""
    path = tmp_path / "store.duckdb"
    store = await opened(path)
    await written_in(store, trades_on(0, 1, 2))
    since = await noted(store)
    await store.drop(TRADES, before=DAY + ONE_DAY / 2, dry_run=False)
    assert whole_days(await store.read_since(WEEK, since)) == [(0, 1)]
    await store.close()
    with duckdb.connect(path) as file:
        file.execute("UPDATE telemetry.epochs SET epoch = epoch + 1, updated_at = now() WHERE source = 'drop'")
    store = await opened(path)
    assert whole_days(await store.read_since(WEEK, since)) == [(0, 7 + 1 / DAY_US)]
    await store.close()
