"""Opening a file of text lines: plain or gzip (told by its first bytes, not its name), within limits.

The limits hold off decompression bombs: at most 4 GiB of text, and at most 200 bytes of text per byte of file. (Real
quote files reach about 20.)
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from backbone.sources.errors import InputInvalid, InputMissing
from backbone.sources.text.encodings import Recoder, encoding_of
from backbone.sources.text.packing import Readable, unpacked

__all__ = ["MAX_BYTES", "MAX_RATIO", "TextBytes", "open_file", "open_text", "unreadable"]

MAX_BYTES = 4 * 1024**3
"""Most bytes of text that are read from one file."""
MAX_RATIO = 200
"""Most bytes of text per compressed byte."""

_RATIO_FLOOR = 4 * 1024**2
_FIRST = 65_536
_FOREIGN = {
    b"PAR1": "a Parquet file; read it as parquet",
    b"\xfd7zXZ": "compressed with xz; unpack it first",
    b"BZh": "compressed with bzip2; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"Rar!": "a rar archive; unpack it first",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel; save the sheet as CSV",
}
_DAMAGED = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, pa.ArrowException)


@dataclass(slots=True)
class TextBytes:
    """The bytes of a text file, unpacked and in UTF-8.

    Attributes:
        path: the file.
        size: bytes on disk.
        notes: what there is to say of it.
    """

    path: Path
    size: int
    notes: tuple[str, ...]
    _raw: io.BufferedReader
    _text: Readable
    _given: int = 0
    _ahead: bytes = b""
    _recoder: Recoder | None = None

    @property
    def position(self) -> int:
        """Bytes read so far of the file on disk."""
        return min(self._raw.tell(), self.size)

    def look(self, told: str | None) -> None:
        """See by the first bytes which encoding the text has.

        Args:
            told: what the caller says it is.

        Raises:
            InputInvalid: it is no text, or another one than the caller says.
        """
        self._ahead = self._unpacked(_FIRST)
        for magic, what in _FOREIGN.items():
            if self._ahead.startswith(magic):
                raise InputInvalid(f"{self.path} is {what}")
        encoding = encoding_of(str(self.path), self._ahead, told)
        if encoding is not None:
            self._recoder = Recoder(encoding)
            self.notes = (*self.notes, f"the text is {encoding.upper()}") if told is None else self.notes

    def read(self, size: int) -> bytes:
        """Up to ``size`` further bytes of the file as UTF-8, which may be more; none at the end.

        Raises:
            InputInvalid: the file is damaged, can't be read, or goes over a limit.
        """
        while True:
            data, self._ahead = self._ahead or self._unpacked(size), b""
            if self._recoder is None:
                return data
            text = self._recoder.recode(data, last=not data)
            if text or not data:
                return text

    def _unpacked(self, size: int) -> bytes:
        try:
            data = self._text.read(size)
        except _DAMAGED as error:
            raise self._damaged(error) from error
        except OSError as error:
            # what unpacks names no errno, the disk does
            raise (self._damaged(error) if error.errno is None else unreadable(self.path, error)) from error
        self._given += len(data)
        self._check_limits()
        return data

    def _damaged(self, error: Exception) -> InputInvalid:
        return InputInvalid(f"{self.path} is damaged or cut off: {error}; get the file anew")

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
def open_text(path: Path, encoding: str | None = None) -> Iterator[TextBytes]:
    """Open a text file, packed or not.

    Args:
        path: of the file.
        encoding: of the text, where the file does not show it; UTF-8 else.

    Raises:
        InputMissing: there is none.
        InputInvalid: it can't be opened, is empty, or is of another format.
    """
    with open_file(path) as raw:
        size = os.fstat(raw.fileno()).st_size
        with unpacked(path, raw) as (stream, notes):
            text = TextBytes(path, size, notes, raw, stream)
            text.look(encoding)
            yield text
