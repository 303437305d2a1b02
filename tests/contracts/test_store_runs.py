"""The journal of runs: a row for each dimension of each run, whatever became of it, and the newest of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from backbone.store.port import Store
from backbone.store.records import JournalBound
from backbone.store.run_records import WHOLE, RunRow

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(number: int = 1, dimension: str = "daily_bars", **more: Any) -> RunRow:
    given = {"status": "ok", "source": "yahoo", "executed_at": NOON + timedelta(hours=number), **more}
    return RunRow(run_id=f"run-{number}", dimension=dimension, **given)


async def test_what_became_of_a_run_is_read_as_it_was_written(store: Store) -> None:
    whole = run(
        rows=12,
        inserted=5,
        changed=3,
        unchanged=2,
        quarantined=2,
        symbols=("EURUSD", "naïve"),
        start=NOON - timedelta(days=3),
        end=NOON,
        freshness_s=3600.0,
        duration_s=0.25,
        metadata={"plan": {"symbols": ["EURUSD"], "start": None}, "attempt": 1, "share": 0.5, "whole": True},
    )
    failed = run(2, status="failed", duration_s=7.5, error="429 Too Many Requests", metadata={"nul": "a\0b"})
    for row in (whole, failed):
        await store.record_run(row)
    [newest, oldest] = await store.runs()
    assert oldest == whole
    assert (newest.status, newest.error, newest.duration_s) == ("failed", "429 Too Many Requests", 7.5)


async def test_runs_of_many_symbols_are_read_with_all_of_them(store: Store) -> None:
    rows = [run(n, symbols=tuple(f"naïve{k}" for k in range(many))) for n, many in enumerate((1, 256, 257, 10_000, 0))]
    for row in rows:
        await store.record_run(row)
    assert await store.runs() == rows[::-1]
    again = run(3, symbols=tuple(f"other{k}" for k in range(5000)))
    await store.record_run(again)
    assert await store.runs(run_id="run-3") == [again]
    await store.record_run(run(3, symbols=("A",)))
    assert await store.runs(run_id="run-3") == [run(3, symbols=("A",))]
    assert await store.latest_runs() == [rows[4]]
    await store.record_run(newest := run(9, symbols=tuple(f"S{k}" for k in range(1000))))
    assert await store.latest_runs() == [newest]
    bound = JournalBound(NOON + timedelta(hours=9), 1000)
    assert (await store.prune(journal=bound, dry_run=False))["journal"] == 5
    assert await store.runs() == [newest]


async def test_the_dimensions_of_one_run_share_its_id_and_each_has_one_row_of_it(store: Store) -> None:
    for dimension in ("daily_bars", "macro_events", WHOLE):
        await store.record_run(run(dimension=dimension))
    await store.record_run(run(dimension="macro_events", status="failed", error="begun again, and failed"))
    found = await store.runs(run_id="run-1")
    assert [(row.dimension, row.status) for row in found] == [
        ("daily_bars", "ok"),
        ("macro_events", "failed"),
        (WHOLE, "ok"),
    ]
    assert await store.runs(run_id="another") == []


async def test_runs_come_newest_first_by_dimension_and_at_most_so_many(store: Store) -> None:
    for number in range(1, 6):
        await store.record_run(run(number, "daily_bars" if number % 2 else "trades"))
    assert [row.run_id for row in await store.runs()] == ["run-5", "run-4", "run-3", "run-2", "run-1"]
    assert [row.run_id for row in await store.runs(2)] == ["run-5", "run-4"]
    assert [row.run_id for row in await store.runs(2, "daily_bars")] == ["run-5", "run-3"]
    assert await store.runs(dimension="quotes") == []


async def test_the_newest_run_of_each_dimension_is_known(store: Store) -> None:
    assert await store.latest_runs() == []
    for number, dimension in ((1, "daily_bars"), (3, "trades"), (2, "daily_bars")):
        await store.record_run(run(number, dimension))
    assert [(row.dimension, row.run_id) for row in await store.latest_runs()] == [
        ("daily_bars", "run-2"),
        ("trades", "run-3"),
    ]


async def test_old_runs_go_with_the_journal_and_the_newest_of_each_dimension_stays(store: Store) -> None:
    for number in range(1, 5):
        await store.record_run(run(number, "trades" if number == 1 else "daily_bars"))
    bound = JournalBound(NOON + timedelta(hours=3), 1000)
    assert (await store.prune(journal=bound))["journal"] == 1
    assert (await store.prune(journal=bound, dry_run=False))["journal"] == 1
    assert [row.run_id for row in await store.runs()] == ["run-4", "run-3", "run-1"]


async def test_so_many_runs_are_kept_and_no_more(store: Store) -> None:
    for number in range(1, 5):
        await store.record_run(run(number))
    assert (await store.prune(journal=JournalBound(NOON, 2), dry_run=False))["journal"] == 2
    assert [row.run_id for row in await store.runs()] == ["run-4", "run-3"]
