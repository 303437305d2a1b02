"""Rows out of the server, packed column by column or copied row by row, few or many: the same values by each way."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame
from backbone.domain.rows import Cells
from backbone.domain.schema import arrow_schema
from backbone.store.records import Query
from backbone.store.timescale.columns import table_of
from backbone.store.timescale.copied import Rows
from backbone.store.timescale.few_rows import MOST, cells_of
from backbone.store.timescale.newest import Newest, Standing
from backbone.store.timescale.selecting import Selection
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.values import NotPlain, literal

TRADES = Dimension.TRADES
NAMES = [name for name in TRADES.columns if name != "symbol"]
TEXTS = st.sampled_from([None, "", "P", "Q", "ü", "XNAS", "long enough to move what follows"])
DOUBLES = st.sampled_from([None, 0.0, -0.0, 1.5, float("nan"), 1e300])
ROWS = st.lists(
    st.tuples(st.integers(-(10**15), 10**15), st.integers(-(2**63), 2**63 - 1), DOUBLES, DOUBLES, TEXTS, TEXTS),
    max_size=40,
)
KNOWN = {"symbol": "A"}

Row = tuple[int, int, float | None, float | None, str | None, str | None]


def packed(rows: list[Row]) -> list[Any]:
    """As the server packs them."""
    answer: list[Any] = [len(rows)]
    for at, name in enumerate(NAMES):
        column = [row[at] for row in rows]
        if TRADES.kinds[name] == "string":
            texts = [None if text is None else str(text).encode() for text in column]
            answer.append(b"".join(struct.pack(">i", -1 if text is None else len(text)) for text in texts) or None)
            answer.append(b"".join(text for text in texts if text is not None) or None)
        elif TRADES.kinds[name] == "double":
            answer.append(b"".join(struct.pack(">d", float("nan") if x is None else x) for x in column) or None)
        else:
            answer.append(b"".join(struct.pack(">q", x) for x in column) or None)
    return answer


def by_copy(rows: list[Row]) -> list[bytes]:
    """As COPY gives them, in pieces that end anywhere."""
    data = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for row in rows:
        data += struct.pack(">h", len(NAMES))
        for name, value in zip(NAMES, row, strict=True):
            if isinstance(value, str):
                text = value.encode()
                data += struct.pack(">i", len(text)) + text
            elif TRADES.kinds[name] == "string":
                data += struct.pack(">i", -1)
            elif TRADES.kinds[name] == "double":
                data += struct.pack(">id", 8, float("nan") if value is None else value)
            else:
                data += struct.pack(">iq", 8, value)
    data += b"\xff\xff"
    return [data[at : at + 100] for at in range(0, len(data), 100)]


def one(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).combine_chunks()


@given(rows=ROWS, again=st.sampled_from([1, 10, 300]))
def test_what_is_copied_is_what_is_packed_however_long_its_runs_are(rows: list[Row], again: int) -> None:
    many = [row for row in rows for _ in range(again)]
    table = one(Rows(TRADES, KNOWN).tables(by_copy(many)))
    assert table.schema == arrow_schema(TRADES)
    assert table == table_of(TRADES, KNOWN, packed(many))
    table.validate(full=True)


@given(rows=ROWS)
def test_a_few_rows_as_plain_values_are_the_same_rows(rows: list[Row]) -> None:
    cells = cells_of(TRADES, KNOWN, packed(rows))
    assert (cells is None) == (not 0 < len(rows) <= MOST)
    if cells is not None:
        found = Cells.table(TRADES, [cells])
        assert found == table_of(TRADES, KNOWN, packed(rows))
        found.validate(full=True)
        assert Frame.of_cells(TRADES, cells).num_rows == len(rows)


@pytest.mark.parametrize(
    ("known", "us"), [({"symbol": ""}, 0), ({"symbol": "A\0"}, 0), (KNOWN, 2**62)], ids=["empty", "nul", "year"]
)
def test_what_no_frame_may_hold_is_left_to_who_says_what_is_wrong(known: dict[str, str], us: int) -> None:
    row: Row = (us, 1, 1.0, 1.0, "P", None)
    assert cells_of(TRADES, known, packed([row])) is None
    for read in (lambda: table_of(TRADES, known, packed([row])), lambda: Rows(TRADES, known).tables(by_copy([row]))):
        with pytest.raises(ValueError, match=r"trades\."):
            read()


def test_broken_text_is_left_to_who_says_what_is_wrong() -> None:
    answer = packed([(0, 1, 1.0, 1.0, "P", None)])
    answer[6] = b"\xff"
    assert cells_of(TRADES, KNOWN, answer) is None


# statements of their own


DANGEROUS = ["a'b", "a\\b", "a;b", 'a"b', "a\nb", "$1", "ü", "", "x" * 65]


@pytest.mark.parametrize("value", [*DANGEROUS, 2**63, 1.5, True, None, b"a", datetime(1, 1, 1, tzinfo=UTC)])
def test_what_might_end_a_literal_is_never_written_into_a_statement(value: object) -> None:
    with pytest.raises(NotPlain):
        literal(value)
    with pytest.raises(NotPlain):
        literal([value, "A"])


def test_plain_values_are_written_out() -> None:
    at = datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    given = ["BTC-USD", 5, at, ["A", "B.L"]]
    assert [literal(each) for each in given] == [
        "'BTC-USD'", "5::bigint", "'2024-01-02T03:04:05.000006+00:00'::timestamptz", "ARRAY['A', 'B.L']",
    ]  # fmt: skip


def test_a_key_out_of_columns_is_plain_so_that_copy_goes_on_behind_it() -> None:
    """Arrow has a UTC of its own, which is not Python's: by that each page but the first was packed."""
    at = datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    key = ["A", pa.array([at], pa.timestamp("us", "UTC"))[0].as_py(), 7]
    assert literal(key[1]) == literal(at) == literal(at.astimezone(timezone(timedelta(hours=5))))
    assert "$" not in Selection(Tables("market_data"), Query(TRADES, ("A",)), written_out=True).plain_page(key, 5)


def newest(symbol: str) -> Query:
    return Query(TRADES, (symbol,), limit=1)


def ask(known: Newest, query: Query, at: datetime) -> bool:
    """Ask as the store does; says whether it has a statement of its own by then."""
    often = known.is_asked_often(query)
    if often and known.standing(query) is None and known.since(query) is not None:
        known.keep(query, Standing("SELECT", {}, at))
    known.found(query, Frame.from_records(TRADES, [{"symbol": query.symbols[0], "ts": at, "price": 1.0}]))
    return known.standing(query) is not None


def test_only_what_is_asked_again_and_again_has_a_statement_of_its_own_and_few_have() -> None:
    known, at = Newest(), datetime(2024, 1, 2, tzinfo=UTC)
    assert [ask(known, newest("A"), at) for _ in range(4)] == [False, False, True, True]
    for _ in range(5):
        assert not any(ask(known, newest(f"S{n}"), at) for n in range(100))  # each comes too rarely
    assert known.standing(newest("A")) is None
    assert not known.is_asked_often(Query(TRADES, ("A", "B"), limit=1))
    assert not known.is_asked_often(Query(TRADES, ("A",)))


def test_a_statement_whose_bound_lies_a_day_behind_is_made_anew_and_one_that_found_too_little_goes() -> None:
    known, days = Newest(), [datetime(2024, 1, day, tzinfo=UTC) for day in (2, 3, 5)]
    for _ in range(3):
        ask(known, newest("A"), days[0])
    assert ask(known, newest("A"), days[1])
    assert not ask(known, newest("A"), days[2])
    assert ask(known, newest("A"), days[2])
    known.found(newest("A"), Frame.empty(TRADES))
    assert known.standing(newest("A")) is None


def test_a_statement_with_everything_in_it_has_no_parameters() -> None:
    selection = Selection(Tables("market_data"), newest("A"), written_out=True)
    statement = selection.page_and_position(1, datetime(2024, 1, 2, tzinfo=UTC))
    assert "$" not in statement
    assert selection.values == []
    with pytest.raises(NotPlain):
        Selection(Tables("market_data"), newest("A'"), written_out=True).page_and_position(1)
