from __future__ import annotations

from backbone.domain import Frame, decode, encode
from backbone.domain.codec import peek, read_meta


def test_a_frame_survives_the_codec(bars: Frame) -> None:
    assert decode(encode(bars)) == bars


def test_a_header_is_read_without_the_columns(bars: Frame) -> None:
    header = peek(encode(bars, {"revision": 7, "source": "csv", "note": None, "weight": 0.5}))
    assert (header.dimension, header.rows, header.symbols) == (bars.dimension, 100, ("EURUSD",))
    assert read_meta(encode(bars, {"revision": 7})) == {"revision": 7}
