"""Any frame, there and back; more of them: `FUZZ_SEEDS=1000 .venv/bin/pytest -q tests/backbone/domain`."""

from __future__ import annotations

import os
import random
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbone.domain import CodecError, Dimension, Frame, decode, encode
from backbone.domain.clock import INTERVALS, MAX_US, MIN_US, from_us
from backbone.domain.codec import checksum_of, encoded_bytes, read_meta
from backbone.domain.text import hidden

EXAMPLES = int(os.environ.get("FUZZ_SEEDS", "25"))
QUICK = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

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


def _may_be_in_a_key(value: object) -> bool:
    return not isinstance(value, str) or (bool(value.strip()) and not hidden(value))


def _midnight(moment: datetime) -> datetime:
    """Daily bars bear a date."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Frames of any dimension: few keys that collide, or wild ones; any value, often missing."""
    dimension = draw(st.sampled_from(list(Dimension)))
    pool = {**draw(st.sampled_from([FEW, BY_KIND]))}
    if dimension is Dimension.DAILY_BARS:
        pool["timestamp"] = pool["timestamp"].map(_midnight)
    row = st.fixed_dictionaries(
        {
            name: INTERVAL if name == "interval" else pool[dimension.kinds[name]].filter(_may_be_in_a_key)
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
    assert again == decode(data, checksum_of(data)) == frame
    header = (again.dimension, again.num_rows, again.symbols, again.start, again.end)
    assert header == (frame.dimension, frame.num_rows, frame.symbols, frame.start, frame.end)
    assert again.to_arrow().schema.equals(frame.to_arrow().schema, check_metadata=True)
    assert again.canonical_bytes() == frame.canonical_bytes()


@QUICK
@given(frames())
def test_any_arrow_reader_reads_what_was_encoded(frame: Frame) -> None:
    data = encode(frame, {"revision": 3, "source": "csv"})
    with pa.ipc.open_stream(data) as reader:
        table = reader.read_all()
    assert table.equals(frame.to_arrow())
    facts = {b"dimension": frame.dimension.value.encode(), b"codec_version": b"2", b"revision": b"3", b"source": b"csv"}
    assert table.schema.metadata == facts


@QUICK
@given(frames(), st.integers(0, 12), st.integers(0, 12))
def test_the_length_is_known_without_encoding(frame: Frame, offset: int, length: int) -> None:
    part = frame.slice(offset, length)
    assert encoded_bytes(part, {"n": 1}) == len(encode(part, {"n": 1}))


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


def test_meta_travels_as_text_beside_the_columns(bars: Frame) -> None:
    data = encode(bars, {"revision": 7, "source": "csv", "note": None, "weight": 0.5})
    assert read_meta(data) == {"revision": "7", "source": "csv", "weight": "0.5"}
    assert read_meta(encode(bars)) == {}
    assert decode(data) == bars


@pytest.mark.parametrize("value", [True, [1], {"a": 1}, b"x", object()])
def test_meta_is_text_numbers_or_none(bars: Frame, value: Any) -> None:
    with pytest.raises(ValueError, match="meta 'x'="):
        encode(bars, {"x": value})


def test_meta_has_neither_our_names_nor_any_size(bars: Frame) -> None:
    with pytest.raises(ValueError, match="choose another name"):
        encode(bars, {"dimension": "trades"})
    with pytest.raises(ValueError, match="at most 16384 fit"):
        encode(bars, {"note": "x" * 70_000})


def test_a_frame_without_meta_has_the_same_bytes_each_time(bars: Frame) -> None:
    assert encode(bars) == encode(decode(encode(bars)))


def test_a_checksum_tells_of_any_change(bars: Frame) -> None:
    data = encode(bars, {"revision": 7})
    checksum = checksum_of(data)
    assert decode(data, checksum) == bars
    chance = random.Random(20240301)
    for bit in chance.sample(range(len(data) * 8), 300):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CodecError, match="checksum"):
            decode(damaged, checksum)
    with pytest.raises(CodecError, match="checksum"):
        decode(data[:-8], checksum)


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
