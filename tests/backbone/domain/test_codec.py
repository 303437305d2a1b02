from __future__ import annotations

import random
import struct
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbone.domain import CodecError, Dimension, Frame, decode, encode
from backbone.domain.clock import INTERVALS, MAX_US, MIN_US, from_us
from backbone.domain.codec import encode_parts, peek, read_meta

from .conftest import bars_table

QUICK = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NUMBER = st.floats(width=64)
BY_KIND: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "timestamp": st.integers(MIN_US, MAX_US).map(from_us),
    "double": NUMBER,
    "int64": st.integers(-(2**63), 2**63 - 1),
}
INTERVAL = st.sampled_from(list(INTERVALS))
FEW = {
    "string": st.sampled_from(["A", "B", "日本", "x" * 300]),
    "timestamp": st.integers(0, 3).map(from_us),
    "int64": st.integers(0, 2),
}


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Frames of any dimension: few keys that collide, or wild ones; any value, often missing."""
    dimension = draw(st.sampled_from(list(Dimension)))
    pool = draw(st.sampled_from([FEW, BY_KIND]))
    row = st.fixed_dictionaries(
        {
            name: INTERVAL if name == "interval" else pool[dimension.kinds[name]].filter(lambda value: value != "")
            for name in dimension.key
        },
        optional={name: st.none() | BY_KIND[dimension.kinds[name]] for name in dimension.values},
    )
    return Frame.from_records(dimension, draw(st.lists(row, max_size=12)))


@QUICK
@given(frames())
def test_any_frame_survives_the_codec(frame: Frame) -> None:
    data = encode(frame)
    again = decode(data)
    header = (again.dimension, again.num_rows, again.symbols, again.start, again.end)
    assert header == (frame.dimension, frame.num_rows, frame.symbols, frame.start, frame.end)
    assert again == frame
    assert again.to_arrow().schema.equals(frame.to_arrow().schema)
    assert again.canonical_bytes() == data == frame.canonical_bytes()


@QUICK
@given(frames(), st.randoms(use_true_random=False))
def test_the_same_content_gives_the_same_bytes_however_the_frame_was_made(frame: Frame, chance: random.Random) -> None:
    table = frame.to_arrow()
    shuffled = table.take(pa.array(chance.sample(range(len(table)), len(table)), pa.int64()))
    cut = chance.randint(0, len(table))
    chunked = pa.concat_tables([table.slice(cut), table.slice(0, cut)])
    doubled = pa.concat_tables([table.slice(cut), table])
    halves = [frame.slice(cut), frame.slice(0, cut)]
    made = [Frame.from_arrow(frame.dimension, variant) for variant in (shuffled, chunked, doubled)]
    for variant in (*made, Frame.concat(halves), Frame.concat([*halves, frame]), decode(encode(frame, {"n": 1}))):
        assert variant == frame
        assert variant.fingerprint == frame.fingerprint


@QUICK
@given(frames(), st.integers(0, 12), st.integers(0, 12))
def test_a_slice_has_the_bytes_of_a_frame_made_of_those_rows(frame: Frame, offset: int, length: int) -> None:
    part = frame.slice(offset, length)
    fresh = Frame.from_records(frame.dimension, part.to_arrow().to_pylist())
    assert part.canonical_bytes() == fresh.canonical_bytes()


def read_all(data: bytes) -> Frame | None:
    """What a reader does with a message: None when it was refused; any error but CodecError fails the test."""
    try:
        frame = decode(data)
        frame.to_arrow().validate(full=True)
    except CodecError:
        return None
    assert Frame.from_arrow(frame.dimension, frame.to_arrow()) == frame
    assert decode(encode(frame)) == frame
    return frame


def samples() -> list[bytes]:
    rows: list[dict[str, object]] = [
        {"symbol": symbol, "ts": datetime(2024, 1, day, tzinfo=UTC), "price": price, "venue": venue}
        for symbol, day, price, venue in [("A", 1, 1.5, "X"), ("A", 2, None, None), ("Bé", 1, 2.5, "")]
    ]
    trades = Frame.from_records(Dimension.TRADES, rows)
    bars = Frame.from_arrow(Dimension.INTRADAY_BARS, bars_table(3))
    return [encode(trades, {"revision": 3, "source": "csv"}), encode(bars), encode(Frame.empty("quotes"))]


def test_every_truncation_is_refused() -> None:
    for data in samples():
        for size in range(len(data)):
            with pytest.raises(CodecError):
                decode(data[:size])
        with pytest.raises(CodecError, match="announces"):
            decode(data + b"\0")


def test_every_flipped_bit_gives_a_valid_frame_or_a_codec_error() -> None:
    outcomes = set()
    for data in samples():
        for bit in range(len(data) * 8):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            outcomes.add(read_all(bytes(damaged)) is None)
    assert outcomes == {True, False}


def test_random_damage_gives_a_valid_frame_or_a_codec_error() -> None:
    chance = random.Random(20240301)
    for data in samples():
        for _ in range(600):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(damaged))
                damaged[at : at + chance.choice([1, 2, 4, 8])] = chance.choice(
                    [b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", struct.pack("<q", -1), b""]
                )
            read_all(bytes(damaged))


@QUICK
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"BBCF\x01\x02\x08\x00" + tail))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(data)


def crafted(rows: int, text: bytes, directory: bytes, buffers: bytes, *, code: int = 3, end: int = 0) -> bytes:
    """A message whose preamble is right about its own length, with whatever content."""
    preamble = struct.pack("<4sBBHIqqIQ", b"BBCF", 1, code, 7, rows, 0, end, len(text), len(buffers))
    return preamble + text + bytes(-len(text) % 8) + directory + buffers


def test_a_short_message_can_not_announce_a_huge_table() -> None:
    text = msgspec.msgpack.encode((("A",), {}))
    entries = [(1, 2, 0, 255), (2, 0, 0, 0), (4, 0, 0, 0), (3, 4, 0, 0), (3, 4, 0, 0), (1, 4, 0, 0), (1, 4, 0, 0)]
    directory = b"".join(struct.pack("<BBHI", *entry) for entry in entries)
    with pytest.raises(CodecError, match="contradict"):
        decode(crafted(2**32 - 1, text, directory, bytes(256)))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xc0",
        b"\x92\x91\xa1A\x80\x00"[:3],
        b"\x91" * 100_000,
        b"\x92\x91\xa1\xff\x80",
        msgspec.msgpack.encode((["A"], {"deep": [[[1]]]})),
        msgspec.msgpack.encode((["A"], {"flag": True})),
        msgspec.msgpack.encode((["A"],)),
        msgspec.msgpack.encode(([1], {})),
    ],
    ids=str,
)
def test_unreadable_symbols_or_meta_are_refused(text: bytes) -> None:
    with pytest.raises(CodecError):
        decode(crafted(1, text, bytes(56), bytes(64)))


def tampered(frame: Frame, old: bytes, new: bytes) -> bytes:
    data = encode(frame)
    assert data.count(old) == 1
    return data.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (struct.pack("<q", 7_000_000), struct.pack("<q", 5_000_000), "not strictly ascending by key"),
        (struct.pack("<d", 2.5), struct.pack("<d", float("nan")), "NaN or -0.0"),
        (struct.pack("<d", 2.5), struct.pack("<d", -0.0), "NaN or -0.0"),
        (b"LSE", b"L\0E", "NUL"),
        (b"LSE", b"L\xffE", "not UTF-8"),
    ],
)
def test_damage_within_the_columns_shows_when_they_are_used(old: bytes, new: bytes, message: str) -> None:
    stamps = [from_us(second * 1_000_000) for second in (5, 7, 9)]
    rows: list[dict[str, object]] = [
        {"symbol": "A", "ts": ts, "sequence": 0, "price": price, "venue": venue}
        for ts, price, venue in zip(stamps, (1.5, 2.5, 3.5), ("LSE", "X", "Y"), strict=True)
    ]
    frame = decode(tampered(Frame.from_records(Dimension.TRADES, rows), old, new))
    assert frame.num_rows == 3
    with pytest.raises(CodecError, match=message):
        frame.to_arrow()


def test_a_foreign_magic_version_or_dimension_is_named(bars: Frame) -> None:
    data = encode(bars)
    with pytest.raises(CodecError, match="begins with b'PAR1'"):
        decode(b"PAR1" + data[4:])
    with pytest.raises(CodecError, match="version 9 given; this release reads version 1"):
        decode(data[:4] + b"\x09" + data[5:])
    with pytest.raises(CodecError, match="dimension code 77"):
        decode(data[:5] + b"\x4d" + data[6:])


def test_meta_travels_beside_the_columns_but_not_in_the_canonical_bytes(bars: Frame) -> None:
    meta: dict[str, str | int | float | None] = {"revision": 7, "source": "csv", "note": None, "weight": 0.5}
    data = encode(bars, meta)
    assert read_meta(data) == meta
    assert decode(data) == bars
    assert decode(data).canonical_bytes() == encode(bars) != data
    assert encode(bars, dict(reversed(meta.items()))) == data


@pytest.mark.parametrize("value", [True, [1], {"a": 1}, b"x", 2**64, object()])
def test_meta_is_text_numbers_or_none(bars: Frame, value: Any) -> None:
    with pytest.raises(ValueError, match="meta 'x'="):
        encode(bars, {"x": value})


def test_a_header_is_read_without_the_columns(bars: Frame) -> None:
    header = peek(encode(bars))
    assert (header.dimension, header.rows, header.symbols) == (bars.dimension, 100, ("EURUSD",))
    assert (header.start_us, header.end_us) == bars.span_us


def test_columns_are_mapped_onto_the_bytes_without_a_copy(bars: Frame) -> None:
    data = encode(bars)
    start = pa.py_buffer(data).address
    for name in ("ts", "open", "close"):
        address = decode(data).to_arrow()[name].chunk(0).buffers()[1].address
        assert start < address < start + len(data)


@pytest.mark.parametrize("shift", range(1, 9))
def test_a_view_into_a_larger_message_decodes_at_any_offset(bars: Frame, shift: int) -> None:
    message = bytes(shift) + encode(bars)
    assert decode(memoryview(message)[shift:]) == bars


def test_a_buffer_that_may_change_is_copied(bars: Frame) -> None:
    data = bytearray(encode(bars))
    frame, view = decode(data), decode(memoryview(data))
    data[:] = bytes(len(data))
    assert frame == view == bars


def test_pieces_joined_are_the_encoding(bars: Frame) -> None:
    assert b"".join(encode_parts(bars, {"n": 1})) == encode(bars, {"n": 1})


def test_constant_texts_and_missing_columns_take_no_room() -> None:
    rows = 1000
    frame = Frame.from_arrow(Dimension.INTRADAY_BARS, bars_table(rows))
    assert len(encode(frame)) < rows * 8 * 5 + 250


def test_the_layout_of_version_1_does_not_drift() -> None:
    row: dict[str, object] = {"symbol": "A", "ts": from_us(1_000_000), "sequence": 1, "price": 1.5, "venue": "X"}
    data = encode(Frame.from_records(Dimension.TRADES, [row]))
    expected = (
        "42424346 01 03 0700 01000000 40420f0000000000 40420f0000000000 05000000 2800000000000000"
        "9291a14180 000000"
        "01 02 0000 01000000  02 00 0000 00000000  04 00 0000 00000000  03 00 0000 00000000"
        "03 04 0000 00000000  01 02 0000 01000000  01 04 0000 00000000"
        "4100000000000000 40420f0000000000 0100000000000000 000000000000f83f 5800000000000000"
    )
    assert data == bytes.fromhex(expected.replace(" ", ""))


def test_offsets_of_a_text_column_are_checked() -> None:
    rows: list[dict[str, object]] = [
        {"symbol": symbol, "ts": from_us(1), "sequence": 0, "price": 1.0} for symbol in ("AA", "BB", "CC")
    ]
    offsets = np.array([0, 2, 4, 6], np.int32).tobytes()
    for wrong in ([0, 4, 2, 6], [0, 2, 4, 7], [1, 2, 4, 6], [0, -2, 4, 6], [0, 2, 2**30, 6]):
        data = tampered(Frame.from_records(Dimension.TRADES, rows), offsets, np.array(wrong, np.int32).tobytes())
        with pytest.raises(CodecError, match="offsets of a text column"):
            decode(data).to_arrow()
