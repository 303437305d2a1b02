"""Columns of lists: the texts of one are joined, one that no dimension has is passed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame

TRADES = Dimension.TRADES
T0 = datetime(2024, 3, 8, 15, tzinfo=UTC)
CONDITIONS = [["@", "I"], ["@"], [], None]
JOINED = ["@,I", "@", None, None]
Rows = Sequence[dict[str, Any]]


def rows(**more: Sequence[object]) -> list[dict[str, Any]]:
    given = {"conditions": CONDITIONS, **more}
    plain = {"symbol": "ACME", "ts": T0, "price": 10.1}
    return [{**plain, "sequence": n, **{name: each[n] for name, each in given.items()}} for n in range(4)]


MAKERS: list[Callable[[Rows], Frame]] = [
    lambda given: Frame.from_records(TRADES, given),
    lambda given: Frame.from_pandas(TRADES, pd.DataFrame(given)),
    lambda given: Frame.from_polars(TRADES, pl.DataFrame(given)),
    lambda given: Frame.from_arrow(TRADES, pa.Table.from_pylist(given)),
    lambda given: Frame.from_arrow(
        TRADES, pa.concat_tables([pa.Table.from_pylist([row]) for row in given], promote_options="permissive")
    ),
]


@pytest.mark.parametrize("make", MAKERS)
def test_lists_of_texts_are_joined(make: Callable[[Rows], Frame]) -> None:
    assert make(rows()).to_arrow().column("conditions").to_pylist() == JOINED


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "extra", [[[1, 2], [3], None, [4]], [{"a": 1}, {"a": 2}, None, {"a": 3}]], ids=["list", "struct"]
)
def test_nested_columns_that_no_dimension_has_are_passed_over(
    make: Callable[[Rows], Frame], extra: list[object]
) -> None:
    assert make(rows(extra=extra)) == make(rows())


@pytest.mark.parametrize("make", MAKERS)
def test_other_unknown_columns_are_still_refused(make: Callable[[Rows], Frame]) -> None:
    with pytest.raises(ValueError, match="unknown column 'prise'"):
        make(rows(prise=[1.0, 2.0, 3.0, 4.0]))


@pytest.mark.parametrize(("name", "values"), [("symbol", [["A"], ["B"], ["C"], ["D"]]), ("price", [[1.0]] * 4)])
def test_lists_where_a_key_or_a_number_is_wanted_are_refused(name: str, values: list[object]) -> None:
    for make in MAKERS:
        with pytest.raises(ValueError, match=rf"trades\.{name}: "):
            make(rows(**{name: values}))


def test_arrays_fixed_lists_slices_and_missing_entries_are_joined_as_well() -> None:
    given = rows()
    for row in given:
        row["conditions"] = None if row["conditions"] is None else np.array(row["conditions"], dtype=object)
    assert Frame.from_records(TRADES, given).to_arrow().column("conditions").to_pylist() == JOINED
    plain = pa.Table.from_pylist([{**row, "conditions": None} for row in given]).drop_columns("conditions")
    fixed = pa.array([["@", "I"], ["@", None], None, ["T", "Z"]], pa.list_(pa.string(), 2))
    for column in (fixed, fixed.cast(pa.large_list(pa.string()))):
        table = plain.append_column("conditions", column).slice(1)
        assert Frame.from_arrow(TRADES, table).to_arrow().column("conditions").to_pylist() == ["@", None, "T,Z"]
