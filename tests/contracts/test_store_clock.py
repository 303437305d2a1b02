"""Wall clocks are set back, and numbers end at 2^63: what a store says keeps its meaning."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from backbone.domain import Dimension, Frame
from backbone.store.port import Store
from backbone.store.records import Query
from tests.contracts.conftest import Clock
from tests.contracts.test_store_write import BARS, bars, chunk

TRADES = Dimension.TRADES
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
GREATEST = 2**63 - 1


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_known_at_a_moment_is_the_last_of_what_was_stamped_by_then(
    set_store: tuple[Store, Clock], seed: int
) -> None:
    """However the clock jumps meanwhile: it stamps rows, and never says which of them came last."""
    store, clock = set_store
    order = random.Random(seed)
    stamps, positions = [], []
    for n in range(6):
        clock.now = NEW_YEAR + timedelta(hours=order.randrange(24))
        stamps.append(clock.now)
        positions.append((await store.write(chunk(bars({0: float(n)}), f"run {n}"))).position)
    assert positions == sorted(set(positions))
    assert (await store.read(Query(BARS))).frame == bars({0: 5.0})
    for hour in range(-1, 25):
        moment = NEW_YEAR + timedelta(hours=hour)
        known = [n for n, stamp in enumerate(stamps) if stamp <= moment]
        expected = bars({0: float(known[-1])} if known else {})
        assert (await store.read(Query(BARS, as_of=moment))).frame == expected, (hour, stamps)


async def test_a_chunk_is_known_again_whatever_order_the_ids_of_runs_are_in(store: Store) -> None:
    """They are in order of time, but for a clock that was set back."""
    runs = ["019b0000-0000-7000-8000-00000000000" + digit for digit in "5273"]
    for n, run in enumerate(runs):
        assert not (await store.write(chunk(bars({n: 1.0}), run))).known
    for n, run in enumerate(runs):
        again = await store.write(chunk(bars({n: 1.0}), run))
        assert (again.known, again.inserted) == (True, 1)
    assert len(await store.journal()) == 4


async def test_the_greatest_numbers_are_kept_as_they_are(store: Store) -> None:
    row = {"symbol": "A", "ts": NEW_YEAR, "price": 1.7976931348623157e308, "size": 5e-324}
    frame = Frame.from_records(
        TRADES, [{**row, "sequence": GREATEST}, {**row, "sequence": GREATEST - 1}, {**row, "sequence": 0}]
    )
    assert (await store.write(chunk(frame, "run"))).inserted == 3
    assert (await store.read(Query(TRADES))).frame.canonical_bytes() == frame.canonical_bytes()
    assert (await store.write(chunk(frame, "another run"))).unchanged == 3


async def test_behind_the_greatest_number_there_is_no_further_one(store: Store) -> None:
    row = {"symbol": "A", "ts": NEW_YEAR, "size": 1.0}
    await store.write(chunk(Frame.from_records(TRADES, [{**row, "price": 1.0, "sequence": GREATEST}]), "run"))
    further = Frame.from_records(TRADES, [{**row, "price": 2.0, "sequence": None}])
    with pytest.raises(ValueError, match=f"sequence {GREATEST} is stored: none comes behind it"):
        await store.write(chunk(further, "run"))
    assert len((await store.read(Query(TRADES))).frame) == 1


async def test_a_position_beyond_the_greatest_is_behind_everything(store: Store) -> None:
    await store.write(chunk(bars({0: 1.0}), "run"))
    assert await store.read_outbox(GREATEST) == []
    await store.advance("kafka", 0, GREATEST, 0)
    assert await store.cursor("kafka", 0) == GREATEST
