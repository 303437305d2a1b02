"""Few rows at a time: how often the store speaks with its server, and that it writes what many rows at a time write."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from backbone.domain import Frame, codec
from backbone.services import native
from backbone.store.records import Bucket, Outcome, Query, WriteResult
from backbone.store.timescale import Bounds, TimescaleStore
from tests.services.proxy import Proxy, proxy
from tests.services.stores import (
    BARS,
    DAY,
    bars,
    chunk,
    opened,
)

ONE = Bounds(pool_size=1, max_overflow=0, pre_ping=False)


async def asked(store: TimescaleStore, line: Proxy, query: Query) -> int:
    before = line.turns
    await store.read(query)
    return line.turns - before


async def spoken(store: TimescaleStore, line: Proxy, frame: Frame, run: str, epoch: int | None = None) -> int:
    before = line.turns
    await store.write(chunk(frame, run, epoch=epoch))
    return line.turns - before


@pytest.mark.parametrize("fenced", [False, True])
async def test_a_live_commit_is_four_round_trips_and_a_correction_five(
    services: native.Services, dsn: str, store: TimescaleStore, fenced: bool
) -> None:
    epoch = await store.claim_epoch("csv", BARS) if fenced else None
    async with proxy(services.port("timescale")) as line, opened(line.dsn(dsn), bounds=ONE) as near:
        for n in range(2):  # the client prepares each statement once
            fresh = await spoken(near, line, bars({n: 1.0}), f"fresh {n}", epoch)
            corrected = await spoken(near, line, bars({n: 2.0}), f"corrected {n}", epoch)
    assert (fresh, corrected) == (4, 5)


@pytest.mark.parametrize(
    ("query", "turns"),
    [
        (Query(BARS, ("EURUSD",), "1h", limit=1), 1),
        (Query(BARS, ("EURUSD",), "1h", limit=500), 1),
        (Query(BARS, ("EURUSD", "GBPUSD"), limit=500), 1),
        (Query(BARS, limit=500), 1),
        (Query(BARS, ("EURUSD",), "1h", start=DAY, end=DAY + timedelta(days=300)), 1),
        # in a transaction that groups without a sort: a third less time over a day of trades, two turns more
        (Query(BARS, ("EURUSD",), "1h", start=DAY, bucket=Bucket("4h", 14_400_000_000, 0, 3_600_000_000)), 3),
        (Query(BARS, ("EURUSD",), "1h"), 5),  # too many for one answer of unknown size: in a transaction, by pages
    ],
    ids=["newest", "newest 500", "of two", "of all", "range", "bars made", "many"],
)
async def test_a_read_is_one_round_trip_but_for_bars_made_and_very_many_rows(
    services: native.Services, dsn: str, store: TimescaleStore, query: Query, turns: int
) -> None:
    await store.write(chunk(bars(dict.fromkeys(range(8_200), 1.0)), "run"))
    async with proxy(services.port("timescale")) as line, opened(line.dsn(dsn), bounds=ONE) as near:
        for _ in range(4):  # each statement is prepared once; the third of one symbol is a statement of its own
            await near.read(query)
        assert await asked(near, line, query) == turns


@pytest.mark.parametrize("rows", [1, 50, 51, 1500])
async def test_few_rows_come_to_the_same_as_many(store: TimescaleStore, rows: int) -> None:
    """New ones, equal ones, other ones and some of each, by parameters as by COPY."""

    def told(result: WriteResult) -> tuple[int, int, int, bool, int]:
        return result.inserted, result.changed, result.unchanged, result.known, len(result.outcomes)

    one, two = (bars(dict.fromkeys(range(rows), value)) for value in (1.0, 2.0))
    more = bars({n: 3.0 if n % 2 else 2.0 for n in range(rows + 10)})
    assert told(await store.write(chunk(one, "a"))) == (rows, 0, 0, False, rows)
    assert told(await store.write(chunk(one, "b"))) == (0, 0, rows, True, 0)
    assert told(await store.write(chunk(two, "c"))) == (0, rows, 0, False, rows)
    assert told(await store.write(chunk(one, "d"))) == (0, rows, 0, False, rows)
    await store.write(chunk(two, "e"))
    last = await store.write(chunk(more, "f"))
    assert told(last) == (10, rows // 2, rows - rows // 2, False, rows + 10)
    assert (await store.read(Query(BARS))).frame == more
    written = await store.read_outbox(0)
    assert written[-1].position == last.position
    assert [row.rows for row in written] == [rows, rows, rows, rows, 10 + rows // 2]


@pytest.mark.parametrize("meeting", [0, 5])
async def test_few_late_rows_among_many_come_to_the_same_as_many_among_few(store: TimescaleStore, meeting: int) -> None:
    """Some of them equal, some other, some missing, some behind all that is stored."""
    many: dict[int, float | None] = {2 * n: float(n) for n in range(1000)}
    late: dict[int, float | None] = {2 * n + 1: -1.0 for n in range(100)}
    late |= {2500 + n: -2.0 for n in range(10)}
    late |= {2 * n: float(n) for n in range(meeting)} | {2 * n: -3.0 for n in range(500, 500 + meeting)}
    await store.write(chunk(bars(many), "many"))
    result = await store.write(chunk(bars(late), "late"))
    assert (result.inserted, result.changed, result.unchanged) == (110, meeting, meeting)
    assert (await store.read(Query(BARS))).frame == bars(many | late)
    assert sum(row.rows for row in await store.read_outbox(0)) == 1000 + 110 + meeting


@pytest.mark.parametrize("stored", [0, 7, 700, 999])
async def test_one_stored_row_among_many_that_seem_new_is_found(store: TimescaleStore, stored: int) -> None:
    """Wherever it stands, also where the rows before it made a chunk of the hypertable that was not there."""
    late: dict[int, float | None] = {2 * n + 1: float(n) for n in range(1000)}
    many: dict[int, float | None] = {0: 1.0, 2 * stored + 1: -1.0, 5000: 1.0}
    await store.write(chunk(bars(many), "many"))
    result = await store.write(chunk(bars(late), "late"))
    assert (result.inserted, result.changed, result.unchanged) == (999, 1, 0)
    assert result.outcomes.count(bytes([Outcome.CHANGED])) == 1
    assert result.outcomes[stored] == Outcome.CHANGED
    assert (await store.read(Query(BARS))).frame == bars(many | late)
    written = await store.read_outbox(0)
    assert [row.rows for row in written] == [3, 1000]
    assert written[-1].position == result.position


async def test_late_rows_of_which_none_is_stored_are_not_compared(
    services: native.Services, dsn: str, store: TimescaleStore
) -> None:
    """Some keys are looked up, and all rows go straight into the table: three messages more than of rows proven new."""
    async with proxy(services.port("timescale")) as line, opened(line.dsn(dsn), bounds=ONE) as near:
        for n in range(2):  # the client prepares each statement once
            new = await spoken(near, line, bars({10_000 * n + 20 * k: 1.0 for k in range(60)}), f"new {n}")
            late = await spoken(near, line, bars({10_000 * n + 20 * k + 1: 1.0 for k in range(59)}), f"late {n}")
    assert late == new + 3


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_history_of_larger_chunks_ends_where_a_dictionary_would(
    store: TimescaleStore, seed: int
) -> None:
    """New, late, equal and other rows in any mixture; what is counted, stored and published agrees."""
    chance = random.Random(seed)
    model: dict[int, float | None] = {}
    for step in range(12):
        start, span, rows = chance.randrange(6000), chance.choice([100, 1000, 6000]), chance.choice([40, 60, 90])
        values = chance.choice([[1.0], [1.0, 2.0], [float(step)]])
        keys = chance.sample(range(start, start + span), rows)
        if chance.random() < 0.5:
            keys = [key for key in keys if key not in model] + keys[: chance.randrange(3)]
        given: dict[int, float | None] = {key: chance.choice(values) for key in sorted(keys)}
        result = await store.write(chunk(bars(given), f"step {step}"))
        told = [
            Outcome.INSERTED if key not in model else Outcome.UNCHANGED if model[key] == value else Outcome.CHANGED
            for key, value in given.items()
        ]
        assert result.known or list(result.outcomes) == told
        model |= given
    assert (await store.read(Query(BARS))).frame == bars(model)
    published = [codec.decode(row.payload) for row in await store.read_outbox(0, 1000)]
    assert Frame.concat(published) == bars(model)
