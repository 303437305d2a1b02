"""Cut a record down to its newest rows, so that remembering one per symbol stays cheap."""

from __future__ import annotations

import msgspec

from backbone.domain import codec
from backbone.stream.port import Record

__all__ = ["newest_rows"]


def newest_rows(record: Record) -> Record:
    """The record with only the rows of its latest time; what is no frame stays as it is."""
    try:
        frame = codec.decode(record.payload)
        newest = frame.select(start=frame.end)
        payload = codec.encode(newest, codec.read_meta(record.payload))
    except codec.CodecError:
        return record
    return msgspec.structs.replace(record, rows=newest.num_rows, payload=payload)
