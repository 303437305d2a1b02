"""Cut a payload down to its newest rows, so that remembering one per symbol stays cheap."""

from __future__ import annotations

from backbone.domain import codec

__all__ = ["newest_rows"]


def newest_rows(payload: bytes) -> bytes:
    """Only the rows of its latest time; what is no frame stays as it is."""
    try:
        frame = codec.decode(payload)
        return codec.encode(frame.select(start=frame.end), codec.read_meta(payload))
    except codec.CodecError:
        return payload
