"""Cut a payload down to its newest rows, so that remembering one per symbol stays cheap."""

from __future__ import annotations

from backbone.domain import codec

__all__ = ["newest_rows"]


def newest_rows(payload: bytes, checksum: int | None) -> tuple[bytes, int | None]:
    """Only the rows of its latest time, with their checksum; what is no frame stays as it is."""
    try:
        frame = codec.decode(payload, checksum)
    except codec.CodecError:
        return payload, checksum
    newest = codec.encode(frame.select(start=frame.end))
    return newest, codec.checksum_of(newest)
