"""Shards and partitions agree with Kafka's Java client and with every other process."""

from __future__ import annotations

from collections import Counter

import pytest

from backbone.domain.hashing import SHARDS, murmur2, partition_of, shard_of


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_kafkas_java_client(data: bytes, expected: int) -> None:
    assert murmur2(data) == expected


def test_a_symbols_partition_is_that_of_its_utf8_bytes_made_positive() -> None:
    for symbol in ("21", "foobar", "EURUSD", "日経"):
        assert partition_of(symbol, 8) == (murmur2(symbol.encode()) & 0x7FFFFFFF) % 8
    assert partition_of("21", 10) == (-973932308 & 0x7FFFFFFF) % 10


@pytest.mark.parametrize("partitions", [1, 2, 4, 8, 16, 32, 64])
def test_all_symbols_of_a_shard_share_a_partition(partitions: int) -> None:
    for number in range(500):
        assert partition_of(f"SYM{number}", partitions) == shard_of(f"SYM{number}") % partitions


def test_symbols_spread_over_all_shards() -> None:
    shards = Counter(shard_of(f"SYM{number}") for number in range(16_000))
    assert len(shards) == SHARDS
    assert max(shards.values()) < 2 * 16_000 / SHARDS


def test_shards_never_change() -> None:
    assert [shard_of(symbol) for symbol in ("EURUSD", "AAPL", "日経", "BTC-USD")] == [21, 17, 19, 41]


def test_fewer_than_one_partition_is_refused() -> None:
    with pytest.raises(ValueError, match="0 partitions given"):
        partition_of("A", 0)
