"""Texts from elsewhere, made fit to be shown and stored: the one place that knows which characters are harmless.

Control characters steer terminals, bidirectional ones reorder what is read, PostgreSQL refuses NUL, and UTF-8 has no
place for half a surrogate pair.
"""

from __future__ import annotations

__all__ = ["escaped", "excerpt", "folded", "storable"]


def excerpt(raw: bytes | str, limit: int = 2000) -> str:
    """The begin of a text with all that can't be printed written out, in at most `limit` characters.

    What is longer ends in "…"; bytes that are no UTF-8 are written out as well.
    """
    head = raw[: 4 * limit] if isinstance(raw, bytes) else raw[:limit]  # no character has more bytes than four
    text = head.decode("utf-8", "backslashreplace") if isinstance(head, bytes) else head
    shown = _written_out(text)
    return shown if len(shown) <= limit and len(head) == len(raw) else f"{shown[: limit - 1]}…"


def folded(text: object) -> str:
    """A text as one line: blanks folded, what can't be printed left out."""
    return "".join(char for char in " ".join(str(text).split()) if char.isprintable())


def escaped(text: str) -> str:
    """A text of several lines, such as a traceback: they are kept, all else that can't be printed is written out."""
    return "\n".join(line if line.isprintable() else _written_out(line) for line in text.split("\n"))


def _written_out(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def storable(text: str) -> str:
    """The text with what databases refuse written out, and nothing else changed."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
