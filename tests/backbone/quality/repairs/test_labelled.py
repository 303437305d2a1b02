"""The labelled set: how many faulty rows the rules mend, and that they touch nothing else."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatch

import numpy as np
import pytest
from numpy.typing import NDArray

from backbone.domain import Frame
from backbone.quality.repair import Found, Remedies, find
from backbone.sources.actions import Action, Actions
from tests.backbone.quality.repairs.labelled import (
    BEFORE,
    PRICES,
    Case,
    Columns,
    cases,
    control,
    faulty,
    first_day,
    frame,
    lines,
    right,
)

CLOSE_ENOUGH = {"missing": 0.02}
"""How far from the truth a mended price may be, as a share of it; what was missing is only known by its neighbours."""


def remedies(actions: list[Action]) -> Remedies:
    return Remedies(
        unit="repair",
        split="repair",
        dividend="repair",
        missing="repair",
        minor=lambda symbol: any(fnmatch(symbol, pattern) for pattern in ("*.L", "*.JO", "*.TA")),
        nonpositive=lambda symbol: symbol.endswith("=F"),
        actions=Actions(actions),
    )


def framed(case: Case, columns: Columns) -> Frame:
    return frame(case.symbol, first_day(case.event), columns)


def mended(given: Frame, found: Found) -> Columns:
    columns = {name: given.column(name).copy() for name in (*PRICES, "adj_close", "volume")}
    for name in columns:
        columns[name][found.rows] = found.values[name]
    return columns


def off(one: Columns, other: Columns, slack: float) -> NDArray[np.bool_]:
    """Rows of which a number differs by more than a share."""
    differs = [~(np.abs(one[name] - other[name]) <= slack * np.abs(other[name])) for name in one]
    return np.asarray(np.logical_or.reduce(differs))


def test_the_set_is_large_and_each_pair_names_its_source() -> None:
    pairs = cases()
    assert len(pairs) >= 40
    assert len({case.name for case in pairs}) == len(pairs)
    assert all(case.source for case in pairs)
    for case in pairs:
        assert off(faulty(case), right(case), 1e-3).any(), f"{case.name} has no fault"


def test_rules_mend_nearly_all_faults_and_nearly_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    wrong, touched, good, whole = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    left = []
    for case in cases():
        truth, slack = right(case), CLOSE_ENOUGH.get(case.rule, 1e-4)
        given = framed(case, faulty(case))
        found = find(given, remedies(case.actions))
        before = off(faulty(case), truth, 1e-4)
        after = off(mended(given, found), truth, slack)
        wrong[case.rule] += int(before.sum())
        touched[case.rule] += len(found.rows)
        good[case.rule] += int((before & ~after)[found.rows].sum())
        whole[case.rule] += not after.any()
        left += [f"{case.name}: {int(after.sum())} rows"] if after.any() else []
    pairs = Counter(case.rule for case in cases())
    precision, recall = good.total() / touched.total(), good.total() / wrong.total()
    with capsys.disabled():
        print(f"\n  {pairs.total()} pairs: precision {precision:.4f}, recall {recall:.4f}, not whole: {left or 'none'}")  # noqa: T201 - the score is the result
        for rule, count in pairs.items():
            share = f"{good[rule]} of {wrong[rule]} faulty rows right, {touched[rule]} touched"
            print(f"  {rule}: {whole[rule]} of {count} pairs whole; {share}")  # noqa: T201
    assert precision >= 0.95
    assert recall >= 0.9


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_right_bars_are_left_alone(case: Case) -> None:
    found = find(framed(case, right(case)), remedies(case.actions))
    assert not len(found.rows), found.why[:1]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_mended_bars_are_left_alone(case: Case) -> None:
    given = framed(case, faulty(case))
    again = framed(case, mended(given, find(given, remedies(case.actions))))
    assert not len(find(again, remedies(case.actions)).rows)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_reason_names_the_rule_and_what_is_wrong(case: Case) -> None:
    found = find(framed(case, faulty(case)), remedies(case.actions))
    assert case.rule in found.rules[0].split(",")
    assert {"split": "split", "dividend": "dividend", "unit": "100", "missing": "zero or missing"}[
        case.rule
    ] in found.why[0]


@pytest.mark.parametrize("case", [case for case in cases() if case.rule == "split"], ids=lambda case: case.name)
def test_prices_as_they_were_traded_are_left_alone_beside_adjusted_ones(case: Case) -> None:
    columns, ratio = right(case), float(case.amount)
    for name in PRICES:
        columns[name][:BEFORE] *= ratio
    columns["volume"][:BEFORE] /= ratio
    found = find(framed(case, columns), remedies(case.actions))
    assert not len(found.rows), found.why[:1]


@pytest.mark.parametrize("row", lines("controls.csv"), ids=lambda row: row["name"])
def test_real_moves_are_left_alone(row: dict[str, str]) -> None:
    found = find(control(row), remedies([]))
    assert not len(found.rows), found.why[:1]


@pytest.mark.parametrize("close", [60.0, 80.0, 99.0])
def test_a_bar_that_fell_to_a_hundredth_and_did_not_come_back_is_left_alone(close: float) -> None:
    prices = np.concatenate((np.full(20, 100.0), np.full(20, close)))
    columns = {name: prices.copy() for name in PRICES} | {"volume": np.ones(40), "adj_close": prices.copy()}
    columns["open"][20], columns["high"][20], columns["low"][20] = 100.0, 100.0, close / 70
    assert not len(find(frame("A", first_day(cases()[0].event), columns), remedies([])).rows)


@pytest.mark.parametrize("row", lines("controls.csv"), ids=lambda row: row["name"])
@pytest.mark.parametrize("ratio", [2.0, 4.0, 10.0, 0.1, 0.01])
def test_real_moves_are_left_alone_beside_a_split_of_another_day(row: dict[str, str], ratio: float) -> None:
    given = control(row)
    assert given.end is not None
    action = Action(symbol=row["symbol"], day=given.end.date(), split=ratio)
    found = find(given, remedies([action]))
    assert not len(found.rows), found.why[:1]
