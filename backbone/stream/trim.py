"""Of many changes the newest of each symbol, cut down to its newest rows, so that remembering one stays cheap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backbone.domain import Frame, codec
from backbone.domain.dimension import Dimension
from backbone.stream.feed import Change
from backbone.stream.readable import frame_of
from backbone.stream.records import Record

__all__ = ["Cut", "is_much", "newest_of", "newest_rows"]

_KEPT_WHOLE = 4096  # bytes: smaller payloads are not worth cutting
_MUCH = 64 * 1024  # bytes: less is decoded sooner than a thread is woken
_MANY = 16  # changes that are decoded, however small


class Cut(NamedTuple):
    """What is kept of a change.

    Attributes:
        key: dimension and symbol.
        change: it.
        payload: a frame of its newest rows; the payload as it came, where it is small or no frame.
        checksum: of that.
        why: what is wrong with a change that may be somebody else's; "" for nothing.
    """

    key: tuple[Dimension, str]
    change: Change
    payload: bytes
    checksum: int | None
    why: str = ""


def newest_of(changes: Sequence[Change], *, foreign: bool) -> list[Cut]:
    """Of each symbol the newest changes up to one that can be read, newest first; each is decoded once at most.

    Args:
        changes: in order.
        foreign: others may have written them: all of them are looked at.
    """
    found: list[Cut] = []
    done: set[tuple[Dimension, str]] = set()
    for each in reversed(changes):
        key = each.dimension, each.key if isinstance(each, Record) else each.symbol
        if key not in done:
            found.append(_cut(key, each, foreign=foreign and isinstance(each, Record)))
            if not found[-1].why:
                done.add(key)
    return found


def is_much(changes: Sequence[Change], *, foreign: bool) -> bool:
    """Whether `newest_of` these may keep an event loop for milliseconds."""
    decoded = [len(each.payload) for each in changes if foreign or len(each.payload) > _KEPT_WHOLE]
    return len(decoded) > _MANY or sum(decoded) > _MUCH


def newest_rows(payload: bytes, checksum: int | None) -> tuple[bytes, int | None]:
    """Only the rows of its latest time, with their checksum; what is no frame stays as it is."""
    try:
        return _newest_rows(codec.decode(payload, checksum))
    except codec.CodecError:
        return payload, checksum


def _cut(key: tuple[Dimension, str], change: Change, *, foreign: bool) -> Cut:
    small = len(change.payload) <= _KEPT_WHOLE
    if not foreign:
        kept = (change.payload, change.checksum) if small else newest_rows(change.payload, change.checksum)
        return Cut(key, change, *kept)
    try:
        frame = frame_of(change)
    except codec.CodecError as error:
        return Cut(key, change, change.payload, change.checksum, str(error))
    return Cut(key, change, *((change.payload, change.checksum) if small else _newest_rows(frame)))


def _newest_rows(frame: Frame) -> tuple[bytes, int]:
    newest = codec.encode(frame.select(start=frame.end))
    return newest, codec.checksum_of(newest)
