"""Advisory locks. All of them end with their transaction, but for that of a lease, which ends with its connection.

Whoever writes rows of a symbol holds the lock of the symbol's shard from before its first write, hence from before it
has a transaction number, until after its COMMIT can be seen by others. So of two transactions that write one symbol,
the one with the greater number committed later, and saw all that the other one wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from backbone.domain.dimension import Dimension
from backbone.domain.identifiers import shard
from backbone.store.timescale.session import Session

__all__ = [
    "SHARDS",
    "of_lease",
    "take_chunk",
    "take_claim",
    "take_dimension",
    "take_migration",
    "take_symbol",
    "writing",
]

SHARDS = 16
_SPACE = 0x62620000
"""First half of all our locks' keys, so that other users of the database are not met by chance."""

_MIGRATION, _CHUNK, _CLAIM, _LEASE = _SPACE + 1, _SPACE + 2, _SPACE + 3, _SPACE + 4
_CODES = {dimension: _SPACE + 16 + code for code, dimension in enumerate(Dimension)}

_TAKE = "SELECT pg_advisory_xact_lock(space, key) FROM unnest($1::int[], $2::int[]) AS locks(space, key)"
"""Rows of unnest come in order, so locks are taken in the order given."""


def writing(dimension: Dimension, symbols: Iterable[str], chunk: tuple[str, str]) -> str:
    """The statement that makes the only writer of these symbols, and of this chunk of a run.

    Shards ascend, so nobody waits in a ring. It takes no values, for it is sent along with BEGIN.
    """
    shards = sorted({shard(symbol, SHARDS) for symbol in symbols})
    keys = [(_CHUNK, _hash(*chunk)), *((_CODES[dimension], number) for number in shards)]
    listed = ", ".join(f"({space:d}, {key:d})" for space, key in keys)
    return f"SELECT pg_advisory_xact_lock(space, key) FROM (VALUES {listed}) AS locks(space, key)"  # noqa: S608


async def take_dimension(session: Session, dimension: Dimension) -> None:
    """Become the only writer of a whole dimension."""
    await session.fetch(_TAKE, [_CODES[dimension]] * SHARDS, list(range(SHARDS)))


async def take_symbol(session: Session, dimension: Dimension, symbol: str) -> None:
    """Become the only writer of a symbol."""
    await session.fetch(_TAKE, [_CODES[dimension]], [shard(symbol, SHARDS)])


async def take_chunk(session: Session, run_id: str, ingest_id: str) -> None:
    """Wait until nobody is writing this chunk: then whether it was committed is certain."""
    await session.fetch(_TAKE, [_CHUNK], [_hash(run_id, ingest_id)])


async def take_claim(session: Session, source: str, dimension: Dimension) -> None:
    """Become the only one who claims an epoch of this source and dimension."""
    await session.fetch(_TAKE, [_CLAIM], [_hash(source, dimension.value)])


async def take_migration(session: Session) -> None:
    """Become the only one who migrates."""
    await session.fetch(_TAKE, [_MIGRATION], [0])


def of_lease(sink: str, shard: int) -> tuple[int, int]:
    """The two numbers of the lock that the one who publishes a shard to a sink holds; neither is negative."""
    return _LEASE, _hash(sink, str(shard)) & 0x7FFFFFFF


def _hash(*texts: str) -> int:
    """32 bits of the texts, signed; a collision makes one wait for the other, no more."""
    return int.from_bytes(blake2b("\0".join(texts).encode(), digest_size=4).digest(), signed=True)
