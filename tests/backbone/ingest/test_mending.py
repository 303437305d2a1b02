"""Runs that mend bars: what goes in, what is kept of what was given, and that nothing depends on where chunks end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc
import pytest

from actors import Reject
from backbone import Backbone, Dimension, Frame, IngestPlan
from backbone.domain import Status
from backbone.ingest.mending import Mending
from backbone.ingest.plan import IngestRun
from backbone.ingest.salvage import write_what_goes_in
from backbone.quality.repair import Remedies
from backbone.sources.actions import Action, Actions, read_actions
from backbone.sources.errors import SourceError
from backbone.store.merging import Merged, result_of
from backbone.store.messages import ReadJournal, ReadQuarantine, ReadRepairs
from backbone.store.records import Chunk, QuarantineRow, RepairRow, WriteResult
from backbone.testing import embedded
from tests.backbone.ingest.tables import accounted
from tests.backbone.quality.repairs.labelled import BEFORE, PRICES, Case, cases, faulty, first_day, frame, right

DAILY = Dimension.DAILY_BARS
PAIRS = {case.name: case for case in cases()}
UNIT, SPLIT, DIVIDEND, MISSING = (PAIRS[name] for name in ("vod-unit", "aapl-2020", "msft-dividend-2004", "ibm-open"))
ALL = {f"quality.repair.{rule}": "repair" for rule in ("unit", "split", "dividend", "missing")}


def framed(case: Case, columns: Mapping[str, object]) -> Frame:
    return frame(case.symbol, first_day(case.event), columns)  # type: ignore[arg-type]


def written(path: Path, *frames: Frame, newest_first: bool = False) -> Path:
    rows = [row for each in frames for row in each.to_arrow().to_pylist()]
    lines = [
        ",".join([row["symbol"], f"{row['ts']:%Y-%m-%d}", *("" if row[n] is None else repr(row[n]) for n in NUMBERS)])
        for row in sorted(rows, key=lambda row: row["ts"], reverse=newest_first)
    ]
    path.write_text("\n".join([",".join(["symbol", "date", *NUMBERS]), *lines]) + "\n", encoding="utf-8")
    return path


NUMBERS = (*PRICES, "volume", "adj_close")


def known(path: Path, *given: Action) -> str:
    lines = [f"{each.symbol},{each.day},{each.split or ''},{each.dividend or ''}" for each in given]
    path.write_text("\n".join(["symbol,date,split,dividend", *lines]) + "\n", encoding="utf-8")
    return str(path)


async def ingested(backbone: Backbone, path: Path, **more: object) -> IngestRun:
    run = await backbone.ingest(IngestPlan(dimensions=[DAILY], path=path, **more))  # type: ignore[arg-type]
    accounted(run)
    return run


async def repairs(backbone: Backbone) -> list[RepairRow]:
    found: list[RepairRow] = await backbone._ask("store", ReadRepairs(DAILY, limit=10_000))
    return found


async def aside(backbone: Backbone) -> list[QuarantineRow]:
    found: list[QuarantineRow] = await backbone._ask("store", ReadQuarantine(1_000))
    return found


def same(one: Frame, other: Frame, share: float = 1e-4) -> bool:
    return all(
        (abs(one.column(name) - other.column(name)) <= share * abs(other.column(name))).all() for name in NUMBERS
    )


async def test_nothing_is_mended_until_it_is_asked_for(tmp_path: Path) -> None:
    given = framed(UNIT, faulty(UNIT))
    async with embedded() as backbone:
        run = await ingested(backbone, written(tmp_path / "a.csv", given))
        assert await backbone.fetch(DAILY) == given
        assert run.mended == {}
        assert await repairs(backbone) == []


async def test_mended_rows_go_in_and_what_was_given_is_kept(tmp_path: Path) -> None:
    given = framed(UNIT, faulty(UNIT))
    async with embedded(overrides=ALL) as backbone:
        run = await ingested(backbone, written(tmp_path / "a.csv", given))
        assert same(await backbone.fetch(DAILY), framed(UNIT, right(UNIT)))
        assert run.mended == {"unit": 4}
        assert run.quality is not None
        assert [f.count for f in run.quality.findings if f.code == "mended_unit"] == [4]
        assert run.quality.status is Status.OK
        assert "| unit | 4 |" in run.to_markdown()
        [journalled] = await backbone._ask("store", ReadJournal(5, DAILY))
        assert journalled.metadata["mended"] == "4"
        kept = sorted(await repairs(backbone), key=lambda each: each.ts)
        assert len(kept) == 4
        place = BEFORE
        assert kept[0].symbol == "VOD.L"
        assert kept[0].ts.date() == UNIT.event
        assert kept[0].original == {name: given.column(name)[place] for name in (*PRICES, "adj_close")}
        assert kept[0].repaired["close"] == pytest.approx(100 * kept[0].original["close"])  # type: ignore[operator]
        assert kept[0].why == "its prices are 1/100 of those of other bars"
        assert (kept[0].rules, kept[0].run_id, kept[0].source) == ("unit", run.run_id, run.source)
        [why] = (await backbone.why("VOD.L", kept[0].ts)).found
        assert why.repairs[0].startswith("unit: its prices are 1/100 of those of other bars; open: 0.691359, ")
        assert given.start is not None
        [other] = (await backbone.why("VOD.L", given.start)).found
        assert other.repairs == ()


@pytest.mark.parametrize("case", [SPLIT, DIVIDEND, MISSING], ids=lambda case: case.rule)
async def test_every_rule_mends_in_a_run(tmp_path: Path, case: Case) -> None:
    actions = known(tmp_path / "actions.csv", *case.actions) if case.actions else None
    async with embedded(overrides=ALL | {"quality.repair.actions": actions}) as backbone:
        run = await ingested(backbone, written(tmp_path / "a.csv", framed(case, faulty(case))))
        assert set(run.mended) == {case.rule}
        share = 0.02 if case.rule == "missing" else 1e-4
        assert same(await backbone.fetch(DAILY), framed(case, right(case)), share)


async def test_splits_that_the_store_knows_are_known(tmp_path: Path) -> None:
    day = datetime(SPLIT.event.year, SPLIT.event.month, SPLIT.event.day, tzinfo=UTC)
    event = {"calendar": "AAPL", "event": "Split", "ts": day, "actual": 4.0}
    async with embedded(overrides=ALL) as backbone:
        await backbone.record(Frame.from_records("macro_events", [event]))
        run = await ingested(backbone, written(tmp_path / "a.csv", framed(SPLIT, faulty(SPLIT))))
        assert run.mended == {"split": BEFORE}
        assert same(await backbone.fetch(DAILY), framed(SPLIT, right(SPLIT)))


@pytest.mark.parametrize("chunk_rows", [7, 50, 99, 100, 101, 640, 100_000])
@pytest.mark.parametrize("newest_first", [False, True])
async def test_what_is_mended_does_not_depend_on_where_chunks_end(
    tmp_path: Path, chunk_rows: int, newest_first: bool
) -> None:
    chosen = (UNIT, SPLIT, DIVIDEND, MISSING)
    path = written(tmp_path / "a.csv", *(framed(case, faulty(case)) for case in chosen), newest_first=newest_first)
    actions = known(tmp_path / "actions.csv", *(action for case in chosen for action in case.actions))
    async with embedded(overrides=ALL | {"quality.repair.actions": actions}) as backbone:
        run = await ingested(backbone, path, chunk_rows=chunk_rows)
        assert run.mended == {"unit": 4, "split": BEFORE, "dividend": BEFORE, "missing": 3}
        assert len(await repairs(backbone)) == 2 * BEFORE + 7
        found = await backbone.fetch(DAILY)
        for case in chosen:
            assert same(found.select([case.symbol]), framed(case, right(case)), 0.02)


async def test_bars_of_each_interval_are_a_series_of_their_own(tmp_path: Path) -> None:
    begin, minutes = datetime(2024, 3, 4, 8, tzinfo=UTC), {"5m": 5, "1h": 60}
    lines, pounds = ["symbol,interval,ts,open,high,low,close,volume"], {("5m", 30), ("1h", 7), ("1h", 8)}
    for number in range(40):
        for interval, length in minutes.items():
            price = (70 + number / 10) / (100 if (interval, number) in pounds else 1)
            stamp = (begin + timedelta(minutes=number * length)).isoformat()
            lines.append(f"VOD.L,{interval},{stamp},{price},{price},{price},{price},100")
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    async with embedded(overrides=ALL) as backbone:
        for chunk_rows in (100_000, 9):
            plan = IngestPlan(dimensions=[Dimension.INTRADAY_BARS], path=path, chunk_rows=chunk_rows)
            assert (await backbone.ingest(plan)).mended == {"unit": 3}
        kept = await backbone._ask("store", ReadRepairs(Dimension.INTRADAY_BARS))
        places = {(each.interval, (each.ts - begin) // timedelta(minutes=minutes[each.interval])) for each in kept}
        assert places == pounds
        assert len(kept) == 3
        for interval in minutes:
            close = (await backbone.fetch(Dimension.INTRADAY_BARS, interval=interval)).column("close")
            assert close == pytest.approx([70 + number / 10 for number in range(40)])


@pytest.mark.parametrize("at_once", [1, 160, 161, 400, 1_000_000])
def test_what_is_mended_does_not_depend_on_how_many_rows_are_looked_at_together(at_once: int) -> None:
    chosen = (UNIT, SPLIT, MISSING)
    given = Frame.concat([framed(case, faulty(case)) for case in chosen])
    remedies = Remedies(
        unit="repair", split="repair", missing="repair", minor=lambda _: True, actions=Actions(SPLIT.actions)
    )
    with closing(Mending(DAILY, remedies, at_once=at_once)) as mending:
        for first in range(0, given.num_rows, 37):
            mending.keep(given.slice(first, 37), stacked=False)
        looks = len(list(mending.look()))
        parts = list(mending.parts())
    assert looks == {1: 3, 160: 3, 161: 3, 400: 2}.get(at_once, 1)
    assert [part.wanted.num_rows for part in parts] == [37] * 12 + [36]
    found = Frame.concat([part.wanted for part in parts])
    for case in chosen:
        assert same(found.select([case.symbol]), framed(case, right(case)), 0.02)
    assert sum(len(part.repairs) for part in parts) == BEFORE + 7


async def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", framed(UNIT, faulty(UNIT)))
    async with embedded(overrides=ALL) as backbone:
        await ingested(backbone, path)
        before, kept = await backbone.fetch(DAILY), await repairs(backbone)
        for chunk_rows in (100_000, 13):
            again = await ingested(backbone, path, chunk_rows=chunk_rows)
            assert (again.inserted, again.changed, again.mended) == (0, 0, {"unit": 4})
        assert await backbone.fetch(DAILY) == before
        assert await repairs(backbone) == kept


async def test_a_few_bars_are_looked_at_together_with_those_that_are_stored(tmp_path: Path) -> None:
    whole = framed(UNIT, right(UNIT))
    pounds = whole.slice(155).to_arrow()
    for name in (*PRICES, "adj_close"):
        at = pounds.schema.get_field_index(name)
        pounds = pounds.set_column(at, pounds.schema.field(at), pc.divide(pounds.column(name), 100.0))
    path = written(tmp_path / "new.csv", Frame.from_arrow(DAILY, pounds))
    async with embedded(overrides=ALL) as backbone:
        await ingested(backbone, written(tmp_path / "old.csv", whole.slice(0, 155)))
        for _ in range(2):  # the second time its own bars are stored already, and are none to go by
            run = await ingested(backbone, path)
            assert run.mended == {"unit": 5}
            assert same(await backbone.fetch(DAILY), whole)
        assert (run.inserted, run.changed) == (0, 0)
    async with embedded(overrides=ALL) as backbone:  # by themselves they show nothing
        assert (await ingested(backbone, path)).mended == {}


async def test_the_same_file_without_the_rule_takes_the_repair_back(tmp_path: Path) -> None:
    given = framed(UNIT, faulty(UNIT))
    path, store = written(tmp_path / "a.csv", given), {"store.path": str(tmp_path / "backbone.duckdb")}
    async with embedded(overrides=ALL | store) as backbone:
        await ingested(backbone, path)
    async with embedded(overrides=store) as backbone:
        run = await ingested(backbone, path)
        assert (run.inserted, run.changed) == (0, 4)
        assert await backbone.fetch(DAILY) == given


async def test_a_rule_may_keep_rows_aside_instead(tmp_path: Path) -> None:
    given = framed(UNIT, faulty(UNIT))
    async with embedded(overrides={"quality.repair.unit": "quarantine"}) as backbone:
        run = await ingested(backbone, written(tmp_path / "a.csv", given))
        assert (run.quarantined, run.mended, run.taken) == (4, {}, given.num_rows - 4)
        assert await repairs(backbone) == []
        kept = await aside(backbone)
        assert {row.reason for row in kept} == {"its prices are 1/100 of those of other bars"}
        assert all(row.location.startswith("VOD.L ") and "close=" in row.excerpt for row in kept)


async def test_of_rows_with_one_key_the_last_is_mended_and_marked_alone(tmp_path: Path) -> None:
    given = framed(UNIT, faulty(UNIT))
    path = written(tmp_path / "a.csv", given)
    lines = path.read_text(encoding="utf-8").splitlines()
    wrong = lines[1 + BEFORE]
    right_line = written(tmp_path / "b.csv", framed(UNIT, right(UNIT))).read_text(encoding="utf-8").splitlines()
    lines.insert(2 + BEFORE, right_line[1 + BEFORE])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert wrong != right_line[1 + BEFORE]
    async with embedded(overrides=ALL) as backbone:
        run = await ingested(backbone, path)
        assert (run.mended, run.duplicates) == ({"unit": 3}, 1)
        assert UNIT.event not in {each.ts.date() for each in await repairs(backbone)}


async def test_of_a_chunk_with_a_row_that_the_store_refuses_the_others_keep_their_marks() -> None:
    given = framed(UNIT, faulty(UNIT))
    stamps = given.to_arrow().column("ts").to_pylist()
    marks = tuple(
        RepairRow(dimension=DAILY, symbol="VOD.L", interval="", ts=ts, rules="unit", why="", original={}, repaired={})
        for ts in stamps[::10]
    )
    kept, told = list[RepairRow](), list[int]()

    async def write(chunk: Chunk) -> WriteResult:
        if stamps[20] in chunk.frame.to_arrow().column("ts").to_pylist():
            raise Reject("row", "no")
        kept.extend(chunk.repairs)
        told.append(int(chunk.metadata.get("mended", 0)))
        return result_of(chunk, Merged.all_new(chunk.frame))

    facts = {"attempt": "1", "mended": str(len(marks))}
    done = await write_what_goes_in(write, Chunk("id", "run", "csv", given, metadata=facts, repairs=marks))
    assert len(done.refused) == 1
    assert sum(told) == len(kept)
    assert [mark.ts for mark in kept] == [ts for ts in stamps[::10] if ts != stamps[20]]


async def test_rows_that_no_rule_can_mend_are_kept_aside_as_ever(tmp_path: Path) -> None:
    columns = faulty(UNIT)
    for name in (*PRICES, "adj_close"):
        columns[name][40] = 0.0
    async with embedded(overrides=ALL) as backbone:
        run = await ingested(backbone, written(tmp_path / "a.csv", framed(UNIT, columns)))
        assert (run.quarantined, run.mended) == (1, {"unit": 4})
        [row] = await aside(backbone)
        assert row.reason == "has a price of zero or less"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("symbol,when\n", "its first line is 'symbol,when'; allowed is symbol,date,split,dividend"),
        ("symbol,date,split\nAAPL,31.8.2020,4:1\n", "actions.csv:2: Invalid isoformat string: '31.8.2020'"),
        ("symbol,date,split\nAAPL,2020-08-31,4:0\n", "'0' given, which is no number above 0"),
        ("symbol,date,split\nAAPL,2020-08-31,nan\n", "'nan' given, which is no number above 0"),
        ("symbol,date,split\nAAPL,2020-08-31,\n", "neither split nor dividend"),
        (None, "splits and dividends can't be read"),
    ],
)
async def test_a_file_of_actions_that_can_not_be_read_is_said(tmp_path: Path, text: str | None, said: str) -> None:
    actions = tmp_path / "actions.csv"
    if text is not None:
        actions.write_text(text, encoding="utf-8")
    path = written(tmp_path / "a.csv", framed(SPLIT, faulty(SPLIT)))
    async with embedded(overrides=ALL | {"quality.repair.actions": str(actions)}) as backbone:
        with pytest.raises(SourceError) as error:
            await ingested(backbone, path)
        assert said in str(error.value)


def test_actions_are_read_however_ratios_are_written(tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_text(
        "\ufeffDate, Symbol ,Split,Dividend\n2020-08-31,AAPL,4:1,\n2009-07-01,AIG,1:20,\n\n2022-05-16,AV.L,0.76,3.5\n",
        encoding="utf-8",
    )
    found = Actions(read_actions(path))
    assert found.of("aapl") == [Action(symbol="AAPL", day=date(2020, 8, 31), split=4.0)]
    assert found.of("AIG")[0].split == pytest.approx(0.05)
    assert found.of("AV.L") == [Action(symbol="AV.L", day=date(2022, 5, 16), split=0.76, dividend=3.5)]
    assert found.of("IBM") == []
