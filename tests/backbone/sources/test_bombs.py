"""Small files that unfold to much, and files that one row, one name or one disk makes unreadable."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.domain import Frame
from backbone.sources.csv import CsvSource
from backbone.sources.errors import InputInvalid
from backbone.sources.parquet import ParquetSource
from backbone.sources.text.chunking import MOST_BAD, MOST_BYTES
from tests.backbone.sources.test_parquet import read
from tests.programs import ROOT, lean

LONG = "x" * 1_000_000
MOST_MIB = 512

GROWTH = """
import sys
from backbone.sources.parquet import ParquetSource
from tests.peaks import peak
import pyarrow.parquet
before = peak()
good = bad = 0
try:
    for chunk in ParquetSource(sys.argv[1], "trades").chunks():
        good, bad = good + chunk.frame.num_rows, bad + len(chunk.quarantined)
    print(good, bad, (peak() - before) // 2**20)
except ValueError as error:
    print("refused", type(error).__name__, (peak() - before) // 2**20)
"""


def trades(path: Path, symbol: pa.Array, **options: Any) -> Path:
    rows = len(symbol)
    ts = pa.array(np.arange(rows) * 1_000_000, pa.timestamp("us", "UTC"))
    table = pa.table({"symbol": symbol, "ts": ts, "price": np.ones(rows)})
    pq.write_table(table, path, compression="zstd", **options)
    return path


def dictionary(rows: int) -> pa.Array:
    codes = np.zeros(rows, np.int32)
    codes[0] = 1
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array([LONG, "SPY"]))


SPELLED: dict[str, Any] = {"use_dictionary": False, "data_page_size": 2**20, "write_batch_size": 1}
BOMBS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a dictionary of one long text": (lambda path: trades(path, dictionary(50_000)), "1 49999"),
    "long texts that compress well": (
        lambda path: trades(path, pa.array([f"{LONG}{n}" for n in range(60)]), **SPELLED),
        "0 60",
    ),
    "one page of long texts": (
        lambda path: trades(path, pa.array([f"{LONG}{n}" for n in range(150)]), use_dictionary=False),
        "refused InputInvalid",
    ),
    "texts that share a long beginning": (
        lambda path: trades(
            path,
            pa.array([f"{LONG[:200_000]}{n}" for n in range(800)]),
            use_dictionary=False,
            column_encoding={"symbol": "DELTA_BYTE_ARRAY"},
        ),
        "0 800",
    ),
    "distinct texts behind a full dictionary": (
        lambda path: trades(path, pa.array([f"{n}{LONG[:1000]}" for n in range(100_000)])),
        "100000 0",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_a_file_unfolds_to_is_bounded(name: str, tmp_path: Path) -> None:
    make, expected = BOMBS[name]
    path = make(tmp_path / "bomb.parquet")
    assert path.stat().st_size < 4 * 2**20
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, path],
        cwd=ROOT,
        env=lean(),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    *found, growth = done.stdout.split()
    assert " ".join(found) == expected
    assert int(growth) < MOST_MIB


def test_a_footer_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    path.write_bytes(b"PAR1" + bytes(17 * 2**20) + struct.pack("<I", 17 * 2**20) + b"PAR1")
    with pytest.raises(InputInvalid, match="its footer has 17,825,792 bytes"):
        read(ParquetSource(path, "trades"))


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "dictionary"])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
def test_all_ways_to_write_texts_are_read(encoding: str, compression: str, tmp_path: Path) -> None:
    rows = 20_000
    symbols = pa.array([None if n % 100 == 7 else f"symbol {n % 7000}" for n in range(rows)])
    ts = pa.array(np.arange(rows) * 1_000_000, pa.timestamp("us", "UTC"))
    table = pa.table({"symbol": ["A"] * rows, "ts": ts, "price": np.ones(rows), "venue": symbols})
    how = (
        {"use_dictionary": True, "dictionary_pagesize_limit": 2**14}
        if encoding == "dictionary"
        else {"use_dictionary": False, "column_encoding": {"venue": encoding}}
    )
    pq.write_table(table, tmp_path / "t.parquet", compression=compression, row_group_size=6_000, **how)
    frame, bad = read(ParquetSource(tmp_path / "t.parquet", "trades"))
    assert bad == []
    assert frame.to_arrow().column("venue").to_pylist() == symbols.to_pylist()


def test_a_bad_value_costs_its_row_and_no_other(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 6, pa.array([b"A", b"A\xff", b"A\x1b[m", b"A", b"A", b"A"]).buffers())
    table = pa.table(
        {
            "symbol": broken,
            "ts": pa.array([0, 1, 2, 3, 2**62, 5], pa.timestamp("ms", "UTC")),
            "price": pa.array([1, 1, 1, 2**53 + 1, 1, 1]),
            "sequence": pa.array([0.0, 1, 2, 3, 4, 5.5]),
            "venue": ["\u202eX", "", "", "", "", ""],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet", version="2.6", store_schema=True)
    frame, bad = read(ParquetSource(tmp_path / "t.parquet", "trades"))
    assert frame.num_rows == 1
    assert frame.to_arrow().column("venue").to_pylist() == ["\u202eX"]
    assert [each.reason for each in bad] == [
        "symbol is not UTF-8",
        "symbol holds the control or invisible character U+001B",
        "price does not fit double exactly",
        "ts lies outside the years 1800 to 2100, which sources.earliest and sources.latest widen",
        "sequence does not fit int64 exactly",
    ]


def test_a_broken_name_of_a_column_is_the_files_fault(tmp_path: Path) -> None:
    path = trades(tmp_path / "t.parquet", pa.array(["A"]), store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"symbol", b"symb\xff\xfe"))
    with pytest.raises(InputInvalid, match="can't be read as Parquet"):
        read(ParquetSource(path, "trades"))


ENCRYPTED = """
import base64, sys
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.parquet.encryption as pe
from backbone.sources.errors import InputInvalid
from backbone.sources.parquet import ParquetSource

class Keys(pe.KmsClient):
    def __init__(self, _):
        super().__init__()
    def wrap_key(self, key, _):
        return base64.b64encode(key)
    def unwrap_key(self, key, _):
        return base64.b64decode(key)

path, plain = sys.argv[1], sys.argv[2] == "plain"
table = pa.table({"symbol": ["A"], "ts": pa.array([1], pa.timestamp("us", "UTC")), "price": [1.0]})
how = pe.EncryptionConfiguration(footer_key="f", column_keys={"p": ["price"]}, plaintext_footer=plain)
properties = pe.CryptoFactory(Keys).file_encryption_properties(pe.KmsConnectionConfig(), how)
with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
    writer.write_table(table)
try:
    list(ParquetSource(path, "trades").chunks())
except InputInvalid as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("footer", "why"), [("plain", "has encrypted columns; decrypt it first"), ("hidden", "encrypted")]
)
def test_an_encrypted_file_is_refused_and_ends_no_process(footer: str, why: str, tmp_path: Path) -> None:
    """Arrow aborts where it is asked about a column whose key it has not got."""
    words = [sys.executable, "-c", ENCRYPTED, str(tmp_path / "t.parquet"), footer]
    done = subprocess.run(words, env=lean(), capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")
    assert why in done.stdout


def test_a_page_counts_with_the_bytes_that_it_has_in_the_file(tmp_path: Path) -> None:
    """Of a large file: a page that unpacks to little may be read as gigabytes."""
    symbols = pa.array([f"A{n}" for n in range(1000)])
    table = pa.table({"symbol": symbols, "ts": pa.array([1] * 1000, pa.timestamp("us", "UTC")), "price": np.ones(1000)})
    path, size = tmp_path / "t.parquet", b"\x15" + varint(2 * 8000)
    schema = pa.schema([pa.field(each.name, each.type, nullable=False) for each in table.schema])
    pq.write_table(table.cast(schema), path, compression="none", use_dictionary=["symbol", "ts"])
    assert path.read_bytes().count(size + size) == 1
    path.write_bytes(path.read_bytes().replace(size + size, size + b"\x15" + varint(2 * 2**30)))
    with pytest.raises(InputInvalid, match=r"has pages that unpack to 1,07\d,\d{3},\d{3} bytes together"):
        read(ParquetSource(path, "trades"))


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def test_a_row_group_that_lacks_a_column_is_the_files_fault(tmp_path: Path) -> None:
    path = trades(tmp_path / "t.parquet", pa.array(["A"] * 100), store_schema=False, write_statistics=False)
    data = path.read_bytes()
    (size,) = struct.unpack("<I", data[-8:-4])
    footer = data[-8 - size : -8]
    begin = footer.index(b"\x19\x1c\x19\x3c") + 4  # one row group of three columns
    end = footer.rindex(b"\x00\x16", 0, footer.rindex(b"\x16" + varint(200))) + 1
    found = 0
    for at in range(begin, end):  # one of them is where the third begins
        cut = footer[: begin - 1] + b"\x2c" + footer[begin:at] + footer[end:]
        path.write_bytes(data[: -8 - size] + cut + struct.pack("<I", len(cut)) + b"PAR1")
        with pytest.raises(InputInvalid) as refused:
            read(ParquetSource(path, "trades"))
        found += "a row group has 2 columns, fewer than the file" in str(refused.value)
    assert found == 1


@pytest.mark.parametrize("kind", [CsvSource, ParquetSource])
def test_a_disk_that_fails_at_the_first_byte_is_the_files_fault(kind: type[CsvSource]) -> None:
    with pytest.raises(InputInvalid, match="can't be read: Input/output error"):
        list(kind("/proc/self/mem", "daily").chunks())


@pytest.mark.parametrize("kind", [CsvSource, ParquetSource])
def test_a_file_that_shrinks_while_it_is_read_is_the_files_fault(kind: type[CsvSource], tmp_path: Path) -> None:
    path = tmp_path / "t"
    if kind is CsvSource:
        path.write_bytes(b"ts,symbol,price\n" + b"2024-01-02T10:00:00Z,A,1.0\n" * 400_000)
    else:
        rows = 400_000
        trades(path, pa.array([f"A{n}" for n in range(rows)]), row_group_size=50_000)
    chunks = kind(path, "trades", chunk_rows=1000).chunks()
    next(chunks)
    os.truncate(path, 1000)
    try:
        assert sum(chunk.frame.num_rows for chunk in chunks) < 400_000
    except InputInvalid as error:
        assert str(path) in str(error)  # noqa: PT017  text may end anywhere, columns may not


def test_a_chunk_has_a_bound_of_bytes_and_bad_rows_are_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    long = "v" * 1000
    good = "".join(f"2024-01-02T10:00:00.{n:06}Z,A,1.0,{long},{long}\n" for n in range(40_000))
    path.write_text("ts,symbol,price,venue,conditions\n" + good + "x\n" * 250_000)
    chunks = list(CsvSource(path, "trades").chunks())
    assert max(chunk.frame.nbytes for chunk in chunks) < 1.2 * MOST_BYTES
    assert max(len(chunk.quarantined) for chunk in chunks) <= MOST_BAD
    assert sum(len(chunk.quarantined) for chunk in chunks) == 250_000
    assert Frame.concat([chunk.frame for chunk in chunks]).num_rows == 40_000
    assert chunks[-1].rows_read == 290_000
