"""Packed text files: what is read, and what is refused before it can do harm."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbone.domain import Frame
from backbone.sources.csv import CsvSource
from backbone.sources.errors import InputInvalid
from backbone.sources.port import Progress
from tests.campaigns import so_many

TEXT = b"Date,Open,High,Low,Close,Volume\n2024-03-07,10.5,10.8,10.4,10.7,1200300\n"
LONG = TEXT + b"".join(b"2024-03-%02d,1,2,1,2,%d\n" % (1 + n % 28, n) for n in range(20_000))


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return packed


def read(path: Path, data: bytes) -> tuple[Frame, CsvSource]:
    path.write_bytes(data)
    source = CsvSource(path, "daily", symbol="ACME")
    return Frame.concat([chunk.frame for chunk in source.chunks()]), source


PACKED = {
    "gzip": gzip.compress(TEXT),
    "two members of gzip": gzip.compress(TEXT[:40]) + gzip.compress(TEXT[40:]),
    "zstd": zstd(TEXT),
    "two frames of zstd": zstd(TEXT[:40]) + zstd(TEXT[40:]),
    "zip": zipped({"bars.csv": TEXT}),
    "stored zip": zipped({"bars.csv": TEXT}, zipfile.ZIP_STORED),
    "zip by bzip2": zipped({"bars.csv": TEXT}, zipfile.ZIP_BZIP2),
    "zip of one file of any name": zipped({"folder/": b"", "folder/bars": TEXT}),
    "zip of a Mac": zipped({"bars.csv": TEXT, "__MACOSX/._bars.csv": b"x", ".DS_Store": b"x"}),
    "UTF-16 in a zip": zipped({"bars.txt": TEXT.decode().encode("utf-16")}),
}


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("name", ["bars.csv", "bars.zip"])
def test_a_packed_text_is_told_by_its_content(tmp_path: Path, packed: bytes, name: str) -> None:
    frame, source = read(tmp_path / name, packed)
    assert frame == read(tmp_path / "plain", TEXT)[0]
    assert all("UTF-16" in note for note in source.account.notes)


def test_the_one_table_of_an_archive_is_read_and_the_rest_is_named(tmp_path: Path) -> None:
    frame, source = read(tmp_path / "bars.zip", zipped({"DAT_M1.csv": TEXT, "DAT_M1.txt": b"a report", "x.png": b""}))
    assert len(frame) == 1
    assert source.account.notes == ["the archive's other files passed over: DAT_M1.txt, x.png"]


REFUSED = {
    "two tables": (zipped({"a.csv": TEXT, "b.csv": TEXT}), r"zip archive of 2 files \('a.csv', 'b.csv'\).*unpack it"),
    "nothing in it": (zipped({}), "zip archive of 0 files"),
    "a workbook": (zipped({"[Content_Types].xml": b"", "xl/a.xml": b""}), "a workbook of Excel.*save the sheet as CSV"),
    "cut off": (zipped({"a.csv": LONG})[:-30], "damaged or cut off zip archive"),
    "damaged": (zipped({"a.csv": LONG}).replace(b"PK\x03\x04", b"PK\x03\x04", 1)[:200] + b"\xff" * 64
                + zipped({"a.csv": LONG})[264:], "damaged"),
    "zstd cut off": (zstd(LONG)[:-9], "damaged or cut off"),
    "zstd damaged": (zstd(LONG)[:9] + b"\xff" * 64 + zstd(LONG)[73:], "damaged or cut off"),
    "zip by lzma": (zipped({"a.csv": TEXT}, zipfile.ZIP_LZMA), "packed by method 14; unpack it first"),
    "xz": (lzma.compress(TEXT), "compressed with xz"),
    "bzip2": (bz2.compress(TEXT), "compressed with bzip2"),
    "parquet in gzip": (gzip.compress(b"PAR1" + bytes(99)), "a Parquet file"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(99), "a 7z archive"),
    "old Excel": (b"\xd0\xcf\x11\xe0" + bytes(99), "a workbook of Excel"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cant_be_read_is_refused_in_one_line(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputInvalid, match=message) as refused:
        read(tmp_path / "bars.zip", data)
    assert "\n" not in str(refused.value)


def test_a_zip_archive_with_a_password_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.csv": TEXT}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    with pytest.raises(InputInvalid, match="with a password"):
        read(tmp_path / "bars.zip", bytes(data))


def test_a_zip_archive_packed_in_an_unknown_way_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.csv": TEXT}))
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(signature) + offset] = 97
    with pytest.raises(InputInvalid, match="packed by method 97; unpack it first"):
        read(tmp_path / "bars.zip", bytes(data))


@pytest.mark.campaign
@settings(
    max_examples=so_many(300, part=100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    packed=st.sampled_from(list(PACKED.values())),
    place=st.integers(0, 400),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_any_damage_gives_rows_or_a_clear_refusal(
    tmp_path: Path, packed: bytes, place: int, byte: int, cut: bool
) -> None:
    at = place % len(packed)
    damaged = packed[:at] if cut and at else packed[:at] + bytes([byte]) + packed[at + 1 :]
    try:
        read(tmp_path / "bars", damaged)
    except InputInvalid as refused:
        assert "\n" not in str(refused)  # noqa: PT017  either outcome is right


@pytest.mark.parametrize("pack", [lambda data: zipped({"a.csv": data}), zstd], ids=["zip", "zstd"])
def test_bombs_are_refused(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    with pytest.raises(InputInvalid, match="unpacks to over 200 times its size"):
        read(tmp_path / "bomb", pack(TEXT + b"\n" * 30_000_000))


def test_an_archive_of_very_many_files_is_refused_before_its_directory_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="zip archive of very many or very large files"):
        read(tmp_path / "many.zip", zipped({f"{n:0100}": b"" for n in range(8000)}))


@pytest.mark.parametrize("data", [zipped({"a.csv": LONG}), zstd(LONG)], ids=["zip", "zstd"])
def test_progress_reaches_the_size_of_the_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bars"
    path.write_bytes(data)
    seen: list[Progress] = []
    list(CsvSource(path, "daily", symbol="ACME").chunks(progress=seen.append))
    assert 0.9 * len(data) < seen[-1].bytes_read <= seen[-1].bytes_total == len(data)
