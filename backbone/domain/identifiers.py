"""Identifiers: content hashes for chunks and events, stable shards, and run ids that sort by time."""

from __future__ import annotations

import os
import time
import zlib
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from backbone.domain.frame import Frame

__all__ = ["again", "event_id", "ingest_id", "new_run_id", "part", "rest", "shard", "stretch"]

_DIGEST_BYTES = 16


def ingest_id(source: str, frame: Frame, nth: bytes = b"") -> str:
    """The identity of a chunk: 32 hex digits that depend only on the source's name and the frame's content.

    Args:
        source: its full name.
        frame: the rows.
        nth: of events without a number, which of several equal ones each row is; see `backbone.store.records.Chunk`.
    """
    from backbone.domain.identity import canonical_parts

    digest = blake2b(source.encode(), digest_size=_DIGEST_BYTES)
    digest.update(b"\0")
    for part in canonical_parts(frame):
        digest.update(part)
    digest.update(nth)
    return digest.hexdigest()


def again(ingest_id: str, n: int) -> str:
    """The identity of the n-th chunk, from 2, of one run with the same content: A, B, A are three chunks."""
    return blake2b(f"{ingest_id}\0again\0{n}".encode(), digest_size=_DIGEST_BYTES).hexdigest()


def part(ingest_id: str, n: int) -> str:
    """The identity of the n-th part, from 1, of a chunk that is written in parts: of A, B, A each has its own."""
    return blake2b(f"{ingest_id}\0part\0{n}".encode(), digest_size=_DIGEST_BYTES).hexdigest()


def stretch(ingest_id: str, start: int, end: int) -> str:
    """The identity of the rows of a chunk from one on and before another, where they are written by themselves."""
    return blake2b(f"{ingest_id}\0rows\0{start}\0{end}".encode(), digest_size=_DIGEST_BYTES).hexdigest()


def rest(of: str, frame: Frame) -> str:
    """The identity of what is left to be written of a chunk, where some of its rows are stored as they are.

    Args:
        of: the identity of the chunk.
        frame: the rows that are left.
    """
    return ingest_id(f"{of}\0rest", frame)


def event_id(ingest_id: str, symbol: str, n: int) -> str:
    """The identity of the n-th event that a chunk has for a symbol, as 32 hex digits."""
    return blake2b(f"{ingest_id}\0{symbol}\0{n}".encode(), digest_size=_DIGEST_BYTES).hexdigest()


def shard(symbol: str, shards: int = 16) -> int:
    """The shard of a symbol, 0 to ``shards - 1``: the same in every process and on every machine.

    Raises:
        ValueError: ``shards`` is below 1.
    """
    if shards < 1:
        raise ValueError(f"{shards} shards given; give at least 1")
    return zlib.crc32(symbol.encode()) % shards


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def new_run_id(*, now_ms: Callable[[], int] = _wall_ms, randomness: Callable[[int], bytes] = os.urandom) -> str:
    """A fresh run id: 32 hex digits of a UUID version 7 (RFC 9562), which sorts by its time of making.

    Args:
        now_ms: milliseconds since 1970.
        randomness: gives so many random bytes.
    """
    raw = bytearray(now_ms().to_bytes(6) + randomness(10))
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return raw.hex()
