from __future__ import annotations

import subprocess
import sys
from collections import Counter
from hashlib import blake2b

import pytest

from backbone.domain import Dimension, Frame, decode, encode
from backbone.domain.clock import from_us
from backbone.domain.identifiers import event_id, ingest_id, new_run_id, shard

from .conftest import bars_table
from .version_1 import WRITTEN


def test_an_ingest_id_depends_on_source_and_content_only(bars: Frame) -> None:
    again = Frame.from_arrow(Dimension.INTRADAY_BARS, bars.to_arrow().slice(50).take(list(range(49, -1, -1))))
    assert ingest_id("csv", again) == ingest_id("csv", bars.slice(50))
    assert ingest_id("csv", decode(encode(bars, {"revision": 1}))) == ingest_id("csv", bars.as_stale())
    assert len({ingest_id("csv", bars), ingest_id("yahoo", bars), ingest_id("csv", bars.slice(1))}) == 3


def test_an_ingest_id_is_blake2b_of_source_nul_and_canonical_bytes(bars: Frame) -> None:
    expected = blake2b(b"csv\0" + bars.canonical_bytes(), digest_size=16).hexdigest()
    assert ingest_id("csv", bars) == expected


@pytest.mark.parametrize("dimension", list(Dimension))
def test_identities_that_ledgers_hold_do_not_change_with_the_codec_or_a_library(dimension: Dimension) -> None:
    rows, _, kept, fingerprint, _ = WRITTEN[dimension]
    assert (ingest_id("vendor", rows), rows.fingerprint) == (kept, fingerprint)


def test_canonical_bytes_are_as_they_were() -> None:
    row: dict[str, object] = {"symbol": "A", "ts": from_us(1_000_000), "sequence": 1, "price": 1.5, "venue": "X"}
    expected = (
        "42424346 01 03 0700 01000000 40420f0000000000 40420f0000000000 05000000 2800000000000000"
        "9291a14180 000000"
        "01 02 0000 01000000  02 00 0000 00000000  04 00 0000 00000000  03 00 0000 00000000"
        "03 04 0000 00000000  01 02 0000 01000000  01 04 0000 00000000"
        "4100000000000000 40420f0000000000 0100000000000000 000000000000f83f 5800000000000000"
    )
    assert Frame.from_records(Dimension.TRADES, [row]).canonical_bytes() == bytes.fromhex(expected.replace(" ", ""))


def test_a_single_changed_value_changes_the_ingest_id() -> None:
    table = bars_table(50)
    closes = table["close"].to_pylist()
    closes[31] += 1e-12
    changed = table.set_column(6, "close", [closes])
    dimension = Dimension.INTRADAY_BARS
    assert ingest_id("s", Frame.from_arrow(dimension, table)) != ingest_id("s", Frame.from_arrow(dimension, changed))


def test_event_ids_tell_chunks_symbols_and_numbers_apart() -> None:
    ids = {event_id(chunk, symbol, n) for chunk in ("a", "b") for symbol in ("X", "Y", "X1") for n in (0, 1, 11)}
    assert len(ids) == 18
    assert event_id("a", "X", 0) == event_id("a", "X", 0)


def test_shards_are_the_same_in_every_process() -> None:
    symbols = ["EURUSD", "AAPL", "日経", "BTC-USD"]
    code = f"from backbone.domain.identifiers import shard\nprint([(shard(s), shard(s, 7)) for s in {symbols!r}])"
    other = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
        env={"PYTHONHASHSEED": "7"},
    )
    assert other.stdout.strip() == str([(shard(s), shard(s, 7)) for s in symbols])
    assert [shard(symbol) for symbol in symbols] == [11, 12, 8, 0]


def test_symbols_spread_over_all_shards() -> None:
    symbols = [f"SYM{n}" for n in range(4000)]
    shards = Counter(map(shard, symbols))
    assert len(shards) == 16
    assert max(shards.values()) < 2 * 4000 / 16


def test_fewer_than_one_shard_is_refused() -> None:
    with pytest.raises(ValueError, match="0 shards given"):
        shard("A", 0)


def test_run_ids_sort_by_time_and_are_unique() -> None:
    moments = iter([1, 1_000, 2**40, 2**47])
    ids = [new_run_id(now_ms=lambda: next(moments)) for _ in range(4)]
    assert ids == sorted(ids)
    assert len({new_run_id() for _ in range(1000)}) == 1000


def test_a_run_id_is_made_of_the_given_time_and_randomness() -> None:
    made = new_run_id(now_ms=lambda: 0x0123456789AB, randomness=lambda size: b"\xff" * size)
    assert made == "0123456789ab7fffbfffffffffffffff"
