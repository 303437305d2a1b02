"""A file of an export, of which it is known whether it is still what it was, and whether that is what was written."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Lock
from weakref import finalize

import pyarrow as pa

from backbone.domain.hanging import beat_of
from backbone.export.manifest import Entry
from backbone.history.errors import Damaged

__all__ = ["WHOLE_BYTES", "File", "Hashes", "Marks", "Spoilt", "hash_of_mapped", "marks_of", "paths_of"]

WHOLE_BYTES = 64 * 2**20
"""Parquet files of up to so many bytes are read as a whole; of larger ones what is needed, piece by piece."""

_MOST_HASHES = 20_000  # files that are remembered
_BLOCK = 2**20

Stamp = tuple[int, int, int, int]
Marks = tuple[Stamp | None, ...]


class Spoilt(Damaged):
    """A part of an export is not what was written.

    Args:
        text: what is wrong.
        entry: which.
        marks: of its files as they are: who mends them makes others.
    """

    def __init__(self, text: str, entry: Entry, marks: Marks) -> None:
        super().__init__(text)
        self.entry = entry
        self.marks = marks


class File:
    """A file of which it is known that it is still as it was."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        try:
            self.handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Damaged(f"{path} can't be read: {error.strerror or error}") from error
        finalize(self, os.close, self.handle)
        self.size = size
        self.stamp = self._now()
        if self.stamp[2] != size:
            raise Damaged(f"{path} has {self.stamp[2]} bytes of {size}")

    def require_same(self) -> None:
        """Refuse where somebody has written to it, or made it shorter."""
        if self._now() != self.stamp:
            raise Damaged(f"{self.path} was changed while it was open")

    def mapped(self) -> pa.Buffer:
        """All of it, mapped into memory."""
        with pa.memory_map(str(self.path)) as file:
            whole = file.read_buffer()
        if _stamp(self.path.stat()) != self.stamp:
            raise Damaged(f"{self.path} was replaced while it was opened")
        return whole

    def source(self) -> pa.NativeFile:
        """For a reader of Parquet."""
        if self.size > WHOLE_BYTES:
            return pa.PythonFile(_Cursor(self), mode="r")
        return pa.BufferReader(pa.py_buffer(self.read(0, self.size)))

    def read(self, at: int, size: int, beat: Callable[[], None] | None = None) -> bytearray:
        """So many bytes, block by block; fewer at the end."""
        beat = beat or beat_of()
        data = bytearray(min(size, max(0, self.size - at)))
        view, done = memoryview(data), 0
        while done < len(data):
            many = os.preadv(self.handle, [view[done : done + _BLOCK]], at + done)
            beat()
            if not many:
                raise Damaged(f"{self.path} became shorter while it was read")
            done += many
        return data

    def hash(self) -> str:
        """The SHA-256, block by block."""
        found = sha256()
        for at in range(0, self.size, _BLOCK):
            found.update(self.read(at, _BLOCK))
        return found.hexdigest()

    def _now(self) -> Stamp:
        return _stamp(os.fstat(self.handle))


class _Cursor:
    """A place in a file that several read at once."""

    closed = False

    def __init__(self, file: File) -> None:
        self._file = file
        self._at = 0
        self._beat = beat_of()  # Arrow reads in threads of its own

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, from the beginning, from here or from the end."""
        self._at = offset + (0, self._at, self._file.size)[whence]
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def read(self, size: int = -1) -> bytearray:
        """The next so many bytes; all of them without a size."""
        data = self._file.read(self._at, self._file.size if size < 0 else size, self._beat)
        self._at += len(data)
        return data

    def close(self) -> None:
        """The file stays open."""
        self.closed = True


class Hashes:
    """Hashes of files, each made once for as long as the file stays as it is, also where it is closed meanwhile."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: OrderedDict[Stamp, str] = OrderedDict()

    def require(self, file: File, wanted: str, made: Callable[[], str]) -> None:
        """Refuse a file of another hash."""
        with self._lock:
            found = self._found.get(file.stamp)
        if found is None:
            found = made()
            with self._lock:
                self._found[file.stamp] = found
                while len(self._found) > _MOST_HASHES:
                    self._found.popitem(last=False)
        if found != wanted:
            raise Damaged(f"{file.path} is not the file that was written: its SHA-256 is another")


def hash_of_mapped(data: pa.Buffer) -> str:
    """The SHA-256 of a file that is mapped, block by block."""
    found, beat = sha256(), beat_of()
    for at in range(0, data.size, _BLOCK):
        found.update(data[at : at + _BLOCK])
        beat()
    return found.hexdigest()


def marks_of(folder: Path, entry: Entry) -> Marks:
    """Others as soon as a file of a part is another one."""
    return tuple(_mark(path) for path in paths_of(folder, entry))


def paths_of(folder: Path, entry: Entry) -> list[Path]:
    """The files of a part."""
    return [folder / path for path in ([entry.path] if entry.mapped is None else [entry.path, entry.mapped.path])]


def _mark(path: Path) -> Stamp | None:
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
