"""Where a symbol belongs: its shard in this system, its partition on the stream.

Both come from murmur2 as Kafka's Java client computes it, so that programs in any language that send with the symbol as
key find the partition that this one reads: `toPositive(murmur2(key)) % partitions`. As long as the number of partitions
divides `SHARDS`, all symbols of a shard share a partition: the partition is the shard modulo their number.
"""

from __future__ import annotations

__all__ = ["SHARDS", "murmur2", "partition_of", "shard_of"]

SHARDS = 64
"""Fixed for ever: locks, outbox rows and leases are by shard."""

_SEED = 0x9747B28C
_M = 0x5BD1E995
_32 = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The hash as a signed number of 32 bits, as Java has it: `murmur2(b"21")` is -973932308."""
    whole = len(data) & ~3
    h = _SEED ^ len(data)
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _32
        k = (k ^ k >> 24) * _M & _32
        h = (h * _M & _32) ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _32
    h = (h ^ h >> 13) * _M & _32
    h ^= h >> 15
    return h - (1 << 32) if h >> 31 else h


def partition_of(symbol: str, partitions: int) -> int:
    """The stream partition of a symbol, 0 to `partitions - 1`: that of its UTF-8 bytes as a key of Kafka.

    Raises:
        ValueError: `partitions` is below 1.
    """
    if partitions < 1:
        raise ValueError(f"{partitions} partitions given; give at least 1")
    return (murmur2(symbol.encode()) & 0x7FFFFFFF) % partitions


def shard_of(symbol: str) -> int:
    """The shard of a symbol, 0 to 63: the same in every process, on every machine and in every version."""
    return partition_of(symbol, SHARDS)
