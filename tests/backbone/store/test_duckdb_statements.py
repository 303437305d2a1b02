"""What is DuckDB's own about statements of SQL: its types, and that it is read no further than it is wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backbone.store.duckdb import DuckDBStore
from backbone.store.errors import StatementRefused, TooMuch
from tests.contracts.test_store_statements import ENDLESS, asked, traded

ENDLESS_ROWS = ENDLESS["rows without end"]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    store = DuckDBStore(tmp_path / "store.duckdb")
    await store.open()
    await store.migrate()
    yield store
    await store.close()


async def test_rows_without_end_are_refused_as_soon_as_they_are_too_many_bytes(store: DuckDBStore) -> None:
    with pytest.raises(TooMuch, match="more than 100,000 bytes"):
        await store.run_statement(asked(ENDLESS_ROWS, max_rows=10**12, max_bytes=100_000, seconds=1.0))
    assert (await store.run_statement(asked(ENDLESS_ROWS, limit=3))).column(0).to_pylist() == [1, 2, 3]


@pytest.mark.parametrize(
    "expression",
    ["'101'::bit", "1::uhugeint", "123::bignum", "1::variant", "[union_value(a := 1)]", "[{'a': '1'::bit}]"],
)
async def test_types_that_arrow_does_not_have_are_refused(store: DuckDBStore, expression: str) -> None:
    with pytest.raises(StatementRefused):
        await store.run_statement(asked(f"SELECT {expression} AS x"))


async def test_a_table_is_described_and_summarized(store: DuckDBStore) -> None:
    await store.write(traded(3))
    described = await store.run_statement(asked("DESCRIBE trades"))
    assert described.column("column_name").to_pylist()[:4] == ["symbol", "ts", "sequence", "price"]
    summarized = await store.run_statement(asked("SUMMARIZE trades"))
    assert summarized.num_rows == described.num_rows


async def test_what_a_statement_was_asked_with_is_gone_behind_it(store: DuckDBStore) -> None:
    first = await store.run_statement(asked("SELECT count(*) AS n FROM trades"))
    await store.write(traded(3))
    again = await store.run_statement(asked("SELECT count(*) AS n FROM trades"))
    assert (first.to_pylist(), again.to_pylist()) == ([{"n": 0}], [{"n": 3}])
