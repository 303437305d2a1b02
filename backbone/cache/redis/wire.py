"""Commands as Redis reads them: RESP arrays of texts. What is the same in each question is put into bytes once."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Word", "items", "packed"]

Word = str | bytes | int


def packed(words: Sequence[Word]) -> bytes:
    """One command."""
    return b"*%d\r\n%b" % (len(words), items(words))


def items(words: Sequence[Word]) -> bytes:
    """A part of a command, without the number of its words."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded])
