"""Texts that are not UTF-8: told by a byte order mark, by beyond-doubt looks, or by the caller."""

from __future__ import annotations

import codecs
from typing import Final

from backbone.sources.errors import InputInvalid

__all__ = ["Recoder", "encoding_of"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEAD: Final = 4096
_BROKEN: Final = "backbone-broken"
_OF_TWO_ORDERS: Final = frozenset({"utf-16", "utf-32"})
_PLAIN: Final = frozenset({"utf-8", "ascii"})


def _as_broken(error: UnicodeError) -> tuple[str, int]:
    """What can't be read becomes a byte that is not UTF-8, so that its row is kept aside."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error


codecs.register_error(_BROKEN, _as_broken)


class Recoder:
    """Turns bytes of an encoding into UTF-8, piece by piece.

    Args:
        encoding: a name that Python knows.
    """

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)(_BROKEN)

    def recode(self, data: bytes, *, last: bool) -> bytes:
        """The same text as UTF-8; a character that is not whole yet comes with the next piece."""
        return self._decoder.decode(data, last).encode("utf-8", "surrogateescape")


def encoding_of(path: str, head: bytes, told: str | None) -> str | None:
    """The encoding of a text; None where it is UTF-8, or looks like nothing else.

    Args:
        path: for messages.
        head: its first bytes.
        told: what the caller says it is.

    Raises:
        InputInvalid: the file says another thing than the caller.
    """
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if told is None:
        found = marked or _without_mark(head[:_HEAD])
        return None if found == "utf-8" else found
    name = codecs.lookup(told).name
    if marked is not None and not name.startswith(marked):
        raise InputInvalid(f"{path} begins with the mark of {marked.upper()}; leave out --encoding {told}")
    return None if name in _PLAIN or name == "utf-8-sig" else marked or _ordered(path, name, head)


def _ordered(path: str, name: str, head: bytes) -> str:
    """The encoding with the order of its bytes, which the text does not say by a mark.

    Raises:
        InputInvalid: it has two orders, and the text does not look like either.
    """
    if name not in _OF_TWO_ORDERS:
        return name
    looks = _without_mark(head[:_HEAD]) or ""
    if not looks.startswith(name):
        raise InputInvalid(
            f"{path} has no mark of {name.upper()} and does not look like it; leave out --encoding {name}, or name the "
            f"order of its bytes (--encoding {name}-le or {name}-be)"
        )
    return looks


def _without_mark(head: bytes) -> str | None:
    """UTF-16 by its looks: each character of the first line is a letter of ASCII, one byte of two being zero."""
    for encoding, high, low in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        pairs = len(head) // 2
        if pairs >= 4 and not any(head[high : 2 * pairs : 2]) and all(head[low : 2 * pairs : 2]):
            return encoding
        line = head.decode(encoding, "replace").split("\n", 1)[0] if head.count(b"\0") * 4 > len(head) else ""
        if len(line) >= 4 and line.isascii() and "\0" not in line:
            return encoding
    return None
