"""Live rows: what they wait for, what becomes of those behind a refusal, and what each caller is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import numpy as np
import pyarrow as pa
import pytest

from backbone import Backbone, Frame, RecordResult, StoreBusy, StoreUnavailable, load_settings
from backbone.store.duckdb import DuckDBStore
from backbone.store.errors import RowRefused, StoreError, UnknownOutcome
from backbone.store.records import Chunk, WriteResult
from backbone.testing import embedded, with_store
from tests.backbone.facade.kit import BARS, START, bars, plan, write_csv

COMMIT = 0.004  # virtual seconds


class Slow(DuckDBStore):
    """A store that takes its time over each commit, and counts them; it has no time for the first ones."""

    def __init__(self, down_for: int = 0) -> None:
        super().__init__(":memory:", inline=True)
        self.writes: list[int] = []
        self._down_for = down_for

    async def write(self, chunk: Chunk) -> WriteResult:
        self.writes.append(chunk.frame.num_rows)
        await anyio.sleep(COMMIT)
        if len(self.writes) <= self._down_for:
            raise StoreBusy("others had it locked")
        return await super().write(chunk)


@asynccontextmanager
async def opened(store: DuckDBStore, **overrides: object) -> AsyncIterator[Backbone]:
    base = {"store.path": ":memory:", "store.inline": True, "control.enabled": False}
    settings = load_settings(profile="embedded", overrides={**base, **overrides})
    async with Backbone.open(settings, parts=with_store(lambda _: store)) as backbone:
        yield backbone


@pytest.mark.parametrize("rate", [10, 25, 50, 100, 1000])
async def test_evenly_paced_rows_wait_for_the_commit_under_way_and_never_for_company(rate: int) -> None:
    async with opened(Slow()) as backbone:
        waited: list[float] = []
        records = 200 if rate > 1 / COMMIT else 40  # where each has a commit of its own, all are alike

        async def send(number: int) -> None:
            began = anyio.current_time()
            await backbone.record(bars(1, start=START + timedelta(hours=number)))
            waited.append(anyio.current_time() - began)

        async with anyio.create_task_group() as group:
            for number in range(records):
                group.start_soon(send, number)
                await anyio.sleep(1 / rate)
        assert len(waited) == records
        commits = 1 if 1 / rate > COMMIT else 2  # one's own, and the one that was under way
        assert max(waited) <= commits * COMMIT + 1e-6


async def test_a_busy_writer_takes_all_that_came_meanwhile_with_its_next_commit() -> None:
    store = Slow()
    async with opened(store) as backbone, anyio.create_task_group() as group:
        group.start_soon(backbone.record, bars(1))
        await anyio.sleep(COMMIT / 2)
        for number in range(1, 50):
            group.start_soon(backbone.record, bars(1, start=START + timedelta(hours=number)))
    assert store.writes == [1, 49]


async def test_a_record_of_more_rows_than_one_transaction_may_have_is_several() -> None:
    store = Slow()
    async with opened(store) as backbone:
        rows = 250_000
        stamps = np.datetime64("2024-01-01", "us") + np.arange(rows)
        table = pa.table(
            {
                "symbol": pa.array(["EURUSD"] * rows),
                "ts": pa.array(stamps, pa.timestamp("us", tz="UTC")),
                "price": pa.array(np.ones(rows)),
            }
        )
        result = await backbone.record(Frame.from_arrow("trades", table))
        assert store.writes == [100_000, 100_000, 50_000]
        assert (result.inserted, result.position) == (rows, (await backbone.outbox()).newest)


@pytest.mark.parametrize("bad", [False, True])
async def test_equal_trades_of_a_record_that_goes_in_by_pieces_are_all_kept_and_the_same_call_again_adds_none(
    bad: bool,
) -> None:
    trade = {"symbol": "EURUSD", "ts": START, "price": 1.2, "size": 1.0}
    rows = [trade] * 25 + [{**trade, "price": -1.0, "symbol": "A"}] * bad
    async with embedded(overrides={"ingest.record_batch_rows": 10}) as backbone:
        first = await backbone.record(rows, "trades")
        assert (first.inserted, first.unchanged, first.quarantined) == (25, 0, bad)
        again = await backbone.record(rows, "trades")
        assert (again.inserted, again.unchanged, again.quarantined) == (0, 25, bad)
        assert (await backbone.fetch("trades")).num_rows == 25


async def test_callers_of_a_large_group_are_told_of_their_own_rows() -> None:
    """So many rows are worked on in a thread."""
    async with embedded(overrides={"store.inline": False}) as backbone:
        frames = [bars(1, start=START + timedelta(hours=number % 1500), close=number + 1.0) for number in range(2000)]
        results = await record_all(backbone, [*frames, bars(1, symbol="GBPUSD", close=-1.0)])
        assert results.pop().quarantined == 1
        stored = (await backbone.fetch(BARS, symbols=["EURUSD"])).column("close").tolist()
        went_in: list[list[float]] = [[] for _ in range(1500)]
        for number, result in enumerate(results):
            assert result.inserted + result.changed + result.superseded == 1, (number, result)
            if not result.superseded:
                went_in[number % 1500].append(number + 1.0)
        assert all(close in closes for close, closes in zip(stored, went_in, strict=True))
        assert sum(len(closes) == 1 for closes in went_in) > 1000


async def test_two_rows_of_one_key_that_can_not_be_true_are_both_kept_aside_and_an_equal_one_once() -> None:
    async with embedded() as backbone:
        for close in (-1.0, -2.0, -1.0):
            assert (await backbone.record(bars(1, close=close))).quarantined == 1
        kept = await backbone.quarantined()
        assert sorted("close=-1.0" in row.excerpt for row in kept) == [False, True]


async def test_rows_that_come_behind_a_refused_batch_are_written() -> None:
    async with opened(Slow(down_for=1)) as backbone, anyio.create_task_group() as group:
        outcomes: dict[int, object] = {}

        async def send(number: int) -> None:
            try:
                outcomes[number] = (await backbone.record(bars(1, start=START + timedelta(hours=number)))).inserted
            except StoreUnavailable as error:
                outcomes[number] = type(error)

        group.start_soon(send, 1)
        await anyio.sleep(COMMIT / 2)
        group.start_soon(send, 2)
        await anyio.sleep(2 * COMMIT)
        assert outcomes == {1: StoreBusy, 2: 1}


async def record_all(backbone: Backbone, frames: list[Frame]) -> list[RecordResult]:
    results: dict[int, RecordResult] = {}

    async def send(number: int) -> None:
        results[number] = await backbone.record(frames[number])

    async with anyio.create_task_group() as group:
        for number in range(len(frames)):
            group.start_soon(send, number)
    return [results[number] for number in range(len(frames))]


async def test_each_caller_of_one_commit_is_told_what_became_of_their_own_rows() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(2, close=1.2))
        bad = Frame.from_records(BARS, [{**bars(1).to_arrow().to_pylist()[0], "close": -1.0}])
        known, new, other, mixed, kept_aside, empty = await record_all(
            backbone,
            [
                bars(1, close=1.2),
                bars(2, symbol="GBPUSD"),
                bars(1, close=1.3, start=START + timedelta(hours=1)),
                bars(3, close=1.25, start=START + timedelta(hours=1)),
                bad,
                Frame.empty(BARS),
            ],
        )
        assert known == RecordResult(unchanged=1)
        assert (new.inserted, new.changed, new.unchanged, new.position > 0) == (2, 0, 0, True)
        assert other == RecordResult(superseded=1)
        assert (mixed.inserted, mixed.changed) == (2, 1)
        assert kept_aside == RecordResult(quarantined=1, reasons=("has a price of zero or less",))
        assert empty == RecordResult()
        stored = await backbone.fetch(BARS, symbols=["EURUSD"])
        assert stored.column("close").tolist() == [1.2, 1.25, 1.25, 1.25]
        assert [row.reason for row in await backbone.quarantined()] == ["has a price of zero or less"]


@pytest.mark.parametrize(
    ("dimension", "row", "reason"),
    [
        ("daily", {"close": float("nan")}, "has no price to go by"),
        ("intraday", {"interval": "1h", "open": 1.0, "high": 1.0, "low": 1.0}, "has no price to go by"),
        ("trades", {"size": 1.0}, "has no price to go by"),
        ("quotes", {"bid_size": 1.0}, "has no price to go by"),
        ("daily", {"open": 1.0, "high": 1.0, "low": 1.0, "close": float("inf")}, "has an infinite number"),
    ],
)
async def test_a_row_that_a_file_could_not_bring_in_is_not_recorded_either(
    dimension: str, row: dict[str, object], reason: str
) -> None:
    async with embedded() as backbone:
        result = await backbone.record(Frame.from_records(dimension, [{"symbol": "A", "ts": START, **row}]))
        assert (result.quarantined, result.reasons, result.position) == (1, (reason,), 0)
        assert (await backbone.fetch(dimension)).num_rows == 0


class Picky(DuckDBStore):
    """A store that refuses rows of one symbol, as a server does whose index can't take it: it does not say which."""

    def __init__(self) -> None:
        super().__init__(":memory:", inline=True)
        self.writes = 0

    async def write(self, chunk: Chunk) -> WriteResult:
        self.writes += 1
        if "BAD" in chunk.frame.symbols:
            raise RowRefused("index row size 9000 exceeds maximum 2704 (SQLSTATE 54000)")
        return await super().write(chunk)


@asynccontextmanager
async def picky(**overrides: object) -> AsyncIterator[tuple[Backbone, Picky]]:
    store = Picky()
    async with opened(store, **overrides) as backbone:
        yield backbone, store


async def test_a_row_that_the_store_refuses_takes_nobody_with_it_and_its_caller_is_told() -> None:
    async with picky() as (backbone, _):
        good, bad, mixed = await record_all(
            backbone,
            [
                bars(5, symbol="A"),
                bars(1, symbol="BAD"),
                Frame.concat([bars(2, symbol="BAD", start=START + timedelta(days=1)), bars(2)]),
            ],
        )
        assert (good.inserted, good.quarantined, good.position > 0) == (5, 0, True)
        assert (bad.inserted, bad.quarantined, bad.position) == (0, 1, 0)
        assert bad.reasons == ("the store refuses it: index row size 9000 exceeds maximum 2704 (SQLSTATE 54000)",)
        assert (mixed.inserted, mixed.quarantined) == (2, 2)
        stored = await backbone.fetch(BARS)
        assert (stored.symbols, stored.num_rows) == (("A", "EURUSD"), 7)
        assert {row.location.partition(" ")[0] for row in await backbone.quarantined()} == {"BAD"}


async def test_a_file_with_such_a_row_goes_in_but_for_that_row(tmp_path: Path) -> None:
    good = Frame.concat([bars(700, symbol=f"S{n}") for n in range(3)])
    path = write_csv(tmp_path / "bars.csv", Frame.concat([good, bars(1, symbol="BAD")]))
    async with picky(**{"ingest.chunk_rows": 1000}) as (backbone, store):
        run = await backbone.ingest(plan(path))
        assert (run.rows_read, run.inserted, run.quarantined) == (2101, 2100, 1)
        assert run.reasons == ("the store refuses it: index row size 9000 exceeds maximum 2704 (SQLSTATE 54000)",)
        assert store.writes < 30
        again = await backbone.ingest(plan(path))
        assert (again.inserted, again.unchanged, again.quarantined) == (0, 2100, 1)
        assert len(await backbone.quarantined()) == 1


async def test_a_file_that_comes_back_to_what_it_said_ends_in_that_also_where_each_chunk_has_a_row_that_is_refused(
    tmp_path: Path,
) -> None:
    said = [Frame.concat([bars(3, close=close), bars(1, symbol="BAD", close=close)]) for close in (1.0, 2.0, 1.0)]
    text = [write_csv(tmp_path / "bars.csv", frame).read_text() for frame in said]
    header = text[0].splitlines()[0]
    (tmp_path / "bars.csv").write_text("\n".join([header, *(row for each in text for row in each.splitlines()[1:])]))
    async with picky(**{"ingest.chunk_rows": 4}) as (backbone, _):
        run = await backbone.ingest(plan(tmp_path / "bars.csv"))
        assert (run.inserted, run.changed, run.quarantined) == (3, 6, 3)
        assert (await backbone.fetch(BARS)).column("close").tolist() == [1.0, 1.0, 1.0]


async def test_a_chunk_of_which_too_much_is_refused_is_refused_as_a_whole() -> None:
    async with picky() as (backbone, store):
        with pytest.raises(RowRefused, match="index row size"):
            await backbone.record(bars(500, symbol="BAD"))
        assert store.writes < 100
        assert (await backbone.fetch(BARS)).num_rows == 0
        assert await backbone.quarantined() == []


class Guarded(Picky):
    """A store with a trigger of somebody else, which says no to a symbol, or to everything."""

    def __init__(self, no_to: str) -> None:
        super().__init__()
        self._no_to = no_to

    async def write(self, chunk: Chunk) -> WriteResult:
        if any(symbol.startswith(self._no_to) for symbol in chunk.frame.symbols):
            self.writes += 1
            raise StoreError("not on my watch (SQLSTATE P0001)")
        return await super().write(chunk)


@pytest.mark.parametrize(("no_to", "refused", "writes"), [("S7", 1, 20), ("", 100, 200)])
async def test_a_trigger_that_says_no_to_one_caller_takes_no_other_with_it_and_one_that_always_does_is_soon_believed(
    no_to: str, refused: int, writes: int
) -> None:
    store = Guarded(no_to)
    async with opened(store) as backbone, anyio.create_task_group() as group:
        outcomes: list[object] = []

        async def send(symbol: str) -> None:
            try:
                outcomes.append((await backbone.record(bars(1, symbol=symbol))).inserted)
            except StoreError as error:
                outcomes.append(str(error))

        for number in range(100):
            group.start_soon(send, "S7" if number == 7 else f"S0{number}")
    assert outcomes.count("not on my watch (SQLSTATE P0001)") == refused
    assert outcomes.count(1) == 100 - refused
    assert store.writes < writes


async def test_a_caller_whose_rows_are_refused_as_a_whole_takes_no_other_with_them() -> None:
    async with picky() as (backbone, store):
        results: dict[str, object] = {}

        async def send(symbol: str, rows: int) -> None:
            try:
                results[symbol] = (await backbone.record(bars(rows, symbol=symbol))).inserted
            except RowRefused as error:
                results[symbol] = error

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(send, f"S{number}", 5)
            group.start_soon(send, "BAD", 500)
            for number in range(20, 40):
                group.start_soon(send, f"S{number}", 5)
        assert isinstance(results.pop("BAD"), RowRefused)
        assert results == {f"S{number}": 5 for number in range(40)}
        assert store.writes < 150
        assert (await backbone.fetch(BARS)).num_rows == 200


async def test_who_is_overtaken_within_a_commit_is_told_so() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(1, close=3.0))
        first, second, third = await record_all(backbone, [bars(2, close=1.0), bars(1, close=4.0), bars(1, close=3.0)])
        assert (first.inserted, first.superseded, first.unchanged) == (1, 1, 0)
        assert second == RecordResult(superseded=1)
        assert third == RecordResult(unchanged=1)
        assert (await backbone.fetch(BARS)).column("close").tolist() == [3.0, 1.0]


class Unsure(Picky):
    """A store whose first answer to a COMMIT is lost, after the rows went in."""

    async def write(self, chunk: Chunk) -> WriteResult:
        result = await super().write(chunk)
        if self.writes == 1:
            raise UnknownOutcome("the answer to COMMIT was lost; look the chunk up before a retry")
        return result


async def test_a_chunk_of_unknown_outcome_is_given_again_and_counts_once() -> None:
    store = Unsure()
    async with opened(store) as backbone:
        result = await backbone.record(bars(3))
        assert (result.inserted, store.writes) == (3, 2)
        assert (await backbone.fetch(BARS)).num_rows == 3
