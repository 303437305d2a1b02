"""What is in an export: the journal, a line for each file as soon as it is there, and the manifest at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from backbone.domain.dimension import Dimension
from backbone.export.layout import JOURNAL, MANIFEST
from backbone.store.snapshots import Part

__all__ = [
    "UNREADABLE",
    "Entry",
    "Header",
    "Job",
    "Manifest",
    "Mapped",
    "journal_of",
    "manifest_of",
    "token_of",
    "tokened",
]

JobStatus = Literal["ok", "warn", "fail"]

UNREADABLE = (ValueError, RecursionError)
"""What JSON that was damaged is refused with, also where its bytes are no text; or somebody else's, far too deep."""


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """The same rows once more, in a file that is mapped into memory; see `backbone.export.mapped`.

    Attributes:
        path: from the folder of the export.
        bytes, sha256: of the file.
    """

    path: str
    bytes: int
    sha256: str


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file.

    Attributes:
        dimension, symbol, start, end: which rows; symbol None is all, bounds None are open.
        path: from the folder of the export.
        rows, earliest, latest: how many, and when the first and the last are of.
        version: of the rows in the store; see `backbone.store.snapshots.PartFacts`.
        bytes, sha256: of the file.
        sums: by column, what store and file agree on; see `backbone.export.sums`.
        mapped: the file beside it; None: there is none.
    """

    dimension: Dimension
    symbol: str | None
    start: datetime | None
    end: datetime | None
    path: str
    rows: int
    earliest: datetime
    latest: datetime
    version: str
    bytes: int
    sha256: str
    sums: Mapping[str, str]
    mapped: Mapped | None = None

    @property
    def part(self) -> Part:
        """Which rows."""
        return Part(self.dimension, self.symbol, self.start, self.end)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What all files of an export have in common; entries of another generation or layout say nothing.

    Attributes:
        id: the name of its folder.
        generation: of the database.
        layout: see `Layout.fingerprint`.
        format: parquet, csv or jsonl.
        position, drops: of the moment that was read.
    """

    id: str
    generation: str
    layout: str
    format: str
    position: int
    drops: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one dimension.

    Attributes:
        issues: "no_rows_returned", "query_failed", "write_failed", "content_differs".
        why: in words; "" where all is well.
    """

    dimension: Dimension
    status: JobStatus
    issues: tuple[str, ...] = ()
    why: str = ""
    files: int = 0
    rows: int = 0
    bytes: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All of an export. Where it names no job that failed, the export is whole.

    Attributes:
        columns: by dimension, the Arrow type of each column of a file.
        requested: what was asked for.
    """

    schema: int = 1
    version: str
    generated_at: datetime
    settings_hash: str
    status: JobStatus
    job_count: int
    header: Header
    requested: Mapping[str, Any]
    columns: Mapping[str, Mapping[str, str]]
    jobs: tuple[Job, ...]
    files: tuple[Entry, ...]


def manifest_of(folder: Path) -> Manifest | None:
    """The manifest of an export; None: it has none that can be read, so it is not whole."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError, *UNREADABLE):
        return None


def tokened(folder: Path) -> tuple[str, Manifest]:
    """What an export is known by, to the byte of its manifest, and that.

    Raises:
        OSError, ValueError: it has none that can be read.
    """
    data = (folder / MANIFEST).read_bytes()
    return f"{folder.name} {sha256(data).hexdigest()[:32]}", msgspec.json.decode(data, type=Manifest)


def token_of(folder: Path) -> str:
    """The first of them."""
    return tokened(folder)[0]


def journal_of(folder: Path) -> tuple[Header | None, list[Entry]]:
    """What is there of an export, whole or not; a line that was cut off does not count."""
    manifest = manifest_of(folder)
    if manifest is not None:
        return manifest.header, list(manifest.files)
    lines = _lines(folder / JOURNAL)
    try:
        header = msgspec.json.decode(next(lines, b""), type=Header)
    except UNREADABLE:
        return None, []
    entries = []
    for line in lines:
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except UNREADABLE:
            break
    return header, entries


def _lines(path: Path) -> Iterator[bytes]:
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from whole.splitlines()
