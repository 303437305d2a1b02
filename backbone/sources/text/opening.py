"""Opening a file of text lines: plain or gzip (told by its first bytes, not its name), within limits.

The limits hold off decompression bombs: at most 4 GiB of text, and at most 200 bytes of text per byte of file. (Real
quote files reach about 20.)
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backbone.sources.errors import InputInvalid, InputMissing

__all__ = ["MAX_BYTES", "MAX_RATIO", "TextBytes", "open_file", "open_text", "unreadable"]

MAX_BYTES = 4 * 1024**3
"""Most bytes of text that are read from one file."""
MAX_RATIO = 200
"""Most bytes of text per compressed byte."""

_RATIO_FLOOR = 4 * 1024**2
_GZIP = b"\x1f\x8b"
_FOREIGN = {
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"PAR1": "a Parquet file; read it as parquet",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first",
    b"\xfd7zXZ": "compressed with xz; unpack it first",
    b"BZh": "compressed with bzip2; unpack it first",
    b"\xff\xfe": "UTF-16 text; convert it to UTF-8",
    b"\xfe\xff": "UTF-16 text; convert it to UTF-8",
}


@dataclass(slots=True)
class TextBytes:
    """The bytes of a text file, decompressed.

    Attributes:
        path: the file.
        size: bytes on disk.
    """

    path: Path
    size: int
    _raw: io.BufferedReader
    _text: io.BufferedReader | gzip.GzipFile
    _given: int = 0

    @property
    def position(self) -> int:
        """Bytes read so far of the file on disk."""
        return min(self._raw.tell(), self.size)

    def read(self, size: int) -> bytes:
        """Up to ``size`` further bytes; none at the end.

        Raises:
            InputInvalid: the file is damaged, can't be read, or goes over a limit.
        """
        try:
            data = self._text.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputInvalid(f"{self.path} is damaged or cut off: {error}; get the file anew") from error
        except OSError as error:
            raise unreadable(self.path, error) from error
        self._given += len(data)
        self._check_limits()
        return data

    def _check_limits(self) -> None:
        if self._given > MAX_BYTES:
            raise InputInvalid(f"{self.path} holds over {MAX_BYTES:,} bytes of text; split it into smaller files")
        packed = self._text is not self._raw
        if packed and self._given > _RATIO_FLOOR and self._given > MAX_RATIO * max(self._raw.tell(), 1):
            raise InputInvalid(
                f"{self.path} unpacks to over {MAX_RATIO} times its size, which market data does not; "
                "unpack and inspect it first"
            )


@contextmanager
def open_file(path: Path) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading.

    Raises:
        InputMissing: there is none.
        InputInvalid: it is no regular file, may not be read, or is empty.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputInvalid(f"{path} is not a file; give the path of a file")
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputMissing(f"{path} does not exist; check the path") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputInvalid):
            raise
        raise InputInvalid(f"{str(path)!r} can't be opened: {getattr(error, 'strerror', None) or error}") from error
    with file:
        try:
            head = file.peek(1)
        except OSError as error:
            raise unreadable(path, error) from error
        if not head:
            raise InputInvalid(f"{path} is empty; a header line and rows are needed")
        yield file


def unreadable(path: Path, error: OSError) -> InputInvalid:
    """The error of a disk, as that of the file on it."""
    reason = str(error.strerror or error).splitlines()[0]
    return InputInvalid(f"{path} can't be read: {reason}; see to the disk or the mount, then start the same again")


@contextmanager
def open_text(path: Path) -> Iterator[TextBytes]:
    """Open a text file, gzip or not.

    Raises:
        InputMissing: there is none.
        InputInvalid: it can't be opened, is empty, or is of another format.
    """
    with open_file(path) as raw:
        head = raw.peek(8)[:8]
        for magic, what in _FOREIGN.items():
            if head.startswith(magic):
                raise InputInvalid(f"{path} is {what}")
        size = os.fstat(raw.fileno()).st_size
        if not head.startswith(_GZIP):
            yield TextBytes(path, size, raw, raw)
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield TextBytes(path, size, raw, unpacked)
