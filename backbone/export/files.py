"""What an export does to the disk, one method for each step, each on the disk for good when it is back."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from backbone.domain.hanging import beat_of
from backbone.export.errors import ExportBusy
from backbone.files import begun, continued, lock_file

__all__ = ["SYNC_BYTES", "Claim", "Disk", "Sink", "hash_of", "locked"]

_BLOCK = 1 << 20
SYNC_BYTES = 64 << 20
"""So much of a file is brought to the disk at once: with all of a large one a slow disk would seem to hang."""


class Sink:
    """A file that is being written, which counts and hashes what goes into it.

    Attributes:
        size: bytes so far.
        closed: whether nothing more may come.
    """

    def __init__(self, disk: Disk, file: BinaryIO) -> None:
        self._disk = disk
        self._file = file
        self._hash = hashlib.sha256()
        self._held_back = 0
        self.size = 0
        self.closed = False
        self._abandoned = False

    def abandon(self) -> None:
        """Take no more: the file is given up, and whoever writes to it ends in peace."""
        self._abandoned = True

    def write(self, data: bytes) -> int:
        """Write all of it; where it was given up, nothing."""
        if self._abandoned:
            return len(data)
        self._disk.write(self._file, data)
        self._hash.update(data)
        self.size += len(data)
        self._held_back += len(data)
        if self._held_back >= SYNC_BYTES:
            self._disk.finish(self._file)
            self._held_back = 0
        return len(data)

    def tell(self) -> int:
        """How far it is."""
        return self.size

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """What writes into it is done; `Disk.finish` closes the file."""

    @property
    def sha256(self) -> str:
        """The hash of what was written."""
        return self._hash.hexdigest()


class Disk:
    """The steps, each of which says that the one before it is done. A test lets any of them fail."""

    @contextmanager
    def creating(self, path: Path) -> Iterator[Sink]:
        """A new file in the place of an old one of that name; closed in the end, whole or not."""
        with self.open(path) as file:
            yield Sink(self, file)
            self.finish(file)

    def open(self, path: Path) -> BinaryIO:
        """Begin a file."""
        beat_of()()
        return begun(path)

    def write(self, file: BinaryIO, data: bytes) -> None:
        """Write all of it."""
        left, beat = memoryview(data), beat_of()
        while left:
            beat()
            left = left[file.write(left) :]

    def finish(self, file: BinaryIO) -> None:
        """Bring the file to the disk."""
        beat_of()()
        os.fsync(file.fileno())

    def rename(self, old: Path, new: Path) -> None:
        """Put a file into its place, at once."""
        beat_of()()
        old.replace(new)
        self.sync(new.parent)

    def link(self, old: Path, new: Path) -> None:
        """Give a file another name; what has that name goes."""
        beat_of()()
        new.unlink(missing_ok=True)
        os.link(old, new)
        self.sync(new.parent)

    def append(self, path: Path, line: bytes) -> None:
        """Add to the end of a file."""
        beat_of()()
        with continued(path) as file:
            self.write(file, line)
            self.finish(file)

    def put(self, path: Path, data: bytes) -> None:
        """Write a small file at once or not at all."""
        partial = path.with_name(f".{path.name}.tmp")
        with self.creating(partial) as sink:
            sink.write(data)
        self.rename(partial, path)

    def folder(self, path: Path) -> None:
        """Make a folder, and those above it that are missing."""
        beat_of()()
        if not path.is_dir():
            self.folder(path.parent)
            path.mkdir(exist_ok=True)
            self.sync(path.parent)

    def remove(self, path: Path) -> None:
        """Remove a file, or a folder that is empty."""
        beat_of()()
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)

    def sync(self, folder: Path) -> None:
        """Bring the names in a folder to the disk."""
        beat_of()()
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def hash_of(path: Path) -> str:
    """The SHA-256 of a file; "" where there is none, or none that can be read: it is as good as none."""
    found, beat = hashlib.sha256(), beat_of()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                beat()
                found.update(block)
    except OSError:
        return ""
    return found.hexdigest()


class Claim:
    """To be the only export that writes to a folder, until it is let go of; the lock falls with the process.

    Raises:
        ExportBusy: another one does.
    """

    _handle: int | None = None  # also of one that could not be made

    def __init__(self, folder: Path) -> None:
        self._handle = lock_file(folder / ".lock")
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.let_go()
            text = f"another export is writing to {folder}; wait for its end, or give another folder"
            raise ExportBusy(text) from error

    def let_go(self) -> None:
        """Others may write there."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):  # it is closed whatever is said of that
                os.close(handle)

    def __del__(self) -> None:
        """One that came when nobody waited for it any more."""
        self.let_go()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one who writes to a folder within.

    Raises:
        ExportBusy: another one does.
    """
    claim = Claim(folder)
    try:
        yield
    finally:
        claim.let_go()
