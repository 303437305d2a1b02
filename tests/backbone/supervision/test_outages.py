"""What a store that is down, silent or poisoned does to those who go on; on the virtual clock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
import pyarrow as pa
import pytest

from actors import ActorSystem
from actors.testing import TestSystem
from backbone import Backbone, Frame, load_settings
from backbone.domain.dimension import Dimension
from backbone.store.duckdb import DuckDBStore
from backbone.store.errors import StoreUnavailable
from backbone.store.records import OutboxStatus, Query, ReadResult, StoreInfo
from backbone.testing import Faults, embedded, with_store
from tests.backbone.facade.kit import BARS, bars

OVERRIDES: Mapping[str, object] = {"store.path": ":memory:", "store.inline": True, "control.enabled": False}


class Slow(DuckDBStore):
    """A store that can be told to be silent about names, slow to read, or down."""

    def __init__(self) -> None:
        super().__init__(":memory:", inline=True)
        self.nameless = False
        self.down = False
        self.may_read: anyio.Event | None = None

    async def symbols(self, dimension: Dimension) -> list[str]:
        if self.nameless:
            await anyio.sleep_forever()
        return await super().symbols(dimension)

    async def read(self, query: Query) -> ReadResult:
        result = await super().read(query)
        if self.may_read is not None:
            await self.may_read.wait()
        return result

    async def probe(self) -> StoreInfo:
        if self.down:
            raise StoreUnavailable("gone")
        return await super().probe()

    async def outbox_status(self, sink: str = "") -> OutboxStatus:
        if self.down:
            raise StoreUnavailable("gone")
        return await super().outbox_status(sink)

    async def open(self) -> None:
        if self.down:
            raise StoreUnavailable("gone")
        await super().open()

    async def close(self) -> None:
        """Rows in memory stay."""


def opened(system: ActorSystem, store: DuckDBStore) -> Any:
    settings = load_settings(profile="embedded", overrides=OVERRIDES)
    return Backbone.open(settings, system=system, parts=with_store(lambda _: store))


async def test_a_store_that_says_no_names_holds_nobody_up_who_has_rows() -> None:
    store = Slow()
    async with TestSystem() as system, opened(system, store) as backbone:
        await backbone.record(bars(symbol="A"))
        store.nameless = True
        began = anyio.current_time()
        for _ in range(20):
            assert (await backbone.fetch(BARS, symbols=["A", "B"])).symbols == ("A",)
        assert anyio.current_time() - began <= 0.3
        await anyio.sleep(60)
        began = anyio.current_time()
        assert (await backbone.fetch(BARS, symbols=["C"])).num_rows == 0
        assert anyio.current_time() - began <= 5.1


async def test_a_success_from_before_an_outage_does_not_hide_it() -> None:
    store = Slow()
    async with TestSystem() as system, opened(system, store) as backbone, anyio.create_task_group() as group:
        await backbone.record(bars())
        may_read = store.may_read = anyio.Event()
        group.start_soon(partial(backbone.fetch, BARS, limit=1))
        await anyio.sleep(0.1)
        store.down, store.may_read = True, None
        with pytest.raises(StoreUnavailable):
            await backbone.outbox()
        may_read.set()
        seen = set()
        for _ in range(50):
            entry = backbone.roster().find("/test/backbone/store")
            assert entry is not None
            seen.add(entry.health.level)
            await anyio.sleep(0.01)
        assert seen == {"failed"}


async def test_a_row_whose_name_is_wrong_but_stored_stops_neither_the_stream_nor_retention() -> None:
    row = bars(1).to_arrow()
    poison = Frame.of_known(BARS, row.set_column(0, "symbol", pa.array([" "])))
    async with embedded() as backbone, backbone.subscribe(BARS) as updates:
        assert (await backbone.record(poison)).inserted == 1
        await backbone.record(bars(1, symbol="B"))
        with anyio.fail_after(10):
            assert [(await anext(updates)).symbol for _ in range(2)] == [" ", "B"]
        assert {finding.symbol for finding in (await backbone.retention()).findings} == {" ", "B"}
        await anyio.sleep(2)
        assert sum(entry.restarts for entry in backbone.roster().entries) == 0
        assert (await backbone.outbox()).pending == 0


@pytest.mark.parametrize("year", [1, 999, 9001, 9999])
async def test_days_are_not_counted_from_the_edges_of_the_calendar(year: int) -> None:
    async with embedded() as backbone:
        await backbone.record(bars())
        with pytest.raises(ValueError, match="the years 1000 to 9000"):
            await backbone.retention(as_of=datetime(year, 6, 1, tzinfo=UTC))
        for edge in (1000, 9000):
            await backbone.retention(as_of=datetime(edge, 6, 1, tzinfo=UTC))
        assert sum(entry.restarts for entry in backbone.roster().entries) == 0


def subscriptions(backbone: Backbone) -> Mapping[str, int]:
    """Where each subscription stands that the consumer knows of."""
    entry = backbone.roster().find(f"{backbone.path}/stream/consumer")
    assert entry is not None
    known: Mapping[str, int] = (entry.detail or {})["subscriptions"]
    return known


async def test_a_subscription_that_was_left_is_at_its_end_and_forgotten() -> None:
    async with embedded() as backbone, anyio.create_task_group() as group:
        got: list[str] = []

        async def read(updates: Any) -> None:
            got.extend([update.symbol async for update in updates])
            got.append("end")

        async with backbone.subscribe(BARS) as updates:
            group.start_soon(read, updates)
            await backbone.record(bars(1, symbol="A"))
            await anyio.sleep(1)
        await backbone.record(bars(1, symbol="B"))
        await anyio.sleep(10)
        assert got == ["A", "end"]
        assert subscriptions(backbone) == {}


async def test_a_subscription_that_is_given_up_while_it_opens_leaves_nothing_behind() -> None:
    faults = Faults()
    async with embedded(faults=faults, overrides={"stream.capacity_bytes": 4096}) as backbone:
        for number in range(40):
            await backbone.record(bars(1, symbol=f"S{number}"))
        await anyio.sleep(2)
        faults.store_down()
        for _ in range(3):
            with anyio.move_on_after(3) as waiting:
                async with backbone.subscribe(BARS, start="earliest"):
                    pass
            assert waiting.cancelled_caught
        await anyio.sleep(1)
        assert subscriptions(backbone) == {}
