"""Large values of the embedded store beside payloads: a few of thousands are read in little memory.

DuckDB packs 2,048 values of a column together, and unpacks all of them in one piece to read one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from backbone.domain import Dimension
from backbone.store.duckdb import DuckDBStore, journal
from backbone.store.duckdb.session import transaction
from backbone.store.errors import RowRefused
from backbone.store.records import DeadLetter, JournalBound, JournalRow
from backbone.store.run_records import RunRow

THEN = datetime(2024, 1, 1, tzinfo=UTC)
MANY = 330
SYMBOLS = tuple(f"SYM{n:05}" for n in range(15_000))
"""Of one commit of live rows, or of one run of a large market: so many lists take 79 MB unpacked."""
LONG = tuple(f"{'LONG' * 30}{n}" for n in range(200))
PARTS = 11
"""Of such a list as JSON."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    store = DuckDBStore(tmp_path / "s.duckdb", memory_limit="64MB", memory_at_rest="64MB", wal_limit="16MB")
    await store.open()
    await store.migrate()
    yield store
    await store.close()


async def parts(store: DuckDBStore, table: str) -> int:
    def found(connection: duckdb.DuckDBPyConnection) -> int:
        [(count,)] = connection.execute(f"SELECT count(*) FROM telemetry.{table}").fetchall()  # noqa: S608
        return int(count)

    return await store._session.run(found)


async def folded(store: DuckDBStore) -> None:
    """As a close, or a log that has grown, leaves it."""
    await store._session.run(lambda connection: connection.execute("CHECKPOINT").fetchall())


def letter(number: int) -> DeadLetter:
    payload = number.to_bytes(8, "big") * (32 * 1024)
    return DeadLetter("group", "trades", 0, number, "no frame", payload, THEN + timedelta(seconds=number))


def run(number: int) -> RunRow:
    return RunRow(
        run_id=f"run-{number}",
        dimension="daily_bars",
        status="ok",
        source="csv",
        symbols=SYMBOLS,
        executed_at=THEN + timedelta(seconds=number),
    )


def commit(number: int, source: str = "live") -> JournalRow:
    return JournalRow(
        run_id=f"run-{number}",
        ingest_id=f"{number}",
        dimension=Dimension.QUOTES,
        source=source,
        status="ok",
        rows=len(SYMBOLS),
        inserted=len(SYMBOLS),
        changed=0,
        unchanged=0,
        symbols=SYMBOLS,
        start=None,
        end=None,
        duration_s=0.0,
        executed_at=THEN + timedelta(seconds=number),
    )


async def test_dead_letters(store: DuckDBStore) -> None:
    for first in range(0, MANY, 30):
        await store.add_dead_letters([letter(n) for n in range(first, first + 30)])
    await folded(store)
    newest = [letter(n) for n in reversed(range(MANY - 20, MANY))]
    assert await store.dead_letters(20) == newest
    assert await store.dead_letters(MANY) == [letter(n) for n in reversed(range(MANY))]
    assert await store.dead_letters_at([("trades", 0, 0), ("trades", 0, MANY - 1)]) == [letter(0), letter(MANY - 1)]
    assert await store.delete_dead_letters(newest) == 20
    assert await parts(store, "dead_letter_parts") == 16 * (MANY - 20)
    assert (await store.prune(quarantine_before=letter(70).at, dry_run=False))["dead_letters"] == 70
    assert await parts(store, "dead_letter_parts") == 16 * (MANY - 90)
    assert await store.dead_letters(1) == [letter(MANY - 21)]


async def test_the_journal_of_chunks(store: DuckDBStore) -> None:
    numbers = store._session.known.numbers

    def write(connection: duckdb.DuckDBPyConnection) -> None:
        with transaction(connection):
            for number in range(MANY):
                journal.note(connection, numbers, commit(number))

    await store._session.run(write)
    await folded(store)
    assert await store.journal(50) == [commit(n) for n in reversed(range(MANY - 50, MANY))]
    found = await store.lookup("run-7", "7")
    assert found is not None
    assert found.symbols == SYMBOLS
    await store.prune(journal=JournalBound(commit(300).executed_at, MANY), dry_run=False)
    assert await parts(store, "ingest_run_parts") == PARTS * (MANY - 300)
    assert await store.journal(1) == [commit(MANY - 1)]


async def test_the_journal_of_runs(store: DuckDBStore) -> None:
    for number in range(MANY):
        await store.record_run(run(number))
    await folded(store)
    assert await store.runs(50) == [run(n) for n in reversed(range(MANY - 50, MANY))]
    assert await store.latest_runs() == [run(MANY - 1)]
    assert await store.runs(run_id="run-7") == [run(7)]
    await store.record_run(again := msgspec.structs.replace(run(7), symbols=SYMBOLS[::-1]))
    assert await store.runs(run_id="run-7") == [again]
    assert await parts(store, "run_parts") == PARTS * MANY
    await store.prune(journal=JournalBound(run(300).executed_at, MANY), dry_run=False)
    assert await parts(store, "run_parts") == PARTS * (MANY - 300)
    assert await store.runs(1) == [run(MANY - 1)]


@pytest.mark.parametrize(
    ("symbols", "in_parts"),
    [(SYMBOLS[:256], 0), (SYMBOLS[:257], 1), (LONG, 2)],
)
async def test_symbols_lie_in_parts_where_they_are_many_or_long(
    store: DuckDBStore, symbols: tuple[str, ...], in_parts: int
) -> None:
    await store.record_run(msgspec.structs.replace(run(1), symbols=symbols))
    await store.record_journal(msgspec.structs.replace(commit(1), symbols=symbols))
    assert await parts(store, "run_parts") == await parts(store, "ingest_run_parts") == in_parts
    [one], [other] = await store.runs(), await store.journal()
    assert one.symbols == other.symbols == symbols


async def test_what_is_refused_leaves_no_parts(store: DuckDBStore) -> None:
    with pytest.raises(RowRefused):
        await store.record_run(msgspec.structs.replace(run(1), status="odd"))
    with pytest.raises(RowRefused):
        await store.record_journal(msgspec.structs.replace(commit(1), status="odd"))
    assert await parts(store, "run_parts") == await parts(store, "ingest_run_parts") == 0
