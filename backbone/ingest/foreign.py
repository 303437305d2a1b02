"""What a source of another package gives, looked at before it is believed: its kind, its dimension, its size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import index
from typing import Final

from backbone.domain import Dimension, Frame
from backbone.domain.arguments import shown
from backbone.sources.errors import SourceError
from backbone.sources.port import BadRow, SourceChunk

__all__ = ["looked_at"]

_MOST_ROWS: Final = 100_000
_MOST_BYTES: Final = 64 * 2**20


def looked_at(chunks: Iterable[object], dimension: Dimension) -> Iterator[SourceChunk]:
    """The chunks, in pieces that fit into a transaction.

    Raises:
        SourceError: something else than chunks of this dimension was given.
    """
    read = 0
    for chunk in chunks:
        if not isinstance(chunk, SourceChunk) or not isinstance(chunk.frame, Frame):
            raise SourceError(f"the source gave {shown(chunk)}; allowed are SourceChunks of a Frame")
        if chunk.frame.dimension is not dimension:
            raise SourceError(f"the source gave {chunk.frame.dimension}; {dimension} were asked for")
        bad = tuple(chunk.quarantined)
        if not all(map(_is_bad_row, bad)) or not hasattr(chunk.rows_read, "__index__"):
            raise SourceError("the source gave bad rows that are no BadRows of texts, or rows_read that is no number")
        if chunk.known_at is not None and not _is_moment(chunk.known_at):
            raise SourceError(f"the source gave known_at={shown(chunk.known_at)}; allowed is a moment with a time zone")
        yield from _pieces(chunk, bad, read)
        read = index(chunk.rows_read)


def _is_bad_row(row: object) -> bool:
    if not isinstance(row, BadRow) or not isinstance(row.excerpt, str | bytes):
        return False
    return isinstance(row.location, str) and isinstance(row.reason, str)


def _is_moment(known_at: object) -> bool:
    return isinstance(known_at, datetime) and known_at.utcoffset() is not None


def _pieces(chunk: SourceChunk, bad: tuple[BadRow, ...], read: int) -> Iterator[SourceChunk]:
    frame, rows, all_read = chunk.frame, chunk.frame.num_rows, index(chunk.rows_read)
    most = max(1, min(_MOST_ROWS, rows * _MOST_BYTES // max(1, frame.nbytes)))
    if rows <= most:
        yield SourceChunk(frame, bad, chunk.token, all_read, known_at=chunk.known_at)
        return
    read += len(bad)
    for start in range(0, rows, most):
        piece = frame.slice(start, most)
        read += piece.num_rows
        last = start + most >= rows
        told = all_read if last else read
        yield SourceChunk(piece, () if start else bad, chunk.token, told, known_at=chunk.known_at)
