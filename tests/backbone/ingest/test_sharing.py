"""Files make way for live rows: by short transactions where somebody records, and nothing is lost or doubled by it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pyarrow as pa
import pytest
from msgspec.structs import replace

from backbone import Dimension, Frame, IngestPlan
from backbone.domain.codec import decode
from backbone.domain.identifiers import ingest_id
from backbone.ingest.messages import RecordRows, RunIngest
from backbone.ingest.plan import IngestRun
from backbone.ingest.run import Run
from backbone.ingest.sharing import Sharing, write_beside_live
from backbone.sources import registry
from backbone.sources.port import SourceChunk
from backbone.store.merging import Merged, result_of
from backbone.store.messages import ClaimEpoch, WriteChunk
from backbone.store.port import Store
from backbone.store.records import Chunk, Query, WriteResult
from tests.backbone.facade.kit import START, bars, plan, write_csv
from tests.backbone.ingest.kit import Ingesting, bar, ingesting, settled
from tests.backbone.ingest.test_interrupted import NOW, SETTINGS, Died, Direct, Mortal, fresh, trades

ROWS = 20_000
TRADES = Dimension.TRADES


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("sharing") / "bars.csv", bars(ROWS, start=START.replace(year=2000)))


def many(rows: int) -> Frame:
    moments = pa.array(np.arange(rows) * 1_000_000, pa.timestamp("us", tz="UTC"))
    numbers = pa.array(np.arange(rows, dtype=float))
    columns = {"symbol": ["AAPL"] * rows, "ts": moments, "sequence": pa.array(np.arange(rows)), "price": numbers}
    return Frame.from_arrow(TRADES, pa.table({**columns, "size": numbers}))


async def begun(room: Ingesting, path: Path, run: str = "run-1") -> Any:
    answer = await room.ask(RunIngest(plan(path), run))
    (await room.desk.next(ClaimEpoch)).answer(1)
    return answer


async def record(room: Ingesting, hour: int) -> None:
    answer = await room.ask(RecordRows(bar(hour)))
    (await room.desk.next(WriteChunk)).commit()
    await answer.get()


async def test_a_file_alone_goes_in_by_one_transaction(path: Path) -> None:
    async with ingesting() as room:
        run = await begun(room, path)
        write = await room.desk.next(WriteChunk)
        assert write.frame.num_rows == ROWS
        write.commit()
        assert (await run.get()).inserted == ROWS


async def test_beside_live_rows_a_file_goes_in_piece_by_piece_and_live_rows_come_in_between(path: Path) -> None:
    async with ingesting() as room:
        await record(room, 0)
        run = await begun(room, path)
        pieces: list[Frame] = []
        while sum(piece.num_rows for piece in pieces) < ROWS:
            write = await room.desk.next(WriteChunk)
            pieces.append(write.frame)
            live = await room.ask(RecordRows(bar(len(pieces))))
            write.commit()
            (await room.desk.next(WriteChunk)).commit()
            assert (await live.get()).inserted == 1
        assert len(pieces) > 1
        assert max(piece.num_rows for piece in pieces) < ROWS
        assert [row for piece in pieces for row in piece.column("ts").tolist()] == sorted(
            row for piece in pieces for row in piece.column("ts").tolist()
        )
        result = await run.get()
        assert (result.inserted, result.chunks) == (ROWS, 1)


async def test_live_rows_that_come_while_a_piece_is_written_go_together_before_the_next_one(path: Path) -> None:
    """An embedded store writes one at a time; what it was asked for already would miss the rows that come meanwhile."""
    async with ingesting() as room:
        await record(room, 0)
        await begun(room, path)
        piece = await room.desk.next(WriteChunk)
        answers = [await room.ask(RecordRows(bar(hour))) for hour in (1, 2, 3)]
        assert not room.desk.waiting
        piece.commit()
        await settled()
        [live] = room.desk.waiting
        assert live.frame.num_rows == 3
        late = await room.ask(RecordRows(bar(4)))
        room.desk.waiting.remove(live)
        live.commit()
        assert [(await answer.get()).inserted for answer in answers] == [1, 1, 1]
        (following,) = room.desk.waiting
        assert following.frame.num_rows == 1
        room.desk.waiting.remove(following)
        following.commit()
        await late.get()
        assert (await room.desk.next(WriteChunk)).frame.num_rows > 1000


async def test_a_file_goes_on_beside_live_rows_that_never_cease(path: Path) -> None:
    async with ingesting() as room:
        await record(room, 0)
        await begun(room, path)
        piece = await room.desk.next(WriteChunk)
        await room.ask(RecordRows(bar(1)))
        piece.commit()
        sizes = []
        for hour in range(2, 10):
            write = await room.desk.next(WriteChunk)
            sizes.append(write.frame.num_rows)
            await room.ask(RecordRows(bar(hour)))
            await anyio.sleep(0.04)
            write.commit()
        pieces = [number for number, rows in enumerate(sizes) if rows > 1000]
        assert pieces == [3, 7], sizes  # each has waited for a tenth of a second


async def test_on_a_server_live_rows_do_not_wait_for_the_end_of_a_piece(path: Path) -> None:
    async with ingesting(backend="timescale") as room:
        await record(room, 0)
        await begun(room, path)
        await room.desk.next(WriteChunk)
        await room.ask(RecordRows(bar(1)))
        [live] = room.desk.waiting
        assert live.frame.num_rows == 1


async def test_once_nobody_records_any_more_the_next_file_goes_in_by_one_transaction(path: Path) -> None:
    async with ingesting() as room:
        await record(room, 0)
        await anyio.sleep(60)
        await begun(room, path)
        assert (await room.desk.next(WriteChunk)).frame.num_rows == ROWS


async def test_live_rows_that_begin_in_the_midst_of_a_file_find_it_in_short_transactions(path: Path) -> None:
    async with ingesting(chunk_rows=ROWS // 2) as room:
        await begun(room, path)
        first = await room.desk.next(WriteChunk)
        assert first.frame.num_rows == ROWS // 2
        await record(room, 0)
        first.commit()
        assert (await room.desk.next(WriteChunk)).frame.num_rows < ROWS // 2


class Timed:
    """A store whose transactions take a time for themselves and one for each row."""

    def __init__(self, row: float) -> None:
        self.row = row
        self.sizes: list[int] = []

    async def __call__(self, chunk: Chunk) -> WriteResult:
        self.sizes.append(chunk.frame.num_rows)
        result = result_of(chunk, Merged.all_new(chunk.frame))
        return replace(result, duration_s=0.002 + self.row * chunk.frame.num_rows)


def chunk_of(frame: Frame, run: str = "run") -> Chunk:
    return Chunk(ingest_id("file", frame), run, "file", frame)


@pytest.mark.parametrize("micros", [0.5, 2.0, 4.0])
async def test_pieces_are_as_large_as_a_short_time_allows_however_fast_the_store_is(micros: float) -> None:
    sharing, store, frame = Sharing(), Timed(micros * 1e-6), many(100_000)
    sharing.live(0.0)
    for number in range(4):
        await write_beside_live(store, chunk_of(frame, f"run-{number}"), sharing, lambda: 0.0)
    inner = store.sizes[-4:-1]
    assert all(0.01 < size * store.row < 0.04 for size in inner), inner


async def test_a_store_that_is_overloaded_is_not_given_ever_smaller_pieces() -> None:
    """What a transaction costs by itself would be all that it does."""
    sharing, store = Sharing(), Timed(1e-3)
    sharing.live(0.0)
    await write_beside_live(store, chunk_of(many(100_000)), sharing, lambda: 0.0)
    assert len(store.sizes) < 20


@pytest.mark.parametrize("live", [True, False], ids=["beside live rows", "alone"])
async def test_what_was_fast_does_not_make_files_go_in_whole_for_ever_after(live: bool) -> None:
    """Rows that are stored already are compared in no time; what comes behind them is written, and slower."""
    sharing, store, frame = Sharing(), Timed(1e-9), many(100_000)
    for number in range(20):
        if live:
            sharing.live(0.0)
        await write_beside_live(store, chunk_of(frame, f"fast-{number}"), sharing, lambda: 0.0)
    store.row = 3e-6
    sharing.live(0.0)
    for number in range(2):
        store.sizes.clear()
        await write_beside_live(store, chunk_of(frame, f"slow-{number}"), sharing, lambda: 0.0)
    assert max(store.sizes) * store.row < 0.1, store.sizes


async def test_what_was_known_to_be_stored_tells_nothing_of_how_long_rows_take() -> None:
    sharing, frame = Sharing(), many(100_000)
    sharing.live(0.0)

    async def known(chunk: Chunk) -> WriteResult:
        return replace(result_of(chunk, known=True), duration_s=1e-6)

    before = sharing.rows(0.0)
    await write_beside_live(known, chunk_of(frame), sharing, lambda: 0.0)
    assert sharing.rows(0.0) == before


async def test_how_fast_whole_chunks_went_in_alone_is_not_taken_for_how_fast_pieces_do_beside_live_rows() -> None:
    sharing, store = Sharing(), Timed(1e-7)
    for number in range(5):
        await write_beside_live(store, chunk_of(many(100_000), f"fast-{number}"), sharing, lambda: 0.0)
    sharing.live(0.0)
    fresh_one = Sharing()
    fresh_one.live(0.0)
    assert sharing.rows(0.0) == fresh_one.rows(0.0)


class Cutting(Sharing):
    """Live rows always come, and pieces are as long as chance will have it."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def rows(self, now: float) -> int | None:
        return self._chance.choice([1, 2, 3, 5, None])


FRAMES = {
    "bars": Frame.concat([bars(9, symbol="EURUSD"), bars(9, symbol="USDJPY")]),
    "events without a number": trades(),
}


async def carry_out(store: Any, frame: Frame, run: str, sharing: Sharing) -> WriteResult:
    salvaged = await write_beside_live(Direct(store).write, chunk_of(frame, run), sharing, lambda: 0.0)
    return salvaged.result


async def stored(store: Store, frame: Frame) -> Frame:
    return (await store.read(Query(frame.dimension))).frame


async def published(store: Store) -> int:
    rows = await store.read_outbox(0, 10_000)
    assert len({row.event_id for row in rows}) == len(rows)
    return sum(decode(row.payload).num_rows for row in rows)


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("seed", range(8))
async def test_cut_anywhere_and_again_elsewhere_each_row_is_stored_and_published_once(kind: str, seed: int) -> None:
    """A process dies at some piece; another one gives the same content again, cut in other places or not at all."""
    chance, frame = random.Random(seed), FRAMES[kind]
    async with fresh() as store:
        await carry_out(store, frame, "run-whole", Sharing())
        expected = await stored(store, frame)
    async with fresh() as store:
        mortal = Mortal(store, chance.randint(1, 4), before=chance.random() < 0.5)
        with suppress(Died):
            await carry_out(mortal, frame, "run-0", Cutting(chance))
        results = [await carry_out(store, frame, f"run-{n}", Cutting(chance)) for n in (1, 2)]
        again = await carry_out(store, frame, "run-3", Sharing())
        assert (await stored(store, frame)).fingerprint == expected.fingerprint
        assert await published(store) == frame.num_rows
        assert [each.rows for each in results] == [frame.num_rows] * 2
        assert (results[1].unchanged, again.unchanged) == (frame.num_rows,) * 2
        assert (await carry_out(store, frame, "run-4", Sharing())).known  # compared once, known from then on


class Vintage:
    """A source of figures that were known at a moment."""

    name = "plugin"

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def describe(self) -> str:
        return self.name

    def chunks(self, *, progress: Any = None) -> Iterator[SourceChunk]:
        yield SourceChunk(self._frame, (), "", self._frame.num_rows, known_at=NOW - timedelta(days=1))


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(2, 6))
async def test_figures_that_are_revised_lose_none_where_their_run_goes_on_after_a_crash(
    monkeypatch: pytest.MonkeyPatch, at: int, before: bool
) -> None:
    """What the first try wrote is left out by the second one, and so its pieces are of other rows."""
    moments = [NOW - timedelta(days=100 - day) for day in range(8)]
    rows = [{"calendar": "CPI", "event": "CPI", "ts": ts, "actual": float(n)} for n, ts in enumerate(moments)]
    frame = Frame.from_records(Dimension.MACRO_EVENTS, rows)
    monkeypatch.setattr(registry, "_load", lambda _: lambda **_: Vintage(frame))
    plan = IngestPlan(dimensions=[Dimension.MACRO_EVENTS], source="plugin")
    sharing = Sharing()
    sharing.rows = lambda now: 2  # type: ignore[method-assign]

    async def carry_out(store: Any) -> IngestRun:
        work = Run(plan, "run", Direct(store), SETTINGS, lambda *_: None, lambda: 0.0, now=lambda: NOW, sharing=sharing)
        return await work.execute()

    async with fresh() as store:
        with pytest.raises(Died):
            await carry_out(Mortal(store, at, before=before))
        run = await carry_out(store)
        assert (run.inserted + run.unchanged, run.filtered) == (frame.num_rows, 0)
        assert (await stored(store, frame)).fingerprint == frame.fingerprint
        assert await published(store) == frame.num_rows


@pytest.mark.parametrize("before", [True, False])
async def test_a_run_that_goes_on_after_a_crash_is_told_what_its_first_try_did(before: bool) -> None:
    frame, sharing = FRAMES["bars"], Cutting(random.Random(7))
    async with fresh() as store:
        with pytest.raises(Died):
            await carry_out(Mortal(store, 3, before=before), frame, "run", sharing)
        result = await carry_out(store, frame, "run", sharing)
        assert (result.inserted, result.unchanged) == (frame.num_rows, 0)
        assert await published(store) == frame.num_rows


async def test_a_chunk_that_was_begun_as_a_whole_is_gone_on_with_as_a_whole_though_live_rows_come_by_now() -> None:
    frame, sharing = FRAMES["bars"], Sharing()
    async with fresh() as store:
        with pytest.raises(Died):
            await carry_out(Mortal(store, 1, before=False), frame, "run", sharing)
        sharing.rows = lambda now: 2  # type: ignore[method-assign]
        result = await carry_out(store, frame, "run", sharing)
        assert (result.inserted, result.unchanged) == (frame.num_rows, 0)
        assert await published(store) == frame.num_rows


async def test_a_piece_keeps_which_of_several_equal_events_of_its_run_each_row_is() -> None:
    """A run that gives the same events again in another chunk means others, the second of their kind."""
    moments = [START + timedelta(seconds=second) for second in range(9)]
    frame = Frame.from_records(TRADES, [{"symbol": "AAPL", "ts": ts, "price": 1.0, "size": 1.0} for ts in moments])
    sharing = Cutting(random.Random(1))
    async with fresh() as store:
        for nth in (0, 1):
            counted = np.full(frame.num_rows, nth, dtype=np.int64).tobytes()
            chunk = Chunk(ingest_id("file", frame, counted), "run", "file", frame, nth=counted)
            await write_beside_live(Direct(store).write, chunk, sharing, lambda: 0.0)
        assert (await stored(store, frame)).num_rows == 2 * frame.num_rows


async def test_events_of_one_moment_stay_in_one_piece() -> None:
    sharing, store, frame = Sharing(), Timed(1e-6), trades()
    stamps = frame.column("ts")
    sharing.rows = lambda now: 1  # type: ignore[method-assign]
    await write_beside_live(store, chunk_of(frame), sharing, lambda: 0.0)
    ends = np.cumsum(store.sizes)[:-1]
    assert len(ends) > 1
    assert (stamps[ends] != stamps[ends - 1]).all()


async def test_equal_events_of_one_moment_that_is_cut_apart_are_all_stored() -> None:
    """A moment of very many events ends a piece before it ends; those behind the cut are no repetition."""
    rows = [{"symbol": "AAPL", "ts": START, "price": 1.0, "size": 1.0}] * 600
    frame, sharing = Frame.from_records(TRADES, rows), Sharing()
    sharing.rows = lambda now: 300  # type: ignore[method-assign]
    async with fresh() as store:
        for run in ("run-0", "run-1"):
            assert (await carry_out(store, frame, run, sharing)).rows == len(rows)
            assert (await stored(store, frame)).num_rows == len(rows)
        assert await published(store) == len(rows)


async def test_what_was_begun_is_remembered_however_many_others_are_done_meanwhile() -> None:
    sharing, store, frame = Sharing(), Timed(1e-6), bars(1)
    sharing.ends(chunk_of(frame, "begun")).append(1)
    for number in range(200):
        await write_beside_live(store, chunk_of(frame, f"run-{number}"), sharing, lambda: 0.0)
    assert sharing.ends(chunk_of(frame, "begun")) == [1]


def test_what_is_remembered_of_chunks_that_were_never_done_is_bounded() -> None:
    sharing, frame = Sharing(), bars(1)
    for number in range(1000):
        sharing.ends(chunk_of(frame, f"run-{number}")).append(1)
    assert sharing.ends(chunk_of(frame, "run-999")) == [1]
    assert sharing.ends(chunk_of(frame, "run-0")) == []
