"""Bytes of strangers: a valid frame or a CodecError, within a bound of memory, whatever they say of themselves."""

from __future__ import annotations

import random
import struct
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.domain import CodecError, Dimension, Frame, decode, encode
from backbone.domain.codec import checksum_of, read_meta
from backbone.domain.schema import arrow_schema
from tests.campaigns import so_many

from . import flatbuffers as by_hand
from .conftest import DAMAGES, bars_table

SCHEMA = arrow_schema(Dimension.TRADES)
OURS = SCHEMA.with_metadata({"dimension": "trades", "codec_version": "2"})
MOST_BYTES = 4_000_000
"""What decoding a message of a few kilobytes may take at most."""


def trades() -> Frame:
    rows: list[dict[str, object]] = [
        {"symbol": symbol, "ts": datetime(2024, 1, day, tzinfo=UTC), "price": price, "venue": venue}
        for symbol, day, price, venue in [("A", 1, 1.5, "X"), ("A", 2, None, None), ("Bé", 1, 2.5, "")]
    ]
    return Frame.from_records(Dimension.TRADES, rows)


def samples() -> list[bytes]:
    bars = Frame.from_arrow(Dimension.INTRADAY_BARS, bars_table(3))
    return [encode(trades(), {"revision": 3, "source": "csv"}), encode(bars), encode(Frame.empty("quotes"))]


def written(table: pa.Table | pa.RecordBatch, schema: pa.Schema = OURS, **options: Any) -> bytes:
    """What a stranger writes with pyarrow."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write(table)
    return bytes(sink.getvalue())


def reads(data: bytes) -> bool:
    """What a reader does with a message; any error but CodecError fails the test, and so does a foul frame."""
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    try:
        frame = decode(data)
    except CodecError:
        return False
    finally:
        assert tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before < MOST_BYTES
        tracemalloc.stop()
    assert Frame.from_arrow(frame.dimension, frame.to_arrow()) == frame
    return True


def test_what_others_write_in_our_schema_is_read() -> None:
    assert decode(written(trades().to_arrow())) == trades()
    assert read_meta(written(trades().to_arrow())) == {}


def test_every_truncation_is_refused() -> None:
    for data in samples():
        for size in range(len(data)):
            with pytest.raises(CodecError):
                decode(data[:size])


def test_a_flipped_bit_gives_a_valid_frame_or_a_codec_error_and_none_beside_its_checksum() -> None:
    data = samples()[2]
    outcomes = set()
    for bit in random.Random(20240301).sample(range(len(data) * 8), min(3 * DAMAGES, len(data) * 8)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        outcomes.add(reads(bytes(damaged)))
        with pytest.raises(CodecError, match="checksum"):
            decode(bytes(damaged), checksum_of(data))
    assert outcomes == {True, False}


@pytest.mark.parametrize("sample", [0, 1, 2])
def test_random_damage_gives_a_valid_frame_or_a_codec_error(sample: int) -> None:
    chance = random.Random(20240301 + sample)
    data = samples()[sample]
    outcomes = set()
    for _ in range(DAMAGES):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.choice([1, 2, 4, 8])] = chance.choice(
                [b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", struct.pack("<q", -1), b""]
            )
        outcomes.add(reads(bytes(damaged)))
    assert outcomes == {True, False}


@pytest.mark.parametrize("sample", [0, 1])
def test_damage_behind_a_checksum_that_fits_is_a_frame_or_a_codec_error(sample: int) -> None:
    chance = random.Random(sample)
    data = samples()[sample]
    for _ in range(500):
        damaged = bytearray(data)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        try:
            decode(damaged, checksum_of(bytes(damaged)))
        except CodecError:
            continue


@pytest.mark.campaign
@settings(max_examples=so_many(100, part=50), deadline=None, derandomize=True)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"\xff\xff\xff\xff\x40\0\0\0" + tail))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    for given_checksum in (None, checksum_of(data)):
        with pytest.raises(CodecError):
            decode(data, given_checksum)
    with pytest.raises(CodecError):
        read_meta(data)


def refused(data: bytes, why: str) -> None:
    """Refused for the right reason, and before anything was built of it."""
    assert not reads(data)
    with pytest.raises(CodecError, match=why):
        decode(data)


FOREIGN: dict[str, pa.Table] = {
    "other columns": pa.table({"a": [1]}),
    "other order": trades().to_arrow().select(list(reversed(SCHEMA.names))),
    "large text": trades().to_arrow().set_column(0, "symbol", trades().to_arrow()["symbol"].cast(pa.large_string())),
    "other unit": trades().to_arrow().set_column(1, "ts", trades().to_arrow()["ts"].cast(pa.timestamp("ns", "UTC"))),
    "nested": pa.table({"a": [[1]]}),
    "dictionary": trades().to_arrow().set_column(0, "symbol", trades().to_arrow()["symbol"].dictionary_encode()),
    "nulls": pa.table({"a": pa.nulls(1)}),
    "extension": pa.table({"a": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)], pa.binary(16)))}),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_schema_is_refused(name: str) -> None:
    facts = {"dimension": "trades", "codec_version": "2"}
    schema = FOREIGN[name].schema.with_metadata(facts)
    refused(written(FOREIGN[name], schema), "foreign frame")


def test_bytes_without_or_with_a_foreign_dimension_or_version_are_named() -> None:
    table = trades().to_arrow()
    refused(written(table, SCHEMA), "version None given")
    refused(written(table, SCHEMA.with_metadata({"codec_version": "9"})), "version b'9' given; this release reads")
    refused(written(table, SCHEMA.with_metadata({"codec_version": "2", "dimension": "swaps"})), "its dimension is")
    refused(written(table, SCHEMA.with_metadata({"codec_version": "2", "dimension": b"\xff"})), "its dimension is")
    with pytest.raises(CodecError, match="unreadable"):
        read_meta(written(table, OURS.with_metadata({"source": b"\xff"})))


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_buffers_are_refused_before_they_unfold(codec: str) -> None:
    rows = 500_000
    schema = pa.schema([each.with_nullable(True) for each in SCHEMA], OURS.metadata)
    table = pa.table([pa.nulls(rows, each.type) for each in schema], schema)
    data = written(table, schema, compression=codec)
    assert len(data) < rows * 8
    refused(data, "compressed")


def test_more_than_one_batch_or_anything_behind_the_end_is_refused() -> None:
    table = trades().to_arrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, OURS) as writer:
        writer.write_table(table)
        writer.write_table(table)
    refused(sink.getvalue().to_pybytes(), "announces another number of bytes")
    refused(written(table) + b"\0" * 8, "announces another number of bytes")
    refused(written(table) + written(table), "announces another number of bytes")
    refused(written(table)[:-8], "announces another number of bytes")
    refused(written(table)[:-8] + bytes(8), "does not end")


def sound_batch() -> bytes:
    """A record batch of no rows."""
    return by_hand.batch(0, b"", [(0, 0)] * 7, [(0, 0)] * 17)


def test_what_is_made_by_hand_is_read_where_it_is_sound() -> None:
    assert pa.ipc.read_schema(pa.py_buffer(by_hand.schema())).equals(OURS, check_metadata=True)
    assert decode(by_hand.stream(by_hand.schema(), sound_batch())) == Frame.empty("trades")


def test_another_byte_order_is_refused() -> None:
    refused(by_hand.stream(by_hand.schema(big_endian=True), sound_batch()), "little-endian")


def test_columns_and_facts_that_are_there_once_but_named_a_thousand_times_are_refused() -> None:
    column = by_hand.field("x" * 60, True, 5, by_hand.UTF8)
    refused(by_hand.stream(by_hand.schema(by_hand.vector(column, times=3_000)), sound_batch()), "over 64 columns")
    facts = by_hand.pairs(3_000, source="x" * 30)
    refused(by_hand.stream(by_hand.schema(facts=facts), sound_batch()), "over 64 columns, or facts")
    facts = by_hand.pairs(60, source="x" * 4_000)
    refused(by_hand.stream(by_hand.schema(facts=facts), sound_batch()), "bytes beside the columns")
    facts = by_hand.pairs(source="x" * 70_000)
    refused(by_hand.stream(by_hand.schema(facts=facts), sound_batch()), "no message as we write them")
    beside = by_hand.pairs(3_000, a="b")
    refused(by_hand.stream(by_hand.schema(beside=beside), sound_batch()), "metadata of its own")


def test_columns_within_columns_within_columns_are_refused() -> None:
    nested = by_hand.field("a", True, 5, by_hand.UTF8)
    for _ in range(12):  # each time doubled: thousands of columns
        nested = by_hand.field("a", True, 13, by_hand.table(), None, by_hand.vector(nested, times=2))
    refused(by_hand.stream(by_hand.schema(by_hand.vector(nested)), sound_batch()), "nested")


def test_facts_and_names_of_columns_are_refused_where_we_have_none() -> None:
    facts = by_hand.field("symbol", False, 5, by_hand.UTF8, metadata=by_hand.pairs(1_000, a="b"))
    refused(by_hand.stream(by_hand.schema(by_hand.vector(facts)), sound_batch()), "extended")
    long = by_hand.field("s" * 100, False, 5, by_hand.UTF8)
    refused(by_hand.stream(by_hand.schema(by_hand.vector(long)), sound_batch()), "name of a column")


@pytest.mark.parametrize("rows", [1, 2**20, 2**62, 2**63 - 1, -1, -(2**63)])
def test_rows_that_are_not_there_are_refused(rows: int) -> None:
    batch = by_hand.batch(rows, b"", [(rows, 0)] * 7, [(0, 0)] * 17)
    refused(by_hand.stream(by_hand.schema(), batch), "rows announced in 0 bytes")


@pytest.mark.parametrize("announced", [2**62, -8, 8])
def test_bytes_that_are_not_there_are_refused(announced: int) -> None:
    batch = by_hand.batch(0, b"", [(0, 0)] * 7, [(0, 0)] * 17, announced=announced)
    refused(by_hand.stream(by_hand.schema(), batch), "another number of bytes")


@pytest.mark.parametrize("buffer", [(0, 2**40), (2**40, 8), (-8, 8), (0, -8), (4, 8), (0, 16), (0, 2**63 - 1)])
@pytest.mark.parametrize("at", [1, 3, 4])
def test_buffers_that_reach_beyond_the_body_are_refused(buffer: tuple[int, int], at: int) -> None:
    body = bytes(16)
    buffers = [(0, 0), (0, 8), (0, 8), (0, 0), (0, 16), (0, 0), (0, 16), *[(0, 0)] * 10]
    buffers[at] = buffer
    batch = by_hand.batch(2, body, [(2, 0)] * 3 + [(2, 2)] * 4, buffers)
    refused(by_hand.stream(by_hand.schema(), batch), "frame")


def test_a_dictionary_in_the_place_of_the_rows_is_refused() -> None:
    dictionary = by_hand.message(2, by_hand.table(None, by_hand.table(struct.pack("<q", 2**40))))
    refused(by_hand.stream(by_hand.schema(), dictionary), "a message of kind 2 stands where the record batch should")


def test_too_many_buffers_are_refused() -> None:
    batch = by_hand.batch(0, b"", [(0, 0)] * 400, [(0, 0)] * 400)
    refused(by_hand.stream(by_hand.schema(), batch), "over 64 columns")


def three(**changes: list[Any]) -> bytes:
    """Three trades as a stranger writes them, some columns otherwise than we would."""
    columns: dict[str, Any] = {
        "symbol": ["A"] * 3,
        "ts": [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)],
        "sequence": [0, 0, 0],
        "price": [1.5, 2.5, 3.5],
        "size": [None] * 3,
        "venue": ["X", "Y", "Z"],
        "conditions": [None] * 3,
    } | changes
    arrays = [pa.array(columns[each.name], each.type) for each in SCHEMA]
    return written(pa.RecordBatch.from_arrays(arrays, schema=OURS))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ts": [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 3, 2)]}, "not strictly ascending by key"),
        ({"ts": [datetime(2024, 1, 1, tzinfo=UTC)] * 3}, "not strictly ascending by key"),
        ({"symbol": ["A", None, "B"]}, "a key column needs one"),
        ({"symbol": ["", "A", "B"]}, "empty text"),
        ({"ts": [-(2**62), 0, 1]}, "outside the years"),
        ({"price": [1.0, float("nan"), 2.0]}, "NaN or -0.0"),
        ({"price": [1.0, -0.0, 2.0]}, "NaN or -0.0"),
        ({"venue": ["a\0b", None, None]}, "NUL"),
    ],
)
def test_rows_that_no_frame_holds_are_refused(changes: dict[str, list[Any]], why: str) -> None:
    assert decode(three()).num_rows == 3
    with pytest.raises(CodecError, match=why):
        decode(three(**changes))


@pytest.mark.parametrize("offsets", [[0, 2, 1, 3], [0, 1, 2, 900], [0, -1, 2, 3], [0, 1, 2**30, 3]])
def test_texts_that_lie_out_of_order_or_bounds_are_refused(offsets: list[int]) -> None:
    sound = struct.pack("<4i", 0, 1, 2, 3)
    data = three(symbol=["A", "B", "C"], venue=[None] * 3)
    assert data.count(sound) == 1
    damaged = data.replace(sound, struct.pack("<4i", *offsets))
    refused(damaged, "damaged frame")


def test_text_that_is_not_utf8_is_refused() -> None:
    refused(three(venue=["LSE", None, None]).replace(b"LSE", b"L\xffE"), "UTF8|UTF-8")
