"""The rows of a change, where it has any: where others may write, anything may come under good headers."""

from __future__ import annotations

from backbone.domain import Frame, decode
from backbone.domain.codec import CodecError
from backbone.stream.feed import Change
from backbone.stream.port import Subscriber
from backbone.stream.records import Record

__all__ = ["frame_of", "is_set_aside"]


def frame_of(change: Change) -> Frame:
    """The rows of a change.

    Raises:
        CodecError: its payload is no frame, or not of the dimension and the symbol that its headers tell.
    """
    frame = decode(change.payload, change.checksum)
    if isinstance(change, Record):
        _require_told(frame, change)
    return frame


def is_set_aside(change: Change, subscriber: Subscriber) -> bool:
    """Whether a change is of no use to anybody: somebody else's that is no frame. It is among the letters then.

    What only this process can have written counts as readable: whoever reads it is to be told that it is damaged.
    """
    if not isinstance(change, Record):
        return False
    try:
        frame_of(change)
    except CodecError as error:
        return subscriber.set_aside(change, str(error))
    return False


def _require_told(frame: Frame, record: Record) -> None:
    if frame.dimension is not record.dimension:
        raise CodecError(f"foreign frame: {frame.dimension} given under the header dimension {record.dimension}")
    if not len(frame):
        raise CodecError("foreign frame: no rows given")
    symbols = frame.to_arrow().column(0)  # rows are ordered by it
    for symbol in (symbols[0].as_py(), symbols[-1].as_py()):
        if symbol != record.key:
            raise CodecError(f"foreign frame: rows of {symbol!r} given under the key {record.key!r}")
