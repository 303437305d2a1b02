"""Bad rows are looked at, judged again by today's rules, and dropped; none is lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backbone import Backbone, Dimension, Frame, StoreUnavailable
from backbone.domain.identifiers import ingest_id
from backbone.facade.quarantine import ShownRows, SomeRows
from backbone.ingest.reconsidering import SUPERSEDED, Reconsidered
from backbone.store.port import Store
from backbone.store.records import Chunk, WriteResult
from backbone.testing import Faults, embedded, with_store
from tests.backbone.facade.kit import BARS, START, bars, plan
from tests.backbone.ingest.test_mending import UNIT, framed, ingested, written
from tests.backbone.quality.repairs.labelled import faulty

BAD = bars(2, close=-5.0, symbol="CRUDE")
ALLOWED = {"quality.nonpositive_prices": "allow"}


@asynccontextmanager
async def holding(path: Path, *frames: Frame, **more: Any) -> AsyncIterator[Backbone]:
    """A backbone whose rules have changed since it met some bad rows: prices may be zero or less."""
    async with embedded(overrides={"store.path": str(path)}) as backbone:
        for frame in frames:
            await backbone.record(frame)
    async with embedded(overrides={"store.path": str(path), **ALLOWED}, **more) as backbone:
        yield backbone


async def test_rows_that_todays_rules_allow_go_in_and_are_forgotten(tmp_path: Path) -> None:
    async with holding(tmp_path / "store.duckdb", BAD) as backbone:
        rows = await backbone.quarantine.list()
        assert len(rows) == 2
        assert await backbone.quarantine.replay([rows[0].id]) == Reconsidered(taken=1)
        assert [row.id for row in await backbone.quarantine.list()] == [rows[1].id]
        assert await backbone.quarantine.replay() == Reconsidered(taken=1)
        assert await backbone.quarantined() == []
        assert (await backbone.fetch(BARS)).canonical_bytes() == BAD.canonical_bytes()
        assert await backbone.quarantine.replay() == Reconsidered()


async def test_rows_that_are_bad_today_as_well_stay_with_todays_reason(tmp_path: Path) -> None:
    wrong = Frame.from_records(
        BARS,
        [{"symbol": "A", "interval": "1h", "ts": START, "open": -1.0, "high": -2.0, "low": -1.0, "close": -1.5}],
    )
    async with holding(tmp_path / "store.duckdb", wrong) as backbone:
        [row] = await backbone.quarantine.list()
        assert "price of zero or less" in row.reason
        assert await backbone.quarantine.replay() == Reconsidered(stayed=1)
        [now] = await backbone.quarantine.list()
        assert now.reason == "has a high below its low"
        assert (now.location, now.payload, now.at) == (row.location, row.payload, row.at)
        assert await backbone.quarantine.replay([now.id]) == Reconsidered(stayed=1)
        assert await backbone.quarantine.list() == [now]


async def test_a_row_takes_no_other_versions_place(tmp_path: Path) -> None:
    good = bars(1, close=3.0, symbol="CRUDE")
    async with holding(tmp_path / "store.duckdb", BAD, good) as backbone:
        assert await backbone.quarantine.replay() == Reconsidered(taken=1, stayed=1)
        [left] = await backbone.quarantine.list()
        assert left.reason == SUPERSEDED
        assert (await backbone.fetch(BARS)).column("close").tolist() == [3.0, -5.0]


async def test_a_version_that_is_stored_while_its_row_is_judged_stands(tmp_path: Path) -> None:
    """It comes at the last moment: just before the row would be written."""
    newer = bars(1, close=3.0, symbol="CRUDE")
    late = Late(Chunk(ingest_id("live", newer), "late", "live", newer))
    async with holding(tmp_path / "store.duckdb", BAD, parts=with_store(lambda make: late.of(make()))) as backbone:
        assert await backbone.quarantine.replay() == Reconsidered(taken=1, stayed=1)
        [left] = await backbone.quarantine.list()
        assert left.reason == SUPERSEDED
        assert (await backbone.fetch(BARS)).column("close").tolist() == [3.0, -5.0]


class Late:
    """A store into which another one writes before the first row that is taken out of quarantine."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk: Chunk | None = chunk
        self._store: Any = None

    def of(self, store: Store) -> Store:
        self._store = store
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, chunk: Chunk) -> WriteResult:
        if self.chunk is not None and "quarantine" in chunk.metadata:
            other, self.chunk = self.chunk, None
            await self._store.write(other)
        result: WriteResult = await self._store.write(chunk)
        return result


async def test_of_two_bad_versions_of_a_row_the_newer_goes_in_and_the_other_stays(tmp_path: Path) -> None:
    older, newer = bars(1, close=-4.0, symbol="CRUDE"), bars(1, close=-5.0, symbol="CRUDE")
    async with holding(tmp_path / "store.duckdb", older, newer) as backbone:
        assert await backbone.quarantine.replay() == Reconsidered(taken=1, stayed=1)
        assert (await backbone.fetch(BARS)).num_rows == 1
        assert len(await backbone.quarantine.list()) == 1


async def test_events_without_a_number_go_in_once(tmp_path: Path) -> None:
    trade = {"symbol": "CRUDE", "ts": START, "price": -1.0, "size": 1.0}
    bad = Frame.from_records(Dimension.TRADES, [trade, {**trade, "price": -2.0}])
    async with holding(tmp_path / "store.duckdb", bad) as backbone:
        assert await backbone.quarantine.replay() == Reconsidered(taken=2)
        assert sorted((await backbone.fetch("trades")).column("price").tolist()) == [-2.0, -1.0]


async def test_texts_that_could_not_be_read_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("ts,symbol,open,high,low,close,volume\n2018-06-04T00:00Z,A,1,1,1,nonsense,\n")
    async with embedded() as backbone:
        await backbone.ingest(plan(path))
        [row] = await backbone.quarantine.list()
        assert await backbone.quarantine.replay() == Reconsidered(texts=1)
        assert await backbone.quarantine.list() == [row]
        [shown] = (await backbone.quarantine.shown(ids=[row.id])).rows
        assert (shown.replayable, shown.values) == (False, {})


async def test_a_row_is_shown_with_its_values() -> None:
    async with embedded() as backbone:
        await backbone.record(BAD)
        row = (await backbone.quarantine.list())[0]
        [shown] = (await backbone.quarantine.shown(ids=[row.id])).rows
        assert (shown.id, shown.replayable, shown.values["symbol"], shown.values["close"]) == (
            *(row.id, True),
            *("CRUDE", "-5"),
        )
        assert (await backbone.quarantine.shown(1)).rows[0].values == {}


async def test_rows_are_dropped_by_name_or_all() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(250, close=-5.0))
        row = (await backbone.quarantine.list())[0]
        assert await backbone.quarantine.drop([row.id]) == 1
        assert await backbone.quarantine.drop() == 249
        assert await backbone.quarantined() == []
        assert await backbone.quarantine.drop() == 0


async def test_that_many_are_dropped_asks_the_store_a_few_times() -> None:
    """A hundred at a time, each sought among all, would take days of a quarantine that a bad feed has filled."""
    asked: list[str] = []
    counted = with_store(lambda make: Counted(make(), asked))
    async with embedded(parts=counted) as backbone:
        await backbone.record(bars(1_000, close=-5.0))
        asked.clear()
        assert await backbone.quarantine.drop() == 1_000
        assert asked == ["quarantined", "clear_quarantine"]
        assert await backbone.quarantined() == []


class Counted:
    """A store that takes down what it is asked of bad rows."""

    def __init__(self, store: Store, asked: list[str]) -> None:
        self._store = store
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        if "quarantine" in name:
            self._asked.append(name)
        return getattr(self._store, name)


async def test_a_name_that_is_none_changes_nothing(tmp_path: Path) -> None:
    async with holding(tmp_path / "store.duckdb", BAD) as backbone:
        row = (await backbone.quarantine.list())[0]
        for verb in (backbone.quarantine.replay, backbone.quarantine.drop):
            with pytest.raises(ValueError, match="no bad row '00ff'; backbone quarantine list shows all"):
                await verb([row.id, "00ff"])
        assert len(await backbone.quarantine.list()) == 2


async def test_a_row_is_never_lost_wherever_its_replay_is_cut_off(tmp_path: Path) -> None:
    """Before each request to the store it goes away; afterwards the row is in, or kept aside, or both."""
    for number in range(1, 9):
        path = tmp_path / f"{number}.duckdb"
        faults = Faults()
        cut = Cut(number)
        async with holding(path, BAD, parts=with_store(lambda make, cut=cut: cut.of(make()))) as backbone:  # type: ignore[misc]
            cut.armed = True
            with suppress(StoreUnavailable):
                await backbone.quarantine.replay()
            cut.armed = False
        async with embedded(faults=faults, overrides={"store.path": str(path), **ALLOWED}) as backbone:
            stored = (await backbone.fetch(BARS)).num_rows
            assert stored + len(await backbone.quarantine.list()) >= 2
            await backbone.quarantine.replay()
            assert (await backbone.fetch(BARS)).canonical_bytes() == BAD.canonical_bytes()
            assert await backbone.quarantine.list() == []


async def test_a_row_that_stays_is_never_lost_wherever_its_replay_is_cut_off(tmp_path: Path) -> None:
    wrong = Frame.from_records(
        BARS,
        [{"symbol": "A", "interval": "1h", "ts": START, "open": -1.0, "high": -2.0, "low": -1.0, "close": -1.5}],
    )
    for number in range(1, 5):
        cut = Cut(number)
        path = tmp_path / f"{number}.duckdb"
        async with holding(path, wrong, parts=with_store(lambda make, cut=cut: cut.of(make()))) as backbone:  # type: ignore[misc]
            cut.armed = True
            with suppress(StoreUnavailable):
                await backbone.quarantine.replay()
            cut.armed = False
        async with embedded(overrides={"store.path": str(path), **ALLOWED}) as backbone:
            assert await backbone.quarantine.list()
            await backbone.quarantine.replay()
            [row] = await backbone.quarantine.list()
            assert row.reason == "has a high below its low"


class Cut:
    """A store that is gone from the so-manieth request on that has to do with bad rows."""

    def __init__(self, number: int) -> None:
        self.armed = False
        self._left = number

    def of(self, store: Store) -> Store:
        return _Cut(self, store)  # type: ignore[return-value]

    def meet(self, name: str) -> None:
        if self.armed and name in {"quarantined", "read", "write", "quarantine", "delete_quarantined"}:
            self._left -= 1
            if self._left <= 0:
                raise StoreUnavailable("gone")


class _Cut:
    def __init__(self, cut: Cut, store: Store) -> None:
        self._cut = cut
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._store, name)

        async def asked(*args: Any, **kwargs: Any) -> Any:
            self._cut.meet(name)
            return await method(*args, **kwargs)

        return method if name in {"open", "close", "migrate", "let_go"} else asked


async def test_the_socket_does_it_some_at_a_time(tmp_path: Path) -> None:
    async with holding(tmp_path / "store.duckdb", bars(150, close=-5.0), bars(1, close=-7.0)) as backbone:
        answers = backbone._mending_answers()
        listed = msgspec.json.decode(await answers["quarantine"]({"limit": 3}), type=ShownRows)
        assert len(listed.rows) == 3
        given: Mapping[str, Any] = {}
        done, rounds = Reconsidered(), 0
        while True:
            some = msgspec.json.decode(await answers["replay_quarantine"](given), type=SomeRows)
            done, rounds = done + some.done, rounds + 1
            if some.until is None:
                break
            given = {"until": some.until.isoformat(), "skip": some.skip}
        assert done == Reconsidered(taken=150, stayed=1)
        assert rounds == 3
        assert len(await backbone.quarantine.list(1)) == 1
        dropped = msgspec.json.decode(await answers["drop_quarantine"]({}), type=SomeRows)
        assert dropped.dropped == 1


async def test_rows_that_came_after_the_first_look_are_neither_replayed_nor_dropped(tmp_path: Path) -> None:
    async with holding(tmp_path / "store.duckdb", BAD, bars(1, close=-5.0, symbol="GAS")) as backbone:
        answers = backbone._mending_answers()
        newer, *older = await backbone.quarantine.list()
        assert newer.at > older[0].at
        given = {"until": older[0].at.isoformat()}
        replayed = msgspec.json.decode(await answers["replay_quarantine"](given), type=SomeRows)
        assert replayed.done == Reconsidered(taken=2)
        assert msgspec.json.decode(await answers["drop_quarantine"](given), type=SomeRows).dropped == 0
        assert await backbone.quarantine.list() == [newer]
        until = {"until": newer.at.isoformat()}
        assert msgspec.json.decode(await answers["drop_quarantine"](until), type=SomeRows).dropped == 1


async def test_what_a_rule_of_repair_holds_goes_in_only_when_the_rule_is_off(tmp_path: Path) -> None:
    store = {"store.path": str(tmp_path / "store.duckdb")}
    async with embedded(overrides={**store, "quality.repair.unit": "quarantine"}) as backbone:
        await ingested(backbone, written(tmp_path / "bars.csv", framed(UNIT, faulty(UNIT))))
        held = len(await backbone.quarantined())
        assert held
        assert await backbone.quarantine.replay() == Reconsidered(stayed=held)
    async with embedded(overrides=store) as backbone:
        assert await backbone.quarantine.replay() == Reconsidered(taken=held)
