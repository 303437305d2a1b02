"""Payloads of version 1, as stores of earlier releases hold them, and damage to them."""

from __future__ import annotations

import random
import struct
import tracemalloc

import msgspec
import pyarrow as pa
import pytest

from backbone.domain import CodecError, Dimension, Frame, decode, encode
from backbone.domain.codec import checksum_of, read_meta

from .conftest import DAMAGES
from .version_1 import META, WRITTEN

PAYLOADS = [each.payload for each in WRITTEN.values()]


@pytest.mark.parametrize("dimension", list(Dimension))
def test_a_payload_of_an_earlier_release_is_read(dimension: Dimension) -> None:
    rows, payload, ingest_id, _, event_id = WRITTEN[dimension]
    assert decode(payload) == decode(payload, checksum_of(payload)) == decode(bytearray(payload)) == rows
    assert read_meta(payload) == META | {"ingest_id": ingest_id, "event_id": event_id}
    assert decode(encode(decode(payload))) == rows


def test_what_is_encoded_now_is_not_of_that_version() -> None:
    assert not any(encode(each.rows).startswith(b"BBCF") for each in WRITTEN.values())


@pytest.mark.parametrize("payload", PAYLOADS, ids=list(WRITTEN))
def test_every_truncation_is_refused(payload: bytes) -> None:
    for size in range(len(payload)):
        with pytest.raises(CodecError):
            decode(payload[:size])
    with pytest.raises(CodecError, match="announced"):
        decode(payload + b"\0")


@pytest.mark.parametrize("payload", PAYLOADS, ids=list(WRITTEN))
def test_damage_gives_a_valid_frame_or_a_codec_error(payload: bytes) -> None:
    chance = random.Random(20240301)
    outcomes = set()
    for _ in range(DAMAGES):
        damaged = bytearray(payload)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        outcomes.add(reads(bytes(damaged)))
    assert outcomes == {True, False}


def reads(data: bytes) -> bool:
    try:
        frame = decode(data)
    except CodecError:
        return False
    assert Frame.from_arrow(frame.dimension, frame.to_arrow()) == frame
    return True


def crafted(rows: int, text: bytes, directory: bytes, buffers: bytes) -> bytes:
    """Macro events whose preamble is right about its own length, with whatever content."""
    preamble = struct.pack("<4sBBHIqqIQ", b"BBCF", 1, 6, 9, rows, 0, 0, len(text), len(buffers))
    return preamble + text + bytes(-len(text) % 8) + directory + buffers


@pytest.mark.parametrize(
    ("rows", "room", "why"),
    [(2**32 - 1, 110_000, "announced"), (4_000_000, 4_000_000, "announced"), (110_000, 110_000, "unfold")],
)
def test_neither_rows_nor_texts_unfold_beyond_a_bound(rows: int, room: int, why: str) -> None:
    text = msgspec.msgpack.encode((("A",), {}))
    same, stamps, nulls = (1, 2, 0, 255), (2, 0, 0, 0), (3, 4, 0, 0)
    entries = [same, same, stamps, same, nulls, nulls, nulls, same, same]
    directory = b"".join(struct.pack("<BBHI", *entry) for entry in entries)
    data = crafted(rows, text, directory, bytes(5 * 256 + room * 8))
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    with pytest.raises(CodecError, match=why):
        decode(data)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    assert pa.total_allocated_bytes() == before
    tracemalloc.stop()


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
        decode(crafted(1, text, bytes(72), bytes(64)))
