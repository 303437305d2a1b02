"""Rows as binary COPY and back as packed columns, against a reader that walks through them field by field."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from struct import pack, unpack_from

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame
from backbone.store.timescale.columns import packed, table_of
from backbone.store.timescale.copying import PG_EPOCH_US, Field, Rows, constant, int4
from backbone.store.timescale.merge import _fields
from tests.campaigns import so_many

DAY = datetime(2024, 1, 1, tzinfo=UTC)
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)

TEXTS = st.one_of(st.none(), st.sampled_from(["", "Q", "ÄÖ", "@ F I"]))
DOUBLES = st.one_of(st.none(), st.floats(allow_nan=False))
TRADES = st.lists(
    st.fixed_dictionaries(
        {
            "symbol": st.sampled_from(["A", "EURUSD", "😀"]),
            "ts": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
            "sequence": st.integers(-(2**63), 2**63 - 1),
            "price": DOUBLES,
            "size": st.one_of(st.just(None), st.just(1.0)),
            "venue": TEXTS,
            "conditions": TEXTS,
        }
    ),
    max_size=30,
)


def walk(data: bytes) -> Iterator[list[bytes | None]]:
    """The rows of a binary COPY, field by field."""
    assert data.startswith(HEADER)
    at = len(HEADER)
    while (count := unpack_from(">h", data, at)[0]) != -1:
        at += 2
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = unpack_from(">i", data, at)
            at += 4
            row.append(None if length < 0 else data[at : at + length])
            at += max(0, length)
        yield row
    assert at + 2 == len(data)


def meant(kind: str, value: object) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        us = (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return pack(">q", us - PG_EPOCH_US)
    if isinstance(value, str):
        return value.encode()
    return pack(">d" if kind == "double" else ">q", value)


@pytest.mark.campaign
@settings(max_examples=so_many(200, part=70), deadline=None)
@given(TRADES, st.sampled_from([1, 100, 2**20]))
def test_every_field_of_every_row_is_encoded_as_the_server_wants_it(
    records: list[dict[str, object]], width: int
) -> None:
    frame = Frame.from_records(Dimension.TRADES, records) if records else Frame.empty(Dimension.TRADES)
    fields = _fields(frame) if len(frame) else []
    rows = Rows((*fields, Field("source", constant("csv")), Field("revision", constant(7))), len(frame), width)
    encoded = list(walk(b"".join(rows.pieces())))
    kinds = dict(frame.dimension.kinds)
    wanted = [{**row, "source": "csv", "revision": 7} for row in frame.to_arrow().to_pylist()]
    assert len(encoded) == len(wanted)
    for row, values in zip(encoded, wanted, strict=True):
        for name, field in zip(rows.columns, row, strict=True):
            assert field == meant(kinds.get(name, "int64"), values[name])


def test_bytes_and_small_numbers_are_fields_too() -> None:
    rows = Rows((Field("n", int4(pa.array([1, -2]).to_numpy())), Field("payload", pa.array([b"\0x", b""]))), 2)
    assert list(walk(b"".join(rows.pieces()))) == [[pack(">i", 1), b"\0x"], [pack(">i", -2), b""]]
    assert rows.columns == ("n", "payload")


def test_wide_rows_go_in_small_pieces() -> None:
    payload = pa.array([bytes(600_000)] * 4)
    pieces = list(Rows((Field("payload", payload),), 4, width=600_000).pieces())
    assert [len(piece) // 600_000 for piece in pieces] == [1, 1, 1, 1]


def pack_as_the_server(frame: Frame, known: dict[str, str]) -> list[object]:
    table = frame.to_arrow()
    answer: list[object] = [len(frame)]
    for name, kind in frame.dimension.kinds.items():
        values = table.column(name).to_pylist()
        if name in known:
            continue
        if kind == "string":
            lengths = [pack(">i", -1 if value is None else len(value.encode())) for value in values]
            answer += [b"".join(lengths) or None, b"".join((value or "").encode() for value in values) or None]
        else:
            filled = [float("nan") if value is None else value for value in values]
            answer.append(b"".join(meant(kind, value) or b"" for value in filled) or None)
    return answer


@pytest.mark.campaign
@settings(max_examples=so_many(100, part=40), deadline=None)
@given(TRADES)
def test_packed_columns_come_back_as_the_frame(records: list[dict[str, object]]) -> None:
    frame = Frame.from_records(Dimension.TRADES, records) if records else Frame.empty(Dimension.TRADES)
    known = {"symbol": frame.symbols[0]} if len(frame.symbols) == 1 else {}
    answer = pack_as_the_server(frame, known)
    assert packed(Dimension.TRADES, known).count("string_agg") == len(answer) - 1
    assert table_of(Dimension.TRADES, known, answer).equals(frame.to_arrow())


def test_nobody_can_write_to_columns_that_a_cache_may_keep() -> None:
    row = {"symbol": "A", "ts": datetime(2024, 1, 1, tzinfo=UTC), "sequence": 1, "price": 1.0, "venue": "X"}
    frame = Frame.from_records(Dimension.TRADES, [row])
    known = {"symbol": "A"}
    columns = table_of(Dimension.TRADES, known, pack_as_the_server(frame, known)).select(["ts", "sequence", "price"])
    assert not any(column.chunk(0).buffers()[1].is_mutable for column in columns.columns)
