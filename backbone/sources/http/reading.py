"""Reading a body piece by piece: it never grows beyond its bound, packed or not, however it arrives."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from backbone.sources.http.timing import Timing
from backbone.sources.http.transport import Bounds, Cut, Unreached

__all__ = ["read"]

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


def read(pieces: Iterable[bytes], encoding: str, bounds: Bounds, timing: Timing, began: float) -> bytes:
    """The body, unpacked.

    Args:
        pieces: as they arrive, each small.
        encoding: the header ``Content-Encoding``.
        bounds: of the body.
        timing: is asked after each piece.
        began: when the request was sent, by `timing`.

    Raises:
        Cut: it is too large or too slow, or packed in a way that can't be read.
        Unreached: it ends in the middle.
    """
    kind = encoding.strip().lower()
    if kind not in _PACKED | {"", "identity"}:
        raise Cut(f"is packed as {kind[:40]!r}, which was not asked for")
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB) if kind in _PACKED else None
    body = bytearray()
    for piece in pieces:
        body += piece if unpacker is None else _unpacked(unpacker, piece, bounds.size + 1 - len(body))
        if len(body) > bounds.size:
            raise Cut(f"is larger than {bounds.size:,} bytes, which providers.max_bytes allows")
        if timing.time() - began > bounds.whole:
            raise Cut(f"was not at its end after {bounds.whole:g} s, which providers.deadline allows")
        timing.check()
    if unpacker is not None and not unpacker.eof:
        raise Unreached("ends in the middle of what was packed")
    return bytes(body)


def _unpacked(unpacker: zlib._Decompress, piece: bytes, most: int) -> bytes:
    try:
        return unpacker.decompress(piece, most)
    except zlib.error as error:
        raise Cut(f"can't be unpacked: {error}") from error
