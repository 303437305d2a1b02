"""What is read out of exports, what is not, and why; what is damaged is passed by, and said."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pyarrow as pa
import pytest

from backbone import Frame
from backbone.calls import Calls
from backbone.domain.clock import to_us
from backbone.domain.hanging import Threads
from backbone.domain.status import Status
from backbone.export import shelf
from backbone.history.actor import Look
from backbone.store.messages import DropRows
from tests.backbone.history.kit import (
    BARS,
    DAY,
    MICROSECOND,
    ONE_DAY,
    TRADES,
    current,
    facts,
    files,
    from_export,
    trades,
)
from tests.backbone.history.kit import reading as opened


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "Parquet"])
async def test_a_span_comes_out_of_the_export_and_what_came_since_out_of_the_store(
    tmp_path: Path, mapped: bool
) -> None:
    async with opened(tmp_path, **{"export.mapped": mapped}) as backbone:
        await backbone.record(trades(0, 1, 2))
        await backbone.export()
        assert await from_export(backbone) == (trades(0, 1, 2), 3)
        await backbone.record(trades(2.5, 4))
        assert await from_export(backbone) == (trades(0, 1, 2, 2.5, 4), 2)
        await backbone.record(trades(1, price=6.0))
        corrected = Frame.concat([trades(0, 1, 2, 2.5, 4), trades(1, price=6.0)])
        assert await from_export(backbone) == (corrected, 1)
        await backbone.export()
        assert await from_export(backbone) == (corrected, 5)
        assert bool(files(tmp_path)) == mapped


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "Parquet"])
async def test_both_ends_of_a_window_are_within(tmp_path: Path, mapped: bool) -> None:
    edge = 1 - MICROSECOND / ONE_DAY
    async with opened(tmp_path, **{"export.mapped": mapped}) as backbone:
        stored = trades(0, 0.5, edge, 1, 1.5)
        await backbone.record(stored)
        await backbone.export()
        for start, end in ((0.5, 0.5), (0.5, edge), (edge, edge), (edge, 1), (1, 1.5), (0, 1.5), (1.6, 3)):
            window = {"start": DAY + start * ONE_DAY, "end": DAY + end * ONE_DAY}
            frame, held = await from_export(backbone, **window)
            assert frame == stored.select(start=window["start"], end=window["end"])
            assert held == frame.num_rows


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "Parquet"])
async def test_the_first_and_the_last_moment_are_within(tmp_path: Path, mapped: bool) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    rows = [{"symbol": "AIG", "ts": ts, "sequence": 1, "price": 1.0} for ts in (first, last)]
    ends = Frame.from_records(TRADES, rows)
    async with opened(tmp_path, **{"export.mapped": mapped}) as backbone:
        await backbone.record(ends)
        await backbone.export()
        for window in ({}, {"start": first, "end": last}, {"start": None}, {"end": None}):
            assert await from_export(backbone, **{"start": None, "end": None, **window}) == (ends, 2)
        assert await from_export(backbone, start=last, end=last) == (ends.select(start=last), 1)
        await backbone.record(trades(1))
        assert await from_export(backbone, start=None, end=None) == (Frame.concat([ends, trades(1)]), 2)


@pytest.mark.parametrize("asked", [{"limit": 2}, {"as_of": DAY + 10_000 * ONE_DAY}, {"symbols": []}], ids=str)
async def test_what_does_not_mean_the_same_is_asked_of_the_store(tmp_path: Path, asked: dict[str, Any]) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1, 2))
        await backbone.export()
        frame, held = await from_export(backbone, **asked)
        assert (frame, held) == (trades(1, 2) if "limit" in asked else trades(0, 1, 2), 0)


async def test_a_slice_of_a_mapped_file_is_not_copied_and_outlives_its_export(tmp_path: Path) -> None:
    async with opened(tmp_path, **{"export.keep": 1}) as backbone:
        stored = trades(*np.linspace(0, 0.9, 500))
        await backbone.record(stored)
        await backbone.export()
        first = current(tmp_path)
        whole, _ = await from_export(backbone)
        part, _ = await from_export(backbone, start=DAY + 0.5 * ONE_DAY)
        addresses = [frame.to_arrow().column("price").chunk(0).buffers()[1].address for frame in (whole, part)]
        assert addresses[0] == addresses[1]
        await backbone.record(trades(3))
        await backbone.export(anew=True)
        assert not first.exists()
        assert whole == stored
        assert (await from_export(backbone))[1] == 501


def remove(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def change(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [remove, cut_off, change])
@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "Parquet"])
async def test_a_file_that_is_not_what_was_written_is_passed_by_and_the_next_export_mends_it(
    tmp_path: Path, mapped: bool, damage: Callable[[Path], None]
) -> None:
    async with opened(tmp_path, **{"export.mapped": mapped}) as backbone:
        await backbone.record(trades(0, 1, 2))
        await backbone.export()
        damage(files(tmp_path, "_part-0.arrow" if mapped else "part-0.parquet")[1])
        assert await from_export(backbone) == (trades(0, 1, 2), 0)
        assert await from_export(backbone) == (trades(0, 1, 2), 2)
        with anyio.fail_after(5):
            while facts(backbone)["level"] != "degraded":
                await anyio.lowlevel.checkpoint()
        assert "1 files of an export can't be used" in facts(backbone)["why"]
        why = (await backbone.why("AIG", DAY + ONE_DAY)).found[0]
        assert why.read_from.startswith("the store: ")
        await backbone.export(anew=True)
        await backbone.record(trades(6))
        await backbone.export(anew=True)
        assert (await from_export(backbone))[1] == 4
        await Calls(backbone.system, backbone.path).ref("history").ask(_roundtrip(), 5.0)
        assert facts(backbone)["level"] == "ok"


def _roundtrip() -> Any:
    from backbone.history.messages import ExplainRow

    return ExplainRow(TRADES, "AIG", DAY)


async def test_a_mapped_file_that_somebody_cuts_off_while_it_is_open_is_noticed_before_it_is_touched(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as backbone:
        stored = trades(*np.linspace(0, 0.9, 5000))
        await backbone.record(stored)
        await backbone.export()
        assert (await from_export(backbone))[1] == 5000
        os.truncate(files(tmp_path)[0], 100)
        assert await from_export(backbone) == (stored, 0)


async def test_a_folder_of_another_database_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with opened(tmp_path / "other") as backbone:
        await backbone.record(trades(0, 1, price=1.0))
        await backbone.export()
    shutil.copytree(tmp_path / "other" / "exports", tmp_path / "exports")
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1, price=2.0))
        assert await from_export(backbone) == (trades(0, 1, price=2.0), 0)
        [why] = (await backbone.why("AIG", DAY)).found
        assert "does not know" in why.read_from
        assert facts(backbone)["unknown"] > 0


async def test_after_a_restore_what_was_undone_is_not_read_also_where_numbers_come_again(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
    shutil.copy(path, tmp_path / "copy")
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0.5, price=1.0))
        await backbone.export()
        assert (await from_export(backbone))[1] == 3
    shutil.copy(tmp_path / "copy", path)
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0.5, price=2.0))
        assert await from_export(backbone) == (Frame.concat([trades(0, 1), trades(0.5, price=2.0)]), 0)


async def test_a_manifest_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
    manifest = current(tmp_path) / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"drops": 0', b'"drops":  0'))
    async with opened(tmp_path) as backbone:
        assert await from_export(backbone) == (trades(0, 1), 0)


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"export.partition_by": "date"}, "several symbols each"), ({"export.format": "csv"}, "its files are csv")],
)
async def test_an_export_in_another_layout_is_not_read_and_it_is_said_why(
    tmp_path: Path, settings: dict[str, str], why: str
) -> None:
    async with opened(tmp_path, **settings) as backbone:
        await backbone.record(trades(0, 1))
        assert "no current export" in facts(backbone)["why_not"]
        await backbone.export()
        assert await from_export(backbone) == (trades(0, 1), 0)
        assert why in facts(backbone)["why_not"]
        assert why in (await backbone.why("AIG", DAY)).found[0].read_from


async def test_an_export_of_a_part_says_nothing_of_the_rest(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(Frame.concat([trades(0, 1, 2, 3), trades(0, 1, 2, symbol="IBM")]))
        await backbone.export(TRADES, symbols=["AIG"], start=DAY + ONE_DAY, end=DAY + 2 * ONE_DAY)
        assert await from_export(backbone) == (trades(0, 1, 2, 3), 2)
        both = Frame.concat([trades(0, 1, 2, 3), trades(0, 1, 2, symbol="IBM")])
        assert await from_export(backbone, symbols=["AIG", "IBM"]) == (both, 2)


async def test_after_a_drop_the_rows_that_are_gone_are_gone_and_the_rest_stands(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1, 2, 3))
        await backbone.export()
        calls = Calls(backbone.system, backbone.path)
        await calls.ask("store", DropRows(TRADES, DAY + 1.5 * ONE_DAY, dry_run=False), 5.0)
        assert await from_export(backbone) == (trades(2, 3), 2)
        await backbone.record(trades(0.25))
        assert await from_export(backbone) == (trades(0.25, 2, 3), 2)


async def test_bars_of_several_intervals_lie_in_the_order_of_their_key(tmp_path: Path) -> None:
    rows = [
        {"symbol": "EURUSD", "interval": interval, "ts": DAY + day * ONE_DAY, "close": 1.0 + day}
        for interval in ("5m", "1h")
        for day in (0, 20, 40)
    ]
    stored = Frame.from_records(BARS, rows)
    async with opened(tmp_path) as backbone:
        await backbone.record(stored)
        await backbone.export()
        window: dict[str, Any] = {"start": DAY, "end": DAY + 60 * ONE_DAY, "resample": False}
        assert await backbone.fetch(BARS, symbols=["EURUSD"], **window) == stored
        hourly = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", **window)
        assert hourly == stored.select(interval="1h")
        assert facts(backbone)["history_rows"] == 9


@pytest.mark.parametrize(("late", "interval"), [(False, None), (True, "1m")])
async def test_many_rows_are_put_together_beside_the_loop_and_a_slice_is_taken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool, interval: str | None
) -> None:
    """Of one file, too: where it has several intervals, or rows came since, they are copied."""
    beside = list[object]()

    run = Threads.run

    async def counted(threads: Threads, function: Callable[[], Any]) -> Any:
        beside.append(function)
        return await run(threads, function)

    minutes = to_us(DAY) + 60_000_000 * np.arange(31 * 24 * 60)
    async with opened(tmp_path, **{"store.inline": False}) as backbone:
        for name, each in (("1m", 1), ("5m", 5)):
            await backbone.record(bars_at(minutes[::each], name))
        await backbone.export()
        window: dict[str, Any] = {"symbols": ["EURUSD"], "resample": False}
        await backbone.fetch(BARS, **window)
        if late:
            await backbone.record(bars_at(minutes[-1:] + 60_000_000, "1m"))
        monkeypatch.setattr(Threads, "run", counted)
        await backbone.fetch(BARS, interval="5m", **window)
        assert beside == []
        found = await backbone.fetch(BARS, interval=interval, **window)
        assert found.num_rows == len(minutes) + (1 if late else len(minutes) // 5)
        assert len(beside) == 1


def bars_at(stamps: np.ndarray[Any, Any], interval: str) -> Frame:
    many = len(stamps)
    columns = {
        "symbol": pa.repeat("EURUSD", many),
        "interval": pa.repeat(interval, many),
        "ts": pa.array(stamps).cast(pa.timestamp("us", "UTC")),
        "close": np.arange(many) + 1.0,
    }
    return Frame.from_arrow(BARS, pa.table(columns))


async def test_who_fetches_on_an_update_never_gets_rows_of_before_it(tmp_path: Path) -> None:
    async with opened(tmp_path, **{"cache.backend": "memory"}) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        async with backbone.subscribe(TRADES, symbols=["AIG"]) as updates:
            for price in range(6, 12):
                await backbone.fetch(TRADES, symbols=["AIG"], start=DAY, end=DAY + 7 * ONE_DAY)
                await backbone.record(trades(1, price=float(price)))
                with anyio.fail_after(10):
                    await anext(updates)
                frame = await backbone.fetch(TRADES, symbols=["AIG"], start=DAY, end=DAY + 7 * ONE_DAY)
                assert frame.column("price").tolist() == [5.0, float(price)]


async def test_an_export_that_another_process_made_is_found_by_a_look(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
    shutil.move(tmp_path / "exports", tmp_path / "elsewhere")
    async with opened(tmp_path) as backbone:
        assert (await from_export(backbone))[1] == 0
        shutil.move(tmp_path / "elsewhere", tmp_path / "exports")
        history = Calls(backbone.system, backbone.path).ref("history")
        await history.tell(Look())
        await history.ask(_roundtrip(), 5.0)
        assert (await from_export(backbone))[1] == 2


async def test_why_names_the_file_and_the_roster_the_export(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        [why] = (await backbone.why("AIG", DAY)).found
        assert why.read_from == f"{current(tmp_path).name}/trades/date=2024-01-01/symbol=AIG/part-0.parquet"
        assert why.read_from in (await backbone.why("AIG", DAY)).to_markdown()
        assert facts(backbone)["export"] == current(tmp_path).name
        await backbone.record(trades(0.5))
        assert "were written or dropped since" in (await backbone.why("AIG", DAY)).found[0].read_from


async def test_more_than_a_frame_may_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_chunk(_: object) -> None:
        raise ValueError("over 2 GiB of text asked for; ask for less at once")

    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        with monkeypatch.context() as patch:
            patch.setattr("backbone.history.reading.one_chunk", one_chunk)
            with pytest.raises(ValueError, match="over 2 GiB of text asked for"):
                await from_export(backbone)
        assert await from_export(backbone) == (trades(0, 1), 2)
        cache = backbone.roster().find(f"{backbone.path}/cache")
        assert cache is not None
        assert cache.incarnation == 1


async def test_without_the_setting_nothing_is_read_out_of_exports(tmp_path: Path) -> None:
    async with opened(tmp_path, **{"export.reads": False}) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        assert backbone.roster().find(f"{backbone.path}/history") is None
        assert (await backbone.why("AIG", DAY)).found[0].read_from == ""


async def test_mapped_files_are_linked_verified_and_added_to_what_has_none(tmp_path: Path) -> None:
    async with opened(tmp_path, **{"export.mapped": False}) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
    assert files(tmp_path) == []
    async with opened(tmp_path) as backbone:
        report = await backbone.export()
        assert (report.kept, len(files(tmp_path))) == (2, 2)
        inodes = [path.stat().st_ino for path in files(tmp_path)]
        await backbone.record(trades(2))
        assert (await backbone.export()).linked == 2
        assert [path.stat().st_ino for path in files(tmp_path)][:2] == inodes
        assert shelf.verify(tmp_path / "exports").status is Status.OK
        change(files(tmp_path)[0])
        assert "_part-0.arrow is missing, or not" in shelf.verify(tmp_path / "exports").problems[0]
        await backbone.export()
        assert shelf.verify(tmp_path / "exports").status is Status.OK
    async with opened(tmp_path, **{"export.mapped": False}) as backbone:
        await backbone.export()
        assert files(tmp_path) == []
