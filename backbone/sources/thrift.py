"""Page headers of Parquet files, read by themselves: Arrow shows what the footer says, and unpacks what the pages say.

The encoding is Thrift's compact protocol; the fields are those of PageHeader, and of FileMetaData, in parquet.thrift.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["DATA", "DICTIONARY", "HeaderCut", "PageHeader", "has_encrypted_columns", "page_header"]

DATA: Final = frozenset({0, 3})
"""Kinds of pages that hold values: of version 1 and 2."""
DICTIONARY: Final = 2

_BOOLEANS: Final = (1, 2)
_BYTE, _I32, _DOUBLE, _BINARY, _MAP, _STRUCT = 3, 5, 7, 8, 11, 12
_WHOLE: Final = (4, _I32, 6)
_LISTS: Final = (9, 10)
_DEEPEST: Final = 8
_INNER: Final = {0: 5, DICTIONARY: 7, 3: 8}  # kind of the page: field that says more
_ENCODING: Final = {5: 2, 7: 2, 8: 4}
_COLUMN_CHUNKS: Final = (4, 1)  # fields of lists: row groups of the file, columns of a row group
_ENCRYPTED: Final = frozenset({8, 9})  # crypto_metadata, encrypted_column_metadata


class HeaderCut(ValueError):
    """The header goes on behind the bytes given, or is none."""


class PageHeader(NamedTuple):
    """What a page says of itself; sizes in bytes, without the header."""

    kind: int
    unpacked: int
    packed: int
    values: int
    encoding: int
    header: int
    """Bytes of the header itself."""

    @property
    def held(self) -> int:
        """Bytes of the page as it lies in the file, or unpacked, whichever are more: both are read as a whole."""
        return max(self.unpacked, self.packed)


def page_header(data: bytes) -> PageHeader:
    """The header with which the bytes begin.

    Raises:
        HeaderCut: there is none, or not all of it.
    """
    reader = _Compact(data)
    whole: dict[int, int] = {}
    inner: dict[int, dict[int, int]] = {}
    for field, kind in reader.fields():
        if kind == _I32:
            whole[field] = reader.integer()
        elif kind == _STRUCT and field in _ENCODING:
            inner.setdefault(field, {}).update(reader.integers())
        else:
            reader.skip(kind, 0)
    if not {1, 2, 3} <= whole.keys() or min(whole[2], whole[3]) < 0:
        raise HeaderCut("it says no size")
    more = _INNER.get(whole[1], 0)
    facts = inner.get(more, {})
    encoding = facts.get(_ENCODING.get(more, 0), 0)
    return PageHeader(whole[1], whole[2], whole[3], max(0, facts.get(1, 0)), encoding, reader.at)


def has_encrypted_columns(footer: bytes) -> bool:
    """Whether some column of some row group is encrypted.

    Raises:
        HeaderCut: it is no footer, or not all of it.
    """
    return not _ENCRYPTED.isdisjoint(_fields_at(_Compact(footer), _COLUMN_CHUNKS))


def _fields_at(reader: _Compact, way: tuple[int, ...]) -> Iterator[int]:
    """The fields of all structs that a way of lists of structs leads to."""
    for field, kind in reader.fields():
        if not way:
            yield field
        if way and field == way[0] and kind in _LISTS:
            for inner in reader.elements():
                if inner == _STRUCT:
                    yield from _fields_at(reader, way[1:])
                else:
                    reader.element(inner, 0)
        else:
            reader.skip(kind, 0)


class _Compact:
    """Reads values of the compact protocol, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise HeaderCut("it is cut")
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise HeaderCut("a number is over 64 bits long")

    def integer(self) -> int:
        """A whole number."""
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def fields(self) -> Iterator[tuple[int, int]]:
        """The number and the kind of each field of a struct, whose value is to be read before the next."""
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self.integer()
            yield field, head & 0x0F

    def integers(self) -> dict[int, int]:
        """The 32-bit numbers of a struct, by field."""
        found = {}
        for field, kind in self.fields():
            if kind == _I32:
                found[field] = self.integer()
            else:
                self.skip(kind, 1)
        return found

    def skip(self, kind: int, depth: int) -> None:
        """Pass over a value."""
        if depth > _DEEPEST:
            raise HeaderCut("it is nested too deeply")
        if kind in _WHOLE:
            self._varint()
        elif kind in {_BYTE, _DOUBLE, _BINARY}:
            self._pass(1 if kind == _BYTE else 8 if kind == _DOUBLE else self._varint())
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        elif kind in _LISTS:
            for inner in self.elements():
                self.element(inner, depth)
        elif kind == _MAP:
            size = self._varint()
            kinds = self._byte() if size else 0
            for _ in range(size):
                self.element(kinds >> 4, depth)
                self.element(kinds & 0x0F, depth)
        elif kind not in _BOOLEANS:
            raise HeaderCut(f"a field has the unknown kind {kind}")

    def elements(self) -> Iterator[int]:
        """The kind of each element of a list, which is to be read before the next."""
        head = self._byte()
        for _ in range(head >> 4 if head >> 4 < 15 else self._varint()):
            yield head & 0x0F

    def element(self, kind: int, depth: int) -> None:
        """Pass over an element of a list or a map."""
        if kind in _BOOLEANS:
            self._byte()
        else:
            self.skip(kind, depth + 1)

    def _pass(self, size: int) -> None:
        if self.at + size > len(self._data):
            raise HeaderCut("it is cut")
        self.at += size
