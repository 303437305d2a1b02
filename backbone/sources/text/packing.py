"""Packed text files: gzip, zstd, and zip archives of one file; told by their first bytes."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from struct import Struct
from typing import IO, Final, Protocol

import pyarrow as pa

from backbone.sources.errors import InputInvalid

__all__ = ["Readable", "unpacked"]

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"

_END: Final = Struct("<4s4H2IH")  # of a zip archive: the sizes of its directory
_END_64: Final = b"PK\x06\x07"
_MOST_COMMENT: Final = 65_535
_MOST_DIRECTORY: Final = 1024**2
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2})
"""LZMA is none of them: a few bytes make it ask for 4 GiB of memory."""
_ENCRYPTED: Final = 0x1
_DAMAGED: Final = (zipfile.BadZipFile, ValueError, RuntimeError, OSError)  # a place before the file can't be sought
_TABLES: Final = frozenset({".csv", ".tsv"})
_TEXTS: Final = frozenset({*_TABLES, ".txt", ".asc", ".dat", ".prn", ".tab", ""})


class Readable(Protocol):
    """Whatever gives bytes."""

    def read(self, size: int, /) -> bytes:
        """Up to so many further bytes; none at the end."""
        ...


@contextmanager
def unpacked(path: Path, raw: io.BufferedReader) -> Iterator[tuple[Readable, tuple[str, ...]]]:
    """The text of an open file, unpacked, and what there is to say of it.

    Raises:
        InputInvalid: it is an archive of another number of texts, or is packed in a way that can't be undone.
    """
    head = raw.peek(4)[:4]
    if head.startswith(_GZIP):
        with gzip.GzipFile(fileobj=raw) as text:
            yield text, ()
    elif head == _ZSTD:
        with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd") as text:
            yield text, ()
    elif head in (_ZIP, _EMPTY_ZIP):
        with _archive(path, raw) as archive:
            member, others = _text_of(path, archive)
            with _opened(path, archive, member) as text:
                yield text, _passed_over(others)
    else:
        yield raw, ()


def _opened(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archive.open(member)
    except _DAMAGED as error:
        raise InputInvalid(f"{path} is a damaged zip archive: {error}; get the file anew") from error


@contextmanager
def _archive(path: Path, raw: io.BufferedReader) -> Iterator[zipfile.ZipFile]:
    _check_directory(path, raw)
    try:
        archive = zipfile.ZipFile(raw)
    except _DAMAGED as error:
        raise InputInvalid(f"{path} is a damaged zip archive: {error}; get the file anew") from error
    with archive:
        yield archive


def _check_directory(path: Path, raw: io.BufferedReader) -> None:
    """Refuse a directory that is too large before it is read as a whole: each entry takes up much memory."""
    size = os.fstat(raw.fileno()).st_size
    start = max(0, size - _MOST_COMMENT - _END.size - 20)
    tail = os.pread(raw.fileno(), size - start, start)
    at = tail.rfind(_EMPTY_ZIP)
    if at < 0 or len(tail) - at < _END.size:
        raise InputInvalid(f"{path} is a damaged or cut off zip archive; get the file anew")
    directory = _END.unpack_from(tail, at)[5]
    if directory > _MOST_DIRECTORY or tail[max(0, at - 20) : at].startswith(_END_64):
        raise InputInvalid(f"{path} is a zip archive of very many or very large files; unpack it first")


def _text_of(path: Path, archive: zipfile.ZipFile) -> tuple[zipfile.ZipInfo, list[str]]:
    """The one text of an archive; the names of what else is in it."""
    members = [each for each in archive.infolist() if not each.is_dir() and not _is_clutter(each.filename)]
    names = {each.filename for each in members}
    if "[Content_Types].xml" in names:
        raise InputInvalid(f"{path} is a workbook of Excel or the like; save the sheet as CSV")
    texts = [each for each in members if _suffix(each) in _TEXTS]
    tables = [each for each in members if _suffix(each) in _TABLES]
    chosen = next((each for each in (members, tables, texts) if len(each) == 1), None)
    if chosen is None:
        listed = ", ".join(sorted(repr(name[:40]) for name in names)[:5]) or "none"
        raise InputInvalid(
            f"{path} is a zip archive of {len(members)} files ({listed}); one text is read: unpack it first, and give "
            "each file by itself"
        )
    (member,) = chosen
    if member.flag_bits & _ENCRYPTED:
        raise InputInvalid(f"{path} is a zip archive with a password; unpack it first")
    if member.compress_type not in _METHODS:
        raise InputInvalid(f"{path} is a zip archive packed by method {member.compress_type}; unpack it first")
    return member, sorted(names - {member.filename})


def _is_clutter(name: str) -> bool:
    """Whether it is what a Mac adds to every archive."""
    path = PurePosixPath(name)
    return path.parts[:1] == ("__MACOSX",) or path.name == ".DS_Store"


def _suffix(member: zipfile.ZipInfo) -> str:
    return PurePosixPath(member.filename).suffix.lower()


def _passed_over(names: list[str]) -> tuple[str, ...]:
    return (f"the archive's other files passed over: {', '.join(name[:40] for name in names[:5])}",) if names else ()
