"""Trades that were cancelled or corrected are marked; without an id nobody knows which are meant."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from backbone.sources.corrections import settled


def trades(**columns: Sequence[str | None]) -> pa.Table:
    rows = len(next(iter(columns.values())))
    return pa.table({"sequence": pa.array(range(rows)), **{n: pa.array(v, pa.string()) for n, v in columns.items()}})


@pytest.mark.parametrize("said", ["7", "8", "10", "11", "08", "8.0", "Canceled", "cancelled", "ERROR", "incorrect"])
def test_what_does_not_count_is_marked(said: str) -> None:
    found = settled(trades(correction=[said, "0"], conditions=["@", "@"]))
    assert found.table.column("conditions").to_pylist() == ["@,cancelled", "@"]
    assert (found.cancelled, found.corrected, found.reasons) == (1, 0, {})
    assert "correction" not in found.table.column_names


@pytest.mark.parametrize("said", ["12", "correction", " Corrected "])
def test_a_correction_is_marked(said: str) -> None:
    found = settled(trades(correction=[said]))
    assert found.table.column("conditions").to_pylist() == ["corrected"]
    assert (found.cancelled, found.corrected) == (0, 1)


@pytest.mark.parametrize("said", ["0", "00", "1", "2", "0.0", "", None, "regular"])
def test_a_trade_that_counts_stays_as_it_is(said: str | None) -> None:
    found = settled(trades(correction=[said], conditions=["37"]))
    assert found.table.column("conditions").to_pylist() == ["37"]
    assert (found.cancelled, found.corrected) == (0, 0)


def test_a_word_among_the_conditions_says_it_as_well_and_a_code_there_does_not() -> None:
    given = ["I;Cancelled", "12,37", "Corrected Consolidated Close", "8", None, "@,cancelled"]
    found = settled(trades(conditions=given)).table.column("conditions").to_pylist()
    assert found == ["I;Cancelled,cancelled", *given[1:]]


def test_what_has_no_id_is_kept_aside_with_a_reason() -> None:
    table = trades(correction=["0", "8", "12"]).drop_columns(["sequence"])
    found = settled(table)
    assert found.table.num_rows == 1
    assert {row: why.split(",")[0] for row, why in found.reasons.items()} == {1: "is cancelled", 2: "corrects a trade"}


def test_a_code_that_nobody_knows_is_kept_aside() -> None:
    found = settled(trades(correction=["5", "maybe", "0"]))
    assert list(found.reasons) == [0, 1]
    assert "is not known; known are" in found.reasons[0]


def test_conditions_never_become_too_long() -> None:
    found = settled(trades(correction=["8"], conditions=["x" * 1020]))
    assert found.table.column("conditions").to_pylist() == ["cancelled"]
