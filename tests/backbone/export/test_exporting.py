"""What an export writes: the rows of the store, in their folders, named by CURRENT once they are whole."""

from __future__ import annotations

import errno
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from actors import Reject
from backbone import Dimension, Frame
from backbone.domain.status import Status
from backbone.export import shelf
from backbone.export.errors import ExportBusy
from backbone.export.files import Disk, hash_of, locked
from backbone.export.forms import pages_of
from backbone.export.messages import RunExport
from backbone.store.messages import ReadPart
from backbone.store.snapshots import PART_ROWS, PartPage
from tests.backbone.export.kit import BARS, DAILY, DAY, MACRO, TRADES, Bench, bench, files_in, loaded, parquet, trades
from tests.contracts.test_store_read import SAMPLES


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


async def test_rows_come_out_as_they_are_in_the_store_by_date_and_symbol(desk: Bench) -> None:
    await desk.put(Frame.concat([trades(range(200), "AIG"), trades(range(90), "BAC")]))
    await desk.put(trades(range(86_400, 86_500), "AIG"), "next day")
    report = await desk.export()
    assert report.status is Status.OK
    assert [job.status for job in report.jobs] == ["ok"]
    assert (report.rows, report.written, report.linked, report.kept) == (390, 3, 0, 0)
    assert list(files_in(desk.current)) == [
        "trades/date=2024-01-01/symbol=AIG/part-0.parquet",
        "trades/date=2024-01-01/symbol=BAC/part-0.parquet",
        "trades/date=2024-01-02/symbol=AIG/part-0.parquet",
    ]
    assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)
    assert str(desk.current) == report.folder
    assert report.current == desk.current.name
    assert shelf.verify(desk.root).status is Status.OK


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("by", ["date,symbol", "symbol,date", "date", "symbol"])
async def test_every_dimension_in_every_form_and_layout_holds_what_the_store_holds(
    tmp_path: Path, form: str, by: str
) -> None:
    async with bench(tmp_path, {"export.format": form, "export.partition_by": by}) as desk:
        for dimension in Dimension:
            years = [datetime(year, 12, 31, tzinfo=UTC) for year in (1, 1582, 1969, 2024, 9999)]
            rows = [{**SAMPLES[dimension], "ts": ts} for ts in years]
            await desk.put(Frame.from_records(dimension, rows))
        late = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
        odd = {"symbol": "ODD", "ts": late, "sequence": -5, "price": 5e-324, "venue": '"quoted", with\nlines'}
        await desk.put(Frame.from_records(TRADES, [odd]))
        report = await desk.export()
        assert [job.why for job in report.jobs] == [""] * 6
        for dimension in Dimension:
            assert desk.rows_in_export(dimension) == await desk.rows_in_store(dimension)
        assert shelf.verify(desk.root).problems == ()


async def test_a_file_of_many_pages_is_summed_page_by_page(desk: Bench) -> None:
    many = PART_ROWS + 500
    await desk.put(trades(range(many), "AIG"))
    report = await desk.export()
    assert report.status is Status.OK
    assert report.rows == many
    [path] = desk.current.rglob("*.parquet")
    groups = parquet(path).metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [PART_ROWS, 500]
    assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)


async def test_parquet_has_zstd_statistics_a_page_index_and_the_order_of_the_key(desk: Bench) -> None:
    await desk.put(trades(range(100)))
    await desk.export()
    [path] = desk.current.rglob("*.parquet")
    group = parquet(path).metadata.row_group(0)
    moments = group.column(0)
    assert moments.path_in_schema == "ts"
    assert moments.compression == "ZSTD"
    assert (moments.statistics.min, moments.statistics.max) == (DAY, DAY + timedelta(seconds=99))
    assert moments.has_offset_index
    assert moments.has_column_index
    assert [each.column_index for each in group.sorting_columns] == [0, 1]
    assert [field.nullable for field in parquet(path).schema_arrow] == [False, False, True, True, True, True]


async def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for n in range(2):
        async with bench(tmp_path / str(n)) as desk:
            await desk.put(Frame.concat([trades(range(300), "AIG"), trades(range(90), "BAC")]))
            await desk.export()
            found.append(files_in(desk.current))
    assert found[0] == found[1]
    assert len(found[0]) == 2


SYMBOLS = [
    "BTC/USD",
    "..",
    ".",
    "a=b",
    "100%",
    "ÄÖ",
    "CON",
    "nul",
    "x y",
    "\\",
    "'",
    "__HIVE_DEFAULT_PARTITION__",
    "A.",
    "日",
]


async def test_no_symbol_leads_out_of_its_folder_and_none_takes_the_place_of_another(desk: Bench) -> None:
    await desk.put(Frame.concat([trades(range(n, n + 3), symbol) for n, symbol in enumerate(SYMBOLS)]))
    report = await desk.export()
    assert report.status is Status.OK
    places = [entry.path for entry in desk.manifest.files]
    assert len(set(places)) == len(SYMBOLS)
    assert all(len(Path(place).parts) == 4 and place.isascii() for place in places)
    assert "trades/date=2024-01-01/symbol=BTC%2FUSD/part-0.parquet" in places
    assert "trades/date=2024-01-01/symbol=.%2E/part-0.parquet" in places
    assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)
    assert shelf.verify(desk.root).status is Status.OK


async def test_a_symbol_too_long_for_a_folder_fails_its_job_and_no_other(desk: Bench) -> None:
    await desk.put(trades(range(3), "Ä" * 120))
    await desk.put(Frame.from_records(DAILY, [{"symbol": "A", "ts": DAY, "close": 1.0}]))
    report = await desk.export()
    assert report.status is Status.FAILED
    assert [(job.dimension, job.status, job.issues) for job in report.jobs] == [
        (DAILY, "ok", ()),
        (TRADES, "fail", ("write_failed",)),
    ]
    assert not (desk.root / "CURRENT").exists()
    manifest = loaded(desk.root / report.id / "manifest.json")
    assert [(job["dimension"], job["status"]) for job in manifest["jobs"]] == [("daily_bars", "ok"), ("trades", "fail")]
    assert manifest["job_count"] == 2
    assert manifest["status"] == "fail"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_csv_and_jsonl_lie_as_other_tools_lay_them(tmp_path: Path, form: str) -> None:
    settings = {"export.prefix": "timescale", "export.partition_by": "symbol"}
    async with bench(tmp_path, settings) as desk:
        await desk.put(Frame.from_records(DAILY, [{"symbol": s, "ts": DAY, "close": 1.5} for s in ("A", "B")]))
        await desk.export(RunExport((DAILY,), form=form))  # type: ignore[arg-type]
        assert list(files_in(desk.current)) == [
            f"daily_bars/symbol=A/00000_timescale_daily.{form}",
            f"daily_bars/symbol=B/00000_timescale_daily.{form}",
        ]
        text = (desk.current / f"daily_bars/symbol=A/00000_timescale_daily.{form}").read_text()
        head = '"ts","open","high","low","close","volume","adj_close"'
        assert (
            text
            == {
                "csv": f'{head}\n"2024-01-01T00:00:00.000000Z",,,,1.5,,\n',
                "jsonl": '{"ts":"2024-01-01T00:00:00.000000Z","open":null,"high":null,"low":null,"close":1.5,'
                '"volume":null,"adj_close":null}\n',
            }[form]
        )
        described = loaded(desk.current / "daily_bars/_metadata.json")
        assert described["columns"]["ts"] == "timestamp[us, tz=UTC]"
        assert described["rows"] == 2
        manifest = loaded(desk.current / "manifest.json")
        assert {"generated_at", "jobs", "status", "job_count"} <= manifest.keys()


LINES = {
    "csv": ['"ts","close"\n,1.5\n', '"ts","close"\n"2024-01-01T00:00:00.000000Z",x\n'],
    "jsonl": [
        '{"ts":null,"close":1.5}\n',
        '{"close":1.5}\n',
        '{"ts":7,"close":1.5}\n',
        '{"ts":"2024-01-01T00:00:00.000000Z","close":"1.5"}\n',
        '{"ts":"2024-01-01T00:00:00.000000Z","close":true}\n',
        '{"ts":"2024-01-01T00:00:00.000000Z","close":9007199254740993}\n',
        '{"ts":"2024-01-01T00:00:00.000000Z"\n',
        '{"ts":"today","close":1.5}\n',
    ],
}


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in LINES.items() for text in texts])
def test_a_file_that_somebody_else_wrote_is_refused_with_why(tmp_path: Path, form: str, text: str) -> None:
    path = tmp_path / f"file.{form}"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"\w"):
        list(pages_of(form, path, DAILY, ("ts", "close")))


async def test_what_has_not_changed_is_linked_and_only_the_rest_is_written(desk: Bench) -> None:
    await desk.put(Frame.concat([trades(range(50), name) for name in ("AIG", "BAC", "IBM")]))
    first = await desk.export()
    before = desk.current
    await desk.put(trades(range(50, 60), "BAC"), "more")
    second = await desk.export()
    assert first.id != second.id
    assert (second.written, second.linked, second.kept) == (1, 2, 0)
    for name, same in (("AIG", True), ("BAC", False), ("IBM", True)):
        place = f"trades/date=2024-01-01/symbol={name}/part-0.parquet"
        assert ((before / place).stat().st_ino == (desk.current / place).stat().st_ino) is same
    assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)
    assert desk.rows_in_export(TRADES, before).num_rows == 150


async def test_a_correction_and_a_drop_are_in_the_next_export(desk: Bench) -> None:
    await desk.put(Frame.concat([trades(range(50), name) for name in ("AIG", "BAC")]))
    await desk.export()
    change = {"symbol": "AIG", "ts": DAY + timedelta(seconds=9), "sequence": 9, "price": 77.0}
    await desk.put(Frame.from_records(TRADES, [change]), "correction")
    report = await desk.export()
    assert (report.written, report.linked) == (1, 1)
    assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)
    await desk.store.drop(TRADES, before=DAY + timedelta(seconds=20), dry_run=False)
    report = await desk.export()
    assert (report.written, report.linked) == (2, 0)
    assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)


async def test_the_same_moment_again_is_the_same_export(desk: Bench) -> None:
    await desk.put(trades(range(50)))
    first = await desk.export()
    made = (desk.current / "manifest.json").read_bytes()
    second = await desk.export()
    assert (second.id, second.written, second.kept) == (first.id, 0, 1)
    assert (desk.current / "manifest.json").read_bytes() == made


async def test_a_file_that_was_spoilt_is_neither_linked_nor_kept(desk: Bench) -> None:
    await desk.put(Frame.concat([trades(range(50), name) for name in ("AIG", "BAC")]))
    await desk.export()
    [spoilt, _] = sorted(desk.current.rglob("*.parquet"))
    data = spoilt.read_bytes()
    spoilt.write_bytes(data[:-1] + b"X")
    found = shelf.verify(desk.root)
    assert found.status is Status.FAILED
    assert "AIG" in found.problems[0]
    again = await desk.export()
    assert (again.written, again.kept) == (1, 1)
    assert spoilt.read_bytes() == data
    spoilt.write_bytes(data[:-1] + b"X")
    await desk.put(trades(range(50, 60), "BAC"), "more")
    more = await desk.export()
    assert (more.written, more.linked) == (2, 0)
    assert shelf.verify(desk.root).status is Status.OK


async def test_only_what_is_asked_for_is_exported(desk: Bench) -> None:
    await desk.put(Frame.concat([trades(range(50), name) for name in ("AIG", "BAC")]))
    await desk.put(Frame.from_records(DAILY, [{"symbol": "A", "ts": DAY, "close": 1.0}]))
    asked = RunExport((TRADES,), ("BAC",), DAY + timedelta(seconds=10), DAY + timedelta(seconds=19))
    report = await desk.export(asked)
    assert report.rows == 10
    assert desk.rows_in_export(TRADES) == trades(range(10, 20), "BAC")


async def test_a_dimension_without_rows_is_a_warning_and_nothing_at_all_leaves_current_as_it_is(desk: Bench) -> None:
    await desk.put(trades(range(5)))
    report = await desk.export(RunExport((TRADES, BARS)))
    assert [(job.status, job.issues) for job in report.jobs] == [("ok", ()), ("warn", ("no_rows_returned",))]
    assert report.status is Status.DEGRADED
    named = desk.current
    empty = await desk.export(RunExport((MACRO,)))
    assert empty.status is Status.DEGRADED
    assert "CURRENT" in empty.note
    assert desk.current == named


async def test_a_query_that_fails_is_told_in_the_manifest_and_current_stays(desk: Bench) -> None:
    await desk.put(trades(range(5)))
    await desk.export()
    named = desk.current
    await desk.put(trades(range(5, 9)), "more")
    desk.refusals["SumPart"] = [Reject("store", "injected: no sums")]
    report = await desk.export()
    assert report.status is Status.FAILED
    assert report.jobs[0].issues == ("query_failed",)
    assert report.jobs[0].why == "injected: no sums"
    assert desk.current == named
    assert sorted(each.state for each in shelf.listing(desk.root).exports) == ["current", "failed"]
    mended = await desk.export()
    assert mended.status is Status.OK
    assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)


async def test_a_file_that_differs_from_what_the_store_sums_is_not_taken(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.put(trades(range(50)))
    await desk.export()
    named = desk.current
    await desk.put(trades(range(50, 60)), "more")

    read = desk.store.read_part

    async def other_rows(*given: Any) -> PartPage:
        page = await read(*given)
        table = page.frame.to_arrow()
        prices = [value + 1e-9 for value in table.column("price").to_pylist()]
        table = table.set_column(table.schema.get_field_index("price"), "price", pa.array(prices))
        return PartPage(Frame.of_canonical(TRADES, table), page.more)

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "read_part", other_rows)
        report = await desk.export()
    assert report.jobs[0].issues == ("content_differs",)
    assert "price" in report.jobs[0].why
    assert desk.current == named
    assert not list((desk.root / report.id).rglob("*.tmp"))
    assert (await desk.export()).status is Status.OK


async def test_a_snapshot_that_is_lost_in_the_middle_begins_again_with_what_is_done(tmp_path: Path) -> None:
    async with bench(tmp_path, {"export.restarts": 1}) as desk:
        await desk.put(Frame.concat([trades(range(50), name) for name in ("AIG", "BAC", "IBM")]))
        lost = Reject("snapshot_lost", "injected: gone")
        asked = desk.ask

        async def ask(request: object) -> object:
            if isinstance(request, ReadPart) and request.part.symbol == "IBM" and "lost" not in desk.asked:
                desk.asked.append("lost")
                raise lost
            return await asked(request)

        desk.ask = ask  # type: ignore[method-assign]
        report = await desk.export()
        assert report.status is Status.OK
        assert report.restarts == 1
        assert (report.written, report.kept) == (1, 2)
        assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)


async def test_a_second_process_is_refused_while_one_writes(desk: Bench) -> None:
    await desk.put(trades(range(5)))
    desk.root.mkdir()
    with locked(desk.root), pytest.raises(ExportBusy, match="another export"):
        await desk.export()
    assert (await desk.export()).status is Status.OK


async def test_the_newest_exports_are_kept_and_the_current_one_whatever_its_age(tmp_path: Path) -> None:
    async with bench(tmp_path, {"export.keep": 2, "export.keep_days": 10}) as desk:
        made = []
        for n in range(4):
            await desk.put(trades(range(n * 10, n * 10 + 10)), str(n))
            desk.clock.at += timedelta(days=1)
            made.append(await desk.export())
        assert [each.id for each in shelf.listing(desk.root).exports] == [made[3].id, made[2].id]
        assert made[3].removed == (made[1].id,)
        desk.clock.at += timedelta(days=30)
        again = await desk.export()
        assert again.removed == (made[2].id,)
        assert [(each.id, each.state) for each in shelf.listing(desk.root).exports] == [(made[3].id, "current")]
        assert shelf.verify(desk.root).status is Status.OK


async def test_a_rerun_leaves_no_stale_files(desk: Bench) -> None:
    await desk.put(trades(range(5)))
    report = await desk.export()
    stale = desk.root / report.id / "trades/date=2024-01-01/symbol=GONE"
    stale.mkdir()
    (stale / "part-0.parquet").write_bytes(b"old")
    assert shelf.verify(desk.root).problems == (
        "trades/date=2024-01-01/symbol=GONE/part-0.parquet does not belong there",
    )
    await desk.export()
    assert not (stale / "part-0.parquet").exists()
    assert shelf.verify(desk.root).status is Status.OK


async def test_progress_is_told_up_to_the_last_row(desk: Bench) -> None:
    await desk.put(Frame.concat([trades(range(50), name) for name in ("AIG", "BAC")]))
    await desk.export()
    last = desk.heard[-1]
    assert (last.rows_done, last.rows_total, last.files_done, last.files_total) == (100, 100, 2, 2)


async def test_the_manifest_says_what_is_in_each_file(desk: Bench) -> None:
    await desk.put(trades(range(50)))
    await desk.export()
    [entry] = desk.manifest.files
    path = desk.current / entry.path
    assert (entry.rows, entry.bytes, entry.sha256) == (50, path.stat().st_size, hash_of(path))
    assert (entry.earliest, entry.latest) == (DAY, DAY + timedelta(seconds=49))
    assert set(entry.sums) == {"ts", "sequence", "price", "size", "venue", "conditions"}
    assert desk.manifest.columns[TRADES]["price"] == "double"


async def test_the_zone_of_the_machine_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(time.tzset)  # when the variable is back
    found = []
    for zone in ("UTC", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        async with bench(tmp_path / zone) as desk:
            late = trades(range(86_390, 86_410), "AIG")
            await desk.put(Frame.concat([late, trades(range(5), "OLD", datetime(1883, 11, 18, 4, 59, 58, tzinfo=UTC))]))
            await desk.export()
            found.append(files_in(desk.current))
            assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)
    assert found[0] == found[1]
    assert [place.split("/")[1] for place in found[0]] == ["date=1883-11-18", "date=2024-01-01", "date=2024-01-02"]


async def test_links_that_a_file_system_does_not_know_are_written_instead(desk: Bench) -> None:
    class Unlinked(Disk):
        def link(self, old: Path, new: Path) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

    await desk.put(Frame.concat([trades(range(50), name) for name in ("AIG", "BAC")]))
    await desk.export()
    await desk.put(trades(range(50, 60), "BAC"), "more")
    report = await desk.export(disk=Unlinked())
    assert (report.status, report.written, report.linked) == (Status.OK, 2, 0)
    assert shelf.verify(desk.root).status is Status.OK
