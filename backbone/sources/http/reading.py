"""Reading a body piece by piece: it never grows beyond its bound, packed or not, however it arrives."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from backbone.sources.errors import SourceUnavailable
from backbone.sources.http.transport import Bounds, Cut, Unreached

if TYPE_CHECKING:
    from backbone.sources.http.timing import Timing

__all__ = ["Growing", "read", "too_slow"]

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


class Growing:
    """A body on its way.

    Args:
        bounds: of the body.
        timing: is asked after each piece.
        began: when the request was sent, by `timing`.

    Attributes:
        data: what is there, unpacked; at most one byte more than may be.
    """

    def __init__(self, bounds: Bounds, timing: Timing, began: float) -> None:
        self.data = bytearray()
        self._bounds = bounds
        self._timing = timing
        self._began = began
        self._broken: Exception | None = None

    @property
    def room(self) -> int:
        """How many bytes more it takes to know that it is too large."""
        return self._bounds.size + 1 - len(self.data)

    def take(self, piece: bytes) -> bool:
        """Add a piece; whether there may be more."""
        self.data += piece[: self.room]
        try:
            self._look()
        except (Cut, SourceUnavailable) as error:  # this is called from C; check raises it
            self._broken = error
        return self._broken is None

    def check(self) -> None:
        """Raise what made `take` say no.

        Raises:
            Cut: it is too large or too slow.
            SourceUnavailable: it was stopped.
        """
        if self._broken is not None:
            raise self._broken

    def _look(self) -> None:
        bounds = self._bounds
        if len(self.data) > bounds.size:
            raise Cut(f"is larger than {bounds.size:,} bytes, which providers.max_bytes allows")
        if self._timing.time() - self._began > bounds.whole:
            raise Cut(too_slow(bounds))
        self._timing.check()


def too_slow(bounds: Bounds) -> str:
    """What is said of an answer that takes too long."""
    return f"was not at its end after {bounds.whole:g} s, which providers.deadline allows"


def read(pieces: Iterable[bytes], encoding: str, body: Growing) -> bytes:
    """The body, unpacked.

    Args:
        pieces: as they arrive, each small.
        encoding: the header ``Content-Encoding``.
        body: takes it.

    Raises:
        Cut: it is too large or too slow, or packed in a way that can't be read.
        Unreached: it ends in the middle.
    """
    kind = encoding.strip().lower()
    if kind not in _PACKED | {"", "identity"}:
        raise Cut(f"is packed as {kind[:40]!r}, which was not asked for")
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB) if kind in _PACKED else None
    for piece in pieces:
        body.take(piece if unpacker is None else _unpacked(unpacker, piece, body.room))
        body.check()
    if unpacker is not None and not unpacker.eof:
        raise Unreached("ends in the middle of what was packed")
    return bytes(body.data)


def _unpacked(unpacker: zlib._Decompress, piece: bytes, most: int) -> bytes:
    try:
        unpacked = unpacker.decompress(piece, most)
    except zlib.error as error:
        raise Cut(f"can't be unpacked: {error}") from error
    if unpacker.unused_data:  # it would grow as long as more comes
        raise Cut("goes on behind its end")
    return unpacked
